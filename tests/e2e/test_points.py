#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each of the three programs is killed at named points (points.py), and is told there that a write was short, a
disk full or broken, a sync failed and its data gone; it is started again, and the oracle of chain.py judges.
HD_SCHEDULES (default 40) such accidents, 0 for every point once; HD_SEED (default 1) chooses which.
The long run: HD_SCHEDULES=5000 tests/e2e/test_points.py"""
import base64
import os
import random
import signal
import subprocess
import sys
import threading

import points
from chain import Chain
from world import BUILD, PATIENCE, SOURCE, Failure, World, main, skip, wait_until

sys.path.insert(0, os.path.join(SOURCE, "tests", "support"))
import tsa  # noqa: E402

SCHEDULES = int(os.environ.get("HD_SCHEDULES", "40"))
SEED = int(os.environ.get("HD_SEED", "1"))
LIBRARY = os.path.join(BUILD, "tests", "support", "libhd_test_fault.so")
JUDGE_EVERY = 20
BACKLOG = 1000  # lines: more come when so few are waiting
CHANGES = ("create", "write", "sync", "rename", "unlink", "truncate", "connect")
KEYS = {"agent": "spool_segment: 1MiB\n", "archive": "  segment_age: 200ms\n  write_once_min: 1h\n",
        "alerts": "  segment_age: 200ms\n",
        "receipts": "  segment_age: 200ms\ntimestamps: {enabled: yes}\nmirror: {dir: mirror, same_disk: yes, retry: 100ms}\n",
        "detect": ", warm_up: 0s",
        "correlator": "timestamps: {enabled: yes}\nmirror: {dir: mirror, same_disk: yes, retry: 100ms}\n"}


def stamped_chain(world):
    """With a time-stamping authority."""
    authority = tsa.Authority(world.path("tsa"))
    stamps = f"""
timestamp:
  url: {authority.serve()}
  ca: {authority.path("ca.crt")}
  dirs: [{world.path("correlator", "archive", "stamps")}]
  retry_first: 10ms
"""
    return Chain(world, dict(KEYS, receipts=KEYS["receipts"] + stamps))


class Accidents:
    """A chain whose programs meet one fault after another."""

    def __init__(self, world, chance):
        self.chain, self.chance, self.world = stamped_chain(world), chance, world
        self.met = self.refused = 0

    @property
    def fired(self):
        """Of this schedule alone: the fault of an earlier one may happen once more."""
        return self.world.path(f"fired{self.met}")

    def environment(self, point, nth, times):
        return dict(os.environ, LD_PRELOAD=LIBRARY, HD_FAULT_FIRED=self.fired,
                    HD_FAULT=f"{point.row.call} {point.row.pattern} {nth} {times} {point.action}")

    def has_fired(self):
        return os.path.exists(self.fired)

    def load(self, when):
        """Lines, and alerts among them; many bytes that do not compress, where files must get full."""
        if when == points.BIG:
            for _ in range(400):
                self.chain.write(1, base64.b64encode(self.chance.randbytes(3000)).decode())
        else:
            self.chain.write(self.chance.randrange(21, 40))

    def provoke(self, point, process):
        """Goes on until the fault has happened."""
        quiet = threading.Event()

        def is_over():
            if self.has_fired() or not process.is_running():
                return True
            if point.row.when in (points.LOAD, points.BIG) and self.chain.backlog() < BACKLOG:
                self.load(point.row.when)
            quiet.wait(0.1)  # a segment must have an age before another is begun
            return False

        if point.row.when == points.END:
            self.load(points.LOAD)
            wait_until("it has something to keep", lambda: is_over() or self.chain.is_quiet())
            if process.is_running():
                process.popen.send_signal(signal.SIGTERM)
        wait_until("the fault to happen", is_over)
        if not self.has_fired():
            raise Failure("it ended before the fault:\n  " + "\n  ".join(process.lines[-15:]))

    def meet(self, point):
        is_often = point.row.when == points.LOAD and point.row.call in ("write", "sync", "read")
        nth = self.chance.choice((1, 1, 2, 3)) if is_often else 1
        self.met_at(point, nth, 1 if is_kill(point) else self.chance.choice((1, 1, 2, 4)))

    def met_at(self, point, nth, times):
        """The program, started with the fault in its way, meets it. It may have ended then."""
        chain, name = self.chain, point.row.program
        if name in chain.processes:
            chain.kill(name)
        process = chain.start(name, self.environment(point, nth, times))
        self.provoke(point, process)
        self.met += 1
        if is_kill(point) or point.row.when == points.END:
            process.popen.wait(timeout=PATIENCE)
        wait_until("it is up or has ended", lambda: not process.is_running() or self.world.status(name))
        if not process.is_running():
            self.after_end(point, process)
            chain.kills += is_kill(point)
            chain.bury(name)

    def after_end(self, point, process):
        process.reader.join()
        code = process.popen.returncode
        if is_kill(point):
            expected = code == -signal.SIGKILL
        else:
            self.refused += 1
            is_refusal = code > 0 and any("ERROR" in line for line in process.lines)
            expected = is_refusal or (point.row.when == points.END and code == 0)
        if not expected:
            raise Failure(f"ended with {code}:\n  " + "\n  ".join(process.lines[-15:]))

    def told(self, point):
        """Meets it; what fails says where."""
        try:
            self.meet(point)
        except (Failure, subprocess.TimeoutExpired) as failure:
            raise Failure(f"HD_SEED={SEED}: {name_of(point)}: {failure}") from failure


def is_kill(point):
    return point.action in ("before", "after", "torn")


def name_of(point):
    return f"{point.row.program} {point.row.call} {point.row.pattern} {point.action} ({point.row.when})"


def chosen(chance):
    """All once; or so many of them, in an order of chance, again when there are not enough."""
    everything = [p for p in points.kill_points() + points.error_points() if p.row.when != points.FIRST]
    chance.shuffle(everything)
    count = SCHEDULES or len(everything)
    return [everything[i % len(everything)] for i in range(count)]


def need_library():
    if not os.path.exists(LIBRARY):
        skip(f"not built: {LIBRARY}")


def test_first_start():
    """Killed at each point of the very first start: the next one finds what is half made, and goes on."""
    need_library()
    with World() as world:
        accidents = Accidents(world, random.Random(SEED))
        for name in ("correlator", "forwarder", "agent"):
            first = [p for p in points.kill_points() if p.row.when == points.FIRST and p.row.program == name]
            for point in first:
                accidents.told(point)
            accidents.chain.start(name)
            accidents.chain.wait_up(name)
        accidents.chain.write(100)
        obligations = accidents.chain.drain()
        print(f"     points {accidents.met}, obligations made {obligations:,}, broken 0")


def test_points():
    need_library()
    chance = random.Random(SEED)
    with World() as world:
        accidents = Accidents(world, chance)
        chain = accidents.chain
        chain.start_all()
        recent = []
        for point in chosen(chance):
            recent.append(name_of(point))
            accidents.told(point)
            if point.row.program not in chain.processes:
                chain.start(point.row.program)
            if len(recent) == JUDGE_EVERY:
                judge(chain, recent)
        obligations = judge(chain, recent)
        wait_until("the mirror to hold all", chain.is_mirrored)
        print(f"     named points {len(points.kill_points())} to be killed at and {len(points.error_points())} errors; "
              f"schedules {accidents.met}, kills {chain.kills}, obligations made {obligations:,}, broken 0, seed {SEED}")


def test_file_that_cannot_be_read():
    """At a start it is not taken for another file; later it is read again without having to change."""
    need_library()
    row = next(r for r in points.TABLE if r.program == "agent" and r.pattern == "*/logs/app.log")
    with World() as world:
        accidents = Accidents(world, random.Random(SEED))
        accidents.chain.start_all()
        for nth in (1, 2, 3, 4):
            accidents.chain.write(50)
            accidents.chain.drain()
            accidents.met_at(points.Point(row, "eio"), nth, 1)
            accidents.chain.drain()


def test_table():
    """Whatever the programs do to a disk or a peer is in the table: nothing new can come untested."""
    need_library()
    with World() as world:
        chain = stamped_chain(world)
        for _ in range(2):
            for name in ("correlator", "forwarder", "agent"):
                chain.start(name, dict(os.environ, LD_PRELOAD=LIBRARY, HD_FAULT_TRACE=world.path(f"{name}.trace")))
                chain.wait_up(name)
            chain.write(100)
            chain.drain()
            for name in ("agent", "correlator", "forwarder"):
                chain.end(name)
        for name in ("correlator", "forwarder", "agent"):
            with open(world.path(f"{name}.trace"), encoding="utf-8") as file:
                calls = {tuple(line.rstrip("\n").split(" ", 1)) for line in file}
            changes = [(call, path) for call, path in calls
                       if call in CHANGES and (path == "tcp" or path.startswith(world.dir))]
            unknown = [f"{call} {path}" for call, path in changes if not points.is_known(name, call, path)]
            if unknown or not changes:
                raise Failure(f"not in the table of points.py, for {name}: {unknown}")


def judge(chain, recent):
    try:
        obligations = chain.drain()
    except Failure as failure:
        raise Failure(f"HD_SEED={SEED}: {failure}\n  after: " + "\n  ".join(recent)) from failure
    recent.clear()
    return obligations


if __name__ == "__main__":
    main(test_table, test_first_start, test_file_that_cannot_be_read, test_points)
