# SPDX-License-Identifier: Apache-2.0
"""The whole way of a line, from a file to the centre, with an oracle that counts: what was written to the
file is an obligation, and is judged from what is on the disks and at the centre, not from what a program says."""
import collections
import datetime
import json
import os
import random
import re
import signal
import socket

import install
import rogue
from world import SOURCE, Failure, program, wait_until

PROGRAMS = ("agent", "correlator", "forwarder")
ALERT_EVERY = 20  # one line in so many raises an alert of its own
NUMBER = re.compile(rb"n(\d{8})z")
RULE = rogue.RULE.format(title="Obligation", id="51111111-1111-4111-8111-111111111111", prefix="mark") + \
    "haidang: {delivery: national}\n"
PADDING = "x" * 60


def find_fixed_port():
    """A port that stays ours while nobody listens on it: outside the range that the kernel gives to connections,
    one of which could otherwise take it, or even connect to itself."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        lowest = int(file.read().split()[0])
    while True:
        port = random.SystemRandom().randrange(min(10000, lowest // 2), lowest)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def is_marked(n):
    return n % ALERT_EVERY == 0


def address(n):
    """The source address by which the centre's copy of an alert is known."""
    return f"20.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"


def text(n, padding=PADDING):
    if is_marked(n):
        now = datetime.datetime.now(datetime.timezone.utc).isoformat()
        return (f"<38>1 {now} web1 sshd 77 - - Failed password for invalid user markn{n:08d}z from {address(n)} "
                "port 5000 ssh2\n")
    return f"<30>Nov 21 07:50:37 web1 app[7]: n{n:08d}z {padding}\n"


def archived(status):
    return sum(a["last_seq"] for a in status["agents"]) if status else 0


class Chain:
    """Agent, correlator, forwarder and centre in a World. `keys` holds further lines of each configuration;
    `binaries` and `held` what is run, and with which sockets (held.py), where it is not the usual."""

    def __init__(self, world, keys=None):
        self.world, self.keys = world, keys or {}
        self.processes, self.lines, self.rotations, self.kills = {}, 0, 0, 0
        self.binaries, self.held = {}, {}
        world.make_ca()
        os.makedirs(world.path("logs"))
        os.makedirs(world.path("mirror"))
        world.write("rules/one.yml", RULE)
        world.ports["correlator"], world.ports["centre"] = find_fixed_port(), find_fixed_port()
        self.log = open(world.path("logs", "app.log"), "a", encoding="ascii")
        self.configure()
        issued = world.path("ca", "issued")
        world.start("centre", [program("haidang-centre"), "--listen", f"127.0.0.1:{world.ports['centre']}", "--cert",
                               f"{issued}/centre.crt", "--key", f"{issued}/centre.key", "--out", world.path("centre.jsonl")])

    def configure(self):
        world, keys = self.world, self.keys
        world.write("agent.yml", install.agent_config(
            world, install.file_source(world.path("logs", "app.log*"), extra=keys.get("file", "")) + keys.get("sources", ""),
            uplink="  retry_first: 10ms\n  retry_max: 100ms" + keys.get("uplink", ""),
            extra="batch_time: 20ms\nspool_reserve: 0\n" + keys.get("agent", "")))
        world.write("correlator.yml", install.correlator_config(
            world, library=world.path("rules"), archive="  reserve: 0\n" + keys.get("archive", ""),
            alerts="  reserve: 0\n" + keys.get("alerts", ""),
            extra="suppress: {window: 0s}\ndetect: {snapshot: 1s" + keys.get("detect", "") + "}\nintake: {handshakes_per_second: 100000}\n" +
            keys.get("correlator", "")))
        world.write("forwarder.yml", f"""
alerts: {world.path("correlator", "alerts")}
state_dir: {world.path("forwarder")}
status: unix:{world.run_dir}/forwarder.sock
accept_unofficial_profile: [vn-ncsc-alert@0.1.0]
receipts:
  reserve: 0
{keys.get("receipts", "")}
destinations:
  - name: ncsc
    url: https://127.0.0.1:{world.ports["centre"]}
    profile: {SOURCE}/forwarder/profiles/vn-ncsc-alert-0.1.0.json
    auth: none
    retry_first: 10ms
    retry_max: 100ms
    settings:
      - {{name: vendor_id, value: v}}
      - {{name: unit_id, value: u}}
      - {{name: sensor_id, value: 0123456789abcdef01234567}}
    tls:
      ca: {world.path("ca", "ca.crt")}
""")

    # ---- what is done to it ----

    def start(self, name, env=None):
        argv = [self.binaries.get(name, program(f"haidang-{name}")), "--config", self.world.path(f"{name}.yml")]
        held = self.held.get(name)
        self.processes[name] = self.world.start(name, held.argv(argv) if held else argv, env=env,
                                                pass_fds=held.numbers() if held else ())
        return self.processes[name]

    def start_all(self):
        """In the order that the alert journal asks for."""
        for name in ("correlator", "forwarder", "agent"):
            self.start(name)
            self.wait_up(name)

    def wait_up(self, name):
        process = self.processes[name]
        wait_until(f"{name} up", lambda: self.world.status(name) or not process.is_running())
        self.check_running(name)

    def check_running(self, name):
        process = self.processes[name]
        if not process.is_running():
            raise Failure(f"{name} has ended by itself:\n  " + "\n  ".join(process.lines[-15:]))

    def kill(self, name):
        """It must have lived until now."""
        self.check_running(name)
        self.processes[name].kill()
        self.kills += 1
        self.bury(name)

    def end(self, name):
        process = self.processes[name]
        if process.kill(signal.SIGTERM) != 0:
            raise Failure(f"{name} did not end in order:\n  " + "\n  ".join(process.lines[-15:]))
        self.bury(name)

    def bury(self, name):
        process = self.processes.pop(name)
        process.reader.join()
        process.popen.stdout.close()
        self.world.processes.remove(process)
        return process

    def write(self, count, padding=PADDING):
        self.log.write("".join(text(n, padding) for n in range(self.lines, self.lines + count)))
        self.log.flush()
        self.lines += count

    def rotate(self):
        self.rotations += 1
        self.log.close()
        path = self.world.path("logs", "app.log")
        os.rename(path, f"{path}.{self.rotations}")
        self.log = open(path, "a", encoding="ascii")

    # ---- the oracle ----

    def is_mirrored(self):
        """Every sealed segment has a copy, and the programs say so, too."""
        told = [self.world.status(name) for name in ("correlator", "forwarder")]
        return (all(told) and all(j["behind"] == 0 and not j["problem"] for status in told if "mirror" in status
                                  for j in status["mirror"]["journals"])
                and self.world.haidang("archive", "compare", self.world.path("correlator", "archive"),
                                       self.world.path("mirror", "archive"), check=False).returncode == 0)

    def is_quiet(self):
        """The programs say that they have nothing left to do."""
        correlator, forwarder = self.world.status("correlator"), self.world.status("forwarder")
        return (correlator and forwarder and archived(correlator) >= self.lines
                and correlator["detect"]["lag_bytes"] == 0 and forwarder["destinations"][0]["pending"] == 0)

    def backlog(self):
        """Lines that are not archived; all, while the correlator does not say."""
        return self.lines - archived(self.world.status("correlator"))

    def json_lines(self, data):
        return [json.loads(line) for line in data.split(b"\n") if line]

    def at_centre(self):
        """How often the centre took the alert of each address."""
        with open(self.world.path("centre.jsonl"), "rb") as file:
            return collections.Counter(r["body"]["src_ip"] for r in self.json_lines(file.read()) if r["taken"])

    def broken(self):
        """Obligations that are not met (yet), and those that never will be, as two lists of words."""
        unmet, wrong = [], []

        def compare(what, counts, wanted):
            unmet.extend(f"{what} {n} is missing" for n in wanted if n not in counts)
            wrong.extend(f"{what} {n} is there {counts[n]} times" for n in counts if counts[n] != 1)
            wrong.extend(f"{what} {n} was never written" for n in counts if n not in wanted)

        marked = [n for n in range(self.lines) if is_marked(n)]
        archive = self.world.journal_text(self.world.path("correlator", "archive"))
        compare("line", collections.Counter(map(int, NUMBER.findall(archive))), range(self.lines))
        alerts = self.json_lines(self.world.journal_text(self.world.path("correlator", "alerts")))
        of_id = {a["id"]: int(NUMBER.search(a["user"]["name"].encode()).group(1)) for a in alerts}
        compare("alert of line", collections.Counter(int(NUMBER.search(a["user"]["name"].encode()).group(1))
                                                     for a in alerts), set(marked))
        compare("alert id", collections.Counter(a["id"] for a in alerts), set(of_id))
        receipts = self.json_lines(self.world.journal_text(self.world.path("forwarder", "receipts")))
        compare("final receipt of", collections.Counter(r["alert"] for r in receipts if r["outcome"] in ("delivered", "dead")),
                set(of_id))
        wrong.extend(f"alert {r['alert']} is a dead letter: {r.get('reason')}" for r in receipts if r["outcome"] == "dead")
        unheard = collections.Counter(r["alert"] for r in receipts
                                      if r.get("resend") and r["outcome"] == "begun"
                                      or r["outcome"] == "retry" and "status" not in r)
        taken = self.at_centre()
        for alert, n in of_id.items():
            if taken[address(n)] == 0:
                unmet.append(f"alert {alert} never came to the centre")
            elif taken[address(n)] > 1 + unheard[alert]:
                wrong.append(f"alert {alert} came {taken[address(n)]} times, {unheard[alert]} explained")
        return unmet, wrong

    def drain(self):
        """Until every obligation is met; fails at once on what can never be. Returns how many there are."""
        judged = [], []

        def is_met():
            nonlocal judged
            for name in self.processes:
                self.check_running(name)
            if not self.is_quiet():
                return False
            judged = self.broken()
            return judged[1] or not judged[0]

        try:
            wait_until("everything to drain", is_met)
        except Failure as failure:
            unmet, wrong = self.broken()
            raise Failure(f"{failure}; {len(unmet)} missing: {unmet[:5]}; {len(wrong)} wrong: {wrong[:5]}; "
                          f"{ {name: self.world.status(name) for name in PROGRAMS} }") from failure
        if judged[1]:
            raise Failure(f"{len(judged[1])} obligations broken: {judged[1][:5]}")
        marked = sum(is_marked(n) for n in range(self.lines))
        return self.lines + 3 * marked  # each alert: published once, one final receipt, at the centre
