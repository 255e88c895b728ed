#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All three programs for a long time, under a load of all kinds: files that are renamed, syslog over UDP, TCP and
TLS whose senders come and go, SIGHUPs, rules that are exchanged. In the first third programs are killed or
exchanged now and then; in the rest they live, and neither their memory nor their descriptors may grow. In the end
every line is counted by its number, every alert, receipt and delivery by its id.
HD_SOAK=7200 seconds (default 60), HD_SOAK_RATE lines a second (default 100), HD_SEED (default 1)."""
import collections
import os
import random
import signal
import statistics
import threading
import time

import senders
from chain import PROGRAMS, RULE
from test_upgrade import check_numbers, make_chain, missing
from world import Failure, World, main, wait_until

SECONDS = float(os.environ.get("HD_SOAK", "60"))
RATE = int(os.environ.get("HD_SOAK_RATE", "100"))
SEED = int(os.environ.get("HD_SEED", "1"))
KEPT = 6  # renamed files that are not removed yet
SAMPLES = 400  # of each program, over the whole time
GROWTH = 4 << 20  # bytes that a program may grow by in the time in which it is watched, or ...
GROWTH_SHARE = 0.08  # ... this share of what it has
DESCRIPTORS = 4  # by which the usual number may differ
OTHER_RULE = RULE.replace("Obligation", "Another one").replace("mark", "nobody").replace("51111111", "52222222")

Sample = collections.namedtuple("Sample", "at pid rss fds cpu")


def look(pid, at):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        rss = int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return Sample(at, pid, rss, len(os.listdir(f"/proc/{pid}/fd")), cpu)


def slope(samples):
    """Bytes a second, as the line of least squares has it."""
    middle = statistics.fmean(s.at for s in samples)
    square = sum((s.at - middle) ** 2 for s in samples)
    return sum((s.at - middle) * s.rss for s in samples) / square if square else 0.0


class Soak:
    def __init__(self, world):
        self.world, self.chance = world, random.Random(SEED)
        self.chain = make_chain(world, {"file": "    rotated_keep: 2s\n", "agent": "spool_segment: 1MiB\n",
                                        # a table that fills for hours would look like a leak
                                        "detect": ", remember: 1024"})
        self.samples = {name: [] for name in PROGRAMS}
        self.did = collections.Counter()
        self.has_rule = False
        self.begin = time.monotonic()

    def start(self):
        self.chain.start_all()
        ports, rate = self.world.ports, max(50, RATE // 4)
        context = senders.client_context(self.world.path("ca", "ca.crt"))
        self.streams = [senders.Stream("T", ports["tcp"], rate=rate),
                        senders.Stream("L", ports["tls"], context, rate=rate)]
        self.senders = [senders.Datagrams("U", ports["udp"], rate=rate), *self.streams]
        for one in self.senders:
            one.start()
        self.begin = time.monotonic()

    def age(self):
        return time.monotonic() - self.begin

    # ---- what happens ----

    def rename(self):
        self.chain.rotate()
        old = self.world.path("logs", f"app.log.{self.chain.rotations - KEPT}")
        if os.path.exists(old):
            os.remove(old)

    def reconnect(self):
        self.chance.choice(self.streams).wants_end = True

    def reload(self):
        self.chain.processes[self.chance.choice(PROGRAMS)].popen.send_signal(signal.SIGHUP)

    def swap_rules(self):
        path = self.world.path("rules", "two.yml")
        if self.has_rule:
            os.remove(path)
        else:
            self.world.write("rules/two.yml", OTHER_RULE)
        self.has_rule = not self.has_rule
        self.chain.processes["correlator"].popen.send_signal(signal.SIGHUP)
        wait_until("the rules to be in force",
                   lambda: (self.world.status("correlator") or {}).get("rules", {}).get("count") == 1 + self.has_rule)

    def kill(self):
        """The agent is exchanged in order: what a killed one had read of a stream nobody would send again."""
        name = self.chance.choice(PROGRAMS)
        if name == "agent":
            self.chain.end(name)
        else:
            self.chain.kill(name)
        self.chain.start(name)
        self.chain.wait_up(name)

    def happen(self):
        is_young = self.age() < SECONDS / 3
        what = self.chance.choices((self.rename, self.reconnect, self.reload, self.swap_rules, self.kill),
                                   (4, 4, 2, 2, 6 if is_young else 0))[0]
        self.did[what.__name__] += 1
        what()

    # ---- the time ----

    def sample(self):
        for name in PROGRAMS:
            self.chain.check_running(name)
            pid = self.chain.processes[name].popen.pid
            self.samples[name].append(look(pid, self.age()))
        dead = [f"{one.kind}: {one.error}" for one in self.senders if one.error]
        if dead:
            raise Failure(f"a sender gave up: {dead}")

    def live(self):
        never = threading.Event()
        next_sample, next_event = 0.0, 2.0
        while self.age() < SECONDS:
            self.chain.write(max(1, RATE // 10))
            if self.age() >= next_event:
                self.happen()
                next_event = self.age() + self.chance.uniform(1, max(3, SECONDS / 150))
            if self.age() >= next_sample:
                self.sample()
                next_sample += SECONDS / SAMPLES
            never.wait(0.1)

    def end(self):
        for one in self.senders:
            one.stop()
        wait_until("all lines to be archived", lambda: not missing(self.world, self.senders))
        check_numbers(self.world, self.senders)
        return self.chain.drain()

    # ---- the judgement ----

    def judge(self, name):
        """One row of the table, and what is wrong with it."""
        pid = self.samples[name][-1].pid
        watched = [s for s in self.samples[name] if s.pid == pid and s.at > SECONDS / 2]
        rate = slope(watched)
        grown = rate * (watched[-1].at - watched[0].at)
        usual = statistics.median(s.rss for s in watched)
        fds = [s.fds for s in watched]
        half = len(fds) // 2
        gained = statistics.median(fds[half:]) - statistics.median(fds[:half])
        wrong = []
        if grown > max(GROWTH, GROWTH_SHARE * usual):
            wrong.append(f"{name} has grown by {grown / 1024:.0f} KiB")
        if gained > DESCRIPTORS:
            wrong.append(f"{name} has {gained:.0f} descriptors more")
        used = (watched[-1].cpu - watched[0].cpu) / (watched[-1].at - watched[0].at)
        row = (f"     {name:<11}{watched[0].rss >> 10:>9}{int(usual) >> 10:>9}{watched[-1].rss >> 10:>9}"
               f"{rate * 3600 / 1024:>12.0f}{min(fds):>6}{statistics.median(fds):>7.0f}{max(fds):>6}{100 * used:>8.2f}")
        return row, wrong

    def report(self, obligations):
        lines = {one.kind: one.sent for one in self.senders}
        print(f"     {SECONDS:.0f} s, seed {SEED}: lines of files {self.chain.lines}, of senders {lines}: each once; "
              f"obligations made {obligations:,}, broken 0\n     {dict(self.did)}, killed {self.chain.kills}, "
              f"connections {[one.connections for one in self.streams]}")
        print(f"     {'second half':<11}{'KiB then':>9}{'usual':>9}{'last':>9}{'KiB/hour':>12}{'fds':>6}{'usual':>7}"
              f"{'most':>6}{'% core':>8}")
        judged = [self.judge(name) for name in PROGRAMS]
        print("\n".join(row for row, _ in judged), flush=True)
        wrong = [words for _, more in judged for words in more]
        if wrong:
            raise Failure("; ".join(wrong))


def test_soak():
    with World() as world:
        soak = Soak(world)
        soak.start()
        try:
            soak.live()
        finally:
            for one in soak.senders:
                one.stopped.set()
        soak.report(soak.end())


if __name__ == "__main__":
    main(test_soak)
