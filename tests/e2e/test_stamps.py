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
REFUSALS = {"error": "HTTP status 500", "html": "no reply of RFC 3161", "digest": "another digest", "nonce": "its nonce",
            "foreign": "unable to get local issuer certificate", "expired": "certificate has expired",
            "refuses": "the authority refuses"}


class Stamped:
    """A chain whose forwarder asks `authority`."""

    def __init__(self, world, more=""):
        self.world, self.authority = world, tsa.Authority(world.path("tsa"))
        self.chain = Chain(world, dict(KEYS, receipts=f"""
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
        return self.files(".tsq") and [n[:-4] for n in self.files(".tsq")] == [n[:-4] for n in self.files(".tsr")]

    def said(self):
        return self.world.status("forwarder")["timestamp"]

    def verify(self, *path):
        return self.world.haidang("archive", "verify", self.world.path(*path), "--key",
                                  self.world.path("correlator", "seal.key.pub"), "--tsa-ca", self.authority.path("ca.crt"))


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
        wait_until("every request to be answered", stamped.is_answered)
        wait_until("the mirror to have them", lambda: stamped.files(".tsr", "mirror", "archive") == stamped.files(".tsr"))
        for path in (("correlator", "archive"), ("mirror", "archive")):
            done = stamped.verify(*path)
            assert "was there at" in done.stdout, done.stdout
        assert world.metric("forwarder", "timestamps_total") > 0
        check_with_openssl(stamped)
        print(f"     {len(stamped.files('.tsr'))} time stamps, all hold")


def check_with_openssl(stamped):
    """Reply and request fit each other, says the real one."""
    base = stamped.world.path("correlator", "archive", "stamps")
    for name in stamped.files(".tsr"):
        done = subprocess.run(["openssl", "ts", "-verify", "-in", f"{base}/{name}", "-queryfile", f"{base}/{name[:-4]}.tsq",
                               "-CAfile", stamped.authority.path("ca.crt")], capture_output=True, text=True, check=False)
        if "Verification: OK" not in done.stdout:
            raise Failure(f"{name}: {done.stdout}{done.stderr}")


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
                (stamped.authority.path("ca.crt"), world.path("none.crt"), 4, "timestamp.ca"),
                (stamped.authority.path("ca.crt"), path, 4, "no PEM certificate")):
            assert old in good
            world.write("bad.yml", good.replace(old, new))
            done = world.run(program("haidang-forwarder"), "--config", world.path("bad.yml"), "--check", check=False)
            if done.returncode != code or words not in done.stderr:
                raise Failure(f"{new}: {done.returncode} {done.stderr}")


main(test_stamps, test_what_is_refused, test_a_policy_that_is_asked_for, test_configuration)
