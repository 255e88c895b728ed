#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Correlations of the real correlator go on over kills, restarts and reloads of other rules: attacks that are
stretched over all of them raise their one alert each, with the number that a correlator nobody touched would say.
HD_STATE_ACCIDENTS=100 for more of them, HD_SEED=n for another sequence. The thousands of schedules are in
tests/crash/test_survive.c; here the processes are real."""
import collections
import json
import os
import random
import signal

import install
from world import Failure, World, main, wait_until

ACCIDENTS = int(os.environ.get("HD_STATE_ACCIDENTS", "8"))
SEED = int(os.environ.get("HD_SEED", "1"))
SOURCES = 60
NEEDED = 12

RULES = """
title: Failed
name: failed
status: test
logsource: {product: linux, service: sshd}
detection: {s: {event.action: ssh-login, event.outcome: failure}, condition: s}
level: low
---
title: Guessing
name: guessing
status: test
correlation: {type: event_count, rules: [failed], group-by: [source.ip], timespan: 12h, condition: {gte: %d}}
level: high
""" % NEEDED
OTHER = """---
title: Other {n}
name: other{n}
status: test
logsource: {{product: linux, service: sshd}}
detection: {{s: {{event.outcome: failure, user.name: nobody{n}}}, condition: s}}
level: low
---
title: Others {n}
name: others{n}
status: test
correlation: {{type: event_count, rules: [other{n}], group-by: [user.name], timespan: 1h, condition: {{gte: 2}}}}
level: low
"""


class Attack:
    """Lines of all sources in random order, a part at a time."""

    def __init__(self, chance):
        self.due = [source for source in range(SOURCES) for _ in range(NEEDED + chance.randrange(3))]
        chance.shuffle(self.due)
        self.total = len(self.due)

    def part(self, n):
        taken, self.due = self.due[:n], self.due[n:]
        return "".join(f"<38>Nov 21 07:50:37 web1 sshd[812]: Failed password for root from 203.0.113.{source} port 4022 ssh2\n"
                       for source in taken)


class Centre:
    def __init__(self, world, chance):
        self.world, self.chance, self.version = world, chance, 0
        local = self.write_rules()
        self.config = install.correlator_config(
            world, extra=f"  local: {local}\nsuppress: {{window: 0s}}\nnoisy: {{rate: 0}}\ndetect: {{snapshot: 1s}}\n")
        self.start()

    def start(self):
        self.process = install.run_correlator(self.world, self.config)

    def write_rules(self):
        self.version += 1
        return self.world.write("local.yml", RULES + "".join(OTHER.format(n=n) for n in range(self.version % 3)))

    def kill(self):
        self.process.kill()
        self.start()

    def restart(self):
        self.process.end()
        self.write_rules()
        self.start()

    def reload(self):
        before = self.world.metric("correlator", "reloads_total")
        self.write_rules()
        self.process.popen.send_signal(signal.SIGHUP)
        wait_until("reload", lambda: self.world.metric("correlator", "reloads_total") > before)

    def archived(self):
        return sum(1 for _ in self.world.archive_lines(self.world.path("correlator", "archive")))

    def is_done(self, total):
        status = self.world.status("correlator")
        return status and status["detect"]["lag_bytes"] == 0 and self.archived() == total


def guesses(world):
    out = world.haidang("tail", "--dir", world.path("correlator", "alerts"), "--all", "--no-follow", "--json").stdout
    return [alert for alert in map(json.loads, out.splitlines()) if alert["rule"]["title"] == "Guessing"]


def check(alerts):
    counts = collections.Counter(alert["group"]["source.ip"] for alert in alerts)
    if len(counts) != SOURCES or max(counts.values()) != 1:
        raise Failure(f"{len(counts)} of {SOURCES} attacks told, {sum(counts.values())} alerts")
    wrong = [alert["count"] for alert in alerts if alert["count"] != NEEDED]
    if wrong or len({alert["id"] for alert in alerts}) != SOURCES:
        raise Failure(f"counts {wrong}")


def test_attacks_stretched_over_accidents():
    chance = random.Random(SEED)
    with World() as world:
        world.make_ca()
        log = world.write("in.log", "")
        centre, attack = Centre(world, chance), Attack(chance)
        install.agent(world, install.file_source(log, start="begin"))
        done = collections.Counter()
        with open(log, "a", encoding="ascii") as file:
            for n in range(ACCIDENTS + 1):
                file.write(attack.part(attack.total // (ACCIDENTS + 1) + 1))
                file.flush()
                least = chance.randrange(attack.total - len(attack.due))
                wait_until("lines come", lambda: centre.archived() > least)  # pylint: disable=cell-var-from-loop
                if n < ACCIDENTS:
                    how = chance.choice(["kill", "kill", "restart", "reload"])
                    getattr(centre, how)()
                    done[how] += 1
        wait_until("everything is examined", lambda: centre.is_done(attack.total))
        wait_until("everything is told", lambda: len(guesses(world)) >= SOURCES)
        centre.process.end()
        check(guesses(world))
        print(f"     {attack.total} lines of {SOURCES} attacks, {done['kill']} kills, {done['restart']} restarts, "
              f"{done['reload']} reloads: each told once, with {NEEDED} lines; seed {SEED}")


if __name__ == "__main__":
    main(test_attacks_stretched_over_accidents)
