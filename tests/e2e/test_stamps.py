#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time stamps on sealed segments, from the real correlator's request over the real forwarder to a real authority
(`openssl ts -reply`) and back. Whatever is wrong with an answer is refused by its name, and tried again."""
import os
import subprocess
import sys

from chain import Chain
from world import SOURCE, Failure, World, main, program, wait_until

sys.path.insert(0, os.path.join(SOURCE, "tests", "support"))
import tsa  # noqa: E402

KEYS = {"archive": "  segment_age: 100ms\n", "alerts": "  segment_age: 100ms\n",
        "correlator": "timestamps: {enabled: yes, alarm: 1s}\nmirror: {dir: mirror, same_disk: yes, retry: 100ms}\n"}
BACKLOG = 8
REFUSALS = {"error": "HTTP status 500", "html": "no reply of RFC 3161", "digest": "another digest", "nonce": "its nonce",
            "foreign": "unable to get local issuer certificate", "expired": "certificate has expired",
            "refuses": "the authority refuses"}


class Stamped:
    """A chain whose forwarder asks `authority`."""

    def __init__(self, world, more=""):
        self.world, self.authority = world, tsa.Authority(world.path("tsa"))
        self.chain = Chain(world, dict(KEYS, receipts=f"""  segment_age: 100ms
timestamps: {{enabled: yes, alarm: 1s}}
mirror: {{dir: mirror, same_disk: yes, retry: 100ms}}
timestamp:
  url: {self.authority.serve()}
  ca: {self.authority.path("ca.crt")}
  dirs: [{world.path("correlator", "archive", "stamps")}, {world.path("correlator", "alerts", "stamps")}]
  retry_first: 10ms
  retry_max: 50ms
  alarm: 0s
{more}"""))

    def files(self, end, *path):
        directory = self.world.path(*(path or ("correlator", "archive")), "stamps")
        return sorted(n for n in os.listdir(directory) if n.endswith(end)) if os.path.isdir(directory) else []

    def seal(self):
        """Lines until one more request is there."""
        had = len(self.files(".tsq"))

        def is_more():
            self.chain.write(40)
            return len(self.files(".tsq")) > had

        wait_until("a request for a time stamp", is_more)

    def is_answered(self):
        """All requests of the three journals."""
        return all(self.files(".tsq", *path) and
                   [n[:-4] for n in self.files(".tsq", *path)] == [n[:-4] for n in self.files(".tsr", *path)]
                   for path in (("correlator", "archive"), ("correlator", "alerts"), ("forwarder", "receipts")))

    def is_carried(self):
        """The stamps to the mirror, too."""
        return self.is_answered() and all(self.files(".tsr", "mirror", name) == self.files(".tsr", program, name) for
                                          program, name in (("correlator", "archive"), ("forwarder", "receipts")))

    def said(self):
        return self.world.status("forwarder")["timestamp"]

    def keys(self):
        return ("--key", self.world.path("correlator", "seal.key.pub"), "--key",
                self.world.path("forwarder", "seal.key.pub"), "--tsa-ca", self.authority.path("ca.crt"))

    def verify(self, *path):
        return self.world.haidang("archive", "verify", self.world.path(*path), *self.keys())


def test_stamps():
    """Through a kill of each program; at the end all hold, by our program and by openssl alone, in the mirror too."""
    with World() as world:
        stamped = Stamped(world)
        stamped.chain.start_all()
        for name in ("forwarder", "correlator", None):
            stamped.seal()
            if name is not None:
                stamped.chain.kill(name)
                stamped.chain.start(name)
                stamped.chain.wait_up(name)
        stamped.chain.drain()
        wait_until("every request to be answered, the mirrors to have them", stamped.is_carried)
        for path in (("correlator", "archive"), ("mirror", "archive"), ("forwarder", "receipts"), ("mirror", "receipts")):
            done = stamped.verify(*path)
            assert "was there at" in done.stdout, done.stdout
        assert world.metric("forwarder", "timestamps_total") > 0
        check_with_openssl(stamped)
        print(f"     {len(stamped.files('.tsr'))} time stamps, all hold")


def check_with_openssl(stamped):
    """Reply and request fit each other, says the real one."""
    for path in (("correlator", "archive"), ("forwarder", "receipts")):
        check_each_with_openssl(stamped, path)


def check_each_with_openssl(stamped, path):
    base = stamped.world.path(*path, "stamps")
    for name in stamped.files(".tsr", *path):
        done = subprocess.run(["openssl", "ts", "-verify", "-in", f"{base}/{name}", "-queryfile", f"{base}/{name[:-4]}.tsq",
                               "-CAfile", stamped.authority.path("ca.crt")], capture_output=True, text=True, check=False)
        if "Verification: OK" not in done.stdout:
            raise Failure(f"{name}: {done.stdout}{done.stderr}")


def test_receipts_outlive_their_disk():
    """The disks of correlator and forwarder are lost: the mirrors and the public keys prove that an alert was delivered."""
    with World() as world:
        stamped = Stamped(world)
        chain = stamped.chain
        chain.start_all()
        for _ in range(2):
            stamped.seal()
        chain.drain()
        wait_until("all to be sealed and mirrored", lambda: chain.is_mirrored() and stamped.is_carried()
                   and forwarder_behind(world) == 0)
        world.haidang("archive", "compare", world.path("forwarder", "receipts"), world.path("mirror", "receipts"))
        for name in ("agent", "correlator", "forwarder"):
            chain.kill(name)
        for path in (("correlator", "archive"), ("correlator", "alerts"), ("forwarder", "receipts")):
            os.rename(world.path(*path), world.path("lost-" + path[1]))
        receipt = first_delivered(world, chain)
        copies = [word for name in ("archive", "alerts", "receipts") for word in (f"--{name}", world.path("mirror", name))]
        bundle = world.path("alert.tar")
        shown = world.haidang("prove", receipt["alert"], *copies, *stamped.keys()[:4], "--bundle", bundle).stdout
        assert receipt["request_sha256"] in shown, shown
        told = world.haidang("verify", bundle, *stamped.keys()).stdout
        for name in ("archive", "alerts", "receipts"):
            if not any(line.startswith(f"ok     {name}/") and "the authority saw" in line for line in told.splitlines()):
                raise Failure(f"no time stamp on what the bundle has of {name}:\n{told}")
        print("     archive, alerts and receipts lost; alert, receipt and their time stamps proven from the mirrors")


def forwarder_behind(world):
    return sum(j["behind"] for j in world.status("forwarder")["mirror"]["journals"])


def first_delivered(world, chain):
    """A receipt of delivery of an alert that the mirrors have with its line."""
    receipts = chain.json_lines(world.journal_text(world.path("mirror", "receipts")))
    return [r for r in receipts if r["outcome"] == "delivered"][0]


def test_a_backlog_and_what_comes():
    """Requests that waited for long have their turn, and so have those that come; one that nobody can answer keeps none back."""
    with World() as world:
        stamped = Stamped(world)
        stamped.authority.mode = "error"
        stamped.chain.start_all()
        while len(stamped.files(".tsq")) < BACKLOG:
            stamped.seal()
        with open(world.path("correlator", "archive", "stamps", stamped.files(".tsq")[0]), "wb") as file:
            file.write(b"nothing that an authority can read")
        stamped.authority.mode = "good"
        wait_until("all others to be answered", lambda: len(stamped.files(".tsr")) == len(stamped.files(".tsq")) - 1)
        print(f"     {len(stamped.files('.tsr'))} answered beside one that cannot be")


def test_what_is_refused():
    """Nothing of it is stored; what is wrong is said; alerts go on; a good answer ends it."""
    with World() as world:
        stamped = Stamped(world)
        stamped.authority.mode = "error"
        stamped.chain.start_all()
        stamped.seal()
        for mode, words in REFUSALS.items():
            stamped.authority.mode = mode
            wait_until(f"{mode} to be refused", lambda: words in stamped.said()["last_error"])
            if stamped.files(".tsr"):
                raise Failure(f"a stamp was taken from an authority that answers with {mode}")
        told = world.status("forwarder")
        assert any("no time stamps for" in p for p in told["problems"]), told["problems"]
        wait_until("the correlator to miss them", lambda: any(
            "have no reply" in p for p in world.status("correlator")["problems"]))
        stamped.authority.close()
        wait_until("its absence to be told", lambda: "onnect" in stamped.said()["last_error"])
        stamped.chain.drain()  # alerts did not wait
        assert world.metric("forwarder", "timestamp_failures_total") >= len(REFUSALS)
        print(f"     {len(REFUSALS) + 1} kinds of answers refused, 0 stored")


def test_a_policy_that_is_asked_for():
    with World() as world:
        stamped = Stamped(world, "  policy: 1.2.3.4.9\n")
        stamped.chain.start_all()
        stamped.seal()
        wait_until("it to be refused", lambda: "1.2.3.4.1, not 1.2.3.4.9" in stamped.said()["last_error"])
        assert not stamped.files(".tsr")


def test_configuration():
    with World() as world:
        stamped = Stamped(world)
        path = world.path("forwarder.yml")
        with open(path, encoding="utf-8") as file:
            good = file.read()
        for old, new, code, words in (
                ("url: http://127", "url: ftp://127", 3, "neither https:// nor http://"),
                (f"ca: {stamped.authority.path('ca.crt')}\n  dirs", "dirs", 3, "timestamp.ca is missing"),
                (f"url: {good.split('timestamp:')[1].split()[1]}\n", "\n", 3, "timestamp.url is missing"),
                (stamped.authority.path("ca.crt"), world.path("none.crt"), 4, "timestamp.ca"),
                (stamped.authority.path("ca.crt"), path, 4, "no PEM certificate")):
            assert old in good
            world.write("bad.yml", good.replace(old, new))
            done = world.run(program("haidang-forwarder"), "--config", world.path("bad.yml"), "--check", check=False)
            if done.returncode != code or words not in done.stderr:
                raise Failure(f"{new}: {done.returncode} {done.stderr}")


main(test_stamps, test_receipts_outlive_their_disk, test_a_backlog_and_what_comes, test_what_is_refused, test_a_policy_that_is_asked_for, test_configuration)
