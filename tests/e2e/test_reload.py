#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules replaced (SIGHUP) under full load, again and again: every line is examined once, every alert
that is due is published once, and detection never stands still for long. Then `haidang backtest` over
the archive must say what the running correlator said. With the public rules when they are there.
HD_E2E_RELOADS (default 6) reloads."""
import collections
import json
import os
import re
import signal
import threading

import install
from world import SOURCE, Failure, World, main, wait_until

RELOADS = int(os.environ.get("HD_E2E_RELOADS", "6"))
PAUSE_MAX_US = int(os.environ.get("HD_E2E_PAUSE_US", "50000"))
ATTEMPTS = 3
EVERY = 200  # one line in so many raises an alert
CHUNK = 5000
AHEAD = 1000000  # lines written and not examined
PUBLIC = os.path.join(SOURCE, "..", "shared", "data", "sigma", "rules")

RULE = """
title: Accepted{version}
id: ecfd1fcd-d465-49ce-a04e-c5d55affd631
status: test
logsource: {{product: linux, service: sshd}}
detection:
  selection: {{event.action: ssh-login, event.outcome: success}}
  condition: selection
level: low
"""
OTHER = """
title: In one version only
id: ecfd1fcd-d465-49ce-a04e-c5d55affd632
status: test
logsource: {product: linux, service: sshd}
detection:
  selection: {event.action: nothing-of-the-kind}
  condition: selection
level: low
"""


def write_rules(world, version):
    text = RULE.format(version=f" {version}") + ("---" + OTHER if version % 2 else "")
    return world.write("local.yml", text)


def line(n):
    if n % EVERY == 0:
        return f"<38>Nov 21 07:50:37 web1 sshd[{n % 30000}]: Accepted password for u{n} from 203.0.113.9 port 4022 ssh2"
    return f"<30>Nov 21 07:50:37 web1 systemd[1]: Started Session {n} of User deploy."


class Writer:
    """Appends lines as fast as they are examined, until it is told to stop."""

    def __init__(self, world, path):
        self.world, self.path, self.n, self.stop = world, path, 0, threading.Event()
        self.thread = threading.Thread(target=self.write)
        self.thread.start()

    def write(self):
        with open(self.path, "a", encoding="ascii") as file:
            while not self.stop.is_set():
                if self.n - examined(self.world) > AHEAD:
                    self.stop.wait(0.05)
                    continue
                file.write("".join(line(n) + "\n" for n in range(self.n, self.n + CHUNK)))
                file.flush()
                self.n += CHUNK

    def end(self):
        self.stop.set()
        self.thread.join()
        return self.n


def examined(world):
    status = world.status("correlator")
    return status["detect"]["lines"] if status else 0


def reload(world, correlator, version):
    write_rules(world, version)
    before = examined(world)
    correlator.popen.send_signal(signal.SIGHUP)
    wait_until(f"reload {version}", lambda: world.metric("correlator", "reloads_total") >= version, 600)
    wait_until("lines go on being examined", lambda: examined(world) > before)


def published(world):
    """How often each line's alert is in the journal."""
    out = world.haidang("tail", "--dir", world.path("correlator", "alerts"), "--all", "--no-follow", "--json").stdout
    seen = collections.Counter()
    for alert in map(json.loads, out.splitlines()):
        found = re.search(r"for u(\d+) from", alert["evidence"][0]["line"])
        if found and alert["rule"]["title"].startswith("Accepted "):
            seen[int(found.group(1))] += 1
    return seen


def check_alerts(world, lines):
    seen, due = published(world), range(0, lines, EVERY)
    missing = [n for n in due if seen[n] == 0]
    double = [n for n in seen if seen[n] > 1]
    if missing or double or len(seen) != len(due):
        raise Failure(f"{len(missing)} alerts missing (first {missing[:3]}), {len(double)} double (first {double[:3]}), "
                      f"{len(seen)} instead of {len(due)}")


def check_backtest(world, lines):
    said = json.loads(world.haidang("backtest", world.path("local.yml"), "--archive",
                                    world.path("correlator", "archive"),
                                    "--decoders", SOURCE + "/rules/decoders", "--suppress", "0s", "--json").stdout)
    raised = max(rule["raised"] for rule in said["rules"])
    if said["lines"] != lines or raised != len(range(0, lines, EVERY)):
        raise Failure(f"backtest: {said['lines']} of {lines} lines, {raised} alerts")
    counted = json.loads(world.haidang("status", "--run-dir", world.run_dir, "--rules", "--json").stdout)
    if counted[0]["title"] != f"Accepted {RELOADS}" or counted[0]["hits"] != raised or counted[0]["alerts"] != raised:
        raise Failure(f"status --rules: {counted[0]}")


def reload_under_load():
    """The longest pause of detection, in microseconds; all else must hold."""
    with World() as world:
        world.make_ca()
        log = world.write("in.log", "")
        local = write_rules(world, 0)
        library = PUBLIC if os.path.isdir(PUBLIC) else SOURCE + "/rules/library"
        correlator = install.run_correlator(world, install.correlator_config(
            world, library=library, extra=f"  keep_going: yes\n  local: {local}\nsuppress: {{window: 0s}}\n"
                                          "noisy: {rate: 0}\n"))
        wait_until("correlator up", lambda: world.status("correlator"))
        install.agent(world, install.file_source(log, start="begin"))
        writer = Writer(world, log)
        wait_until("load", lambda: examined(world) > 0)
        for version in range(1, RELOADS + 1):
            reload(world, correlator, version)
        lines = writer.end()
        wait_until("all examined", lambda: examined(world) >= lines, 900)
        due = len(range(0, lines, EVERY))
        wait_until("all published", lambda: world.metric("correlator", "alerts_published_total") >= due)
        if examined(world) != lines:
            raise Failure(f"{examined(world)} lines examined, {lines} written")
        check_alerts(world, lines)
        check_backtest(world, lines)
        rules = world.status("correlator")["rules"]["count"]
        pause = world.metric("correlator", "swap_pause_max_microseconds")
        print(f"     {RELOADS} reloads of {rules:,} rules while {lines:,} lines came: each examined once, {due:,} alerts "
              f"published once; longest pause of detection {pause} us")
        return pause


def test_reload_under_load():
    """A pause may be the machine's: who waits for a processor within it waits longer. Ours would come each time."""
    pauses = [reload_under_load()]
    while pauses[-1] > PAUSE_MAX_US and len(pauses) < ATTEMPTS:
        pauses.append(reload_under_load())
    if pauses[-1] > PAUSE_MAX_US:
        raise Failure(f"detection stood still for {pauses} us")


if __name__ == "__main__":
    main(test_reload_under_load)
