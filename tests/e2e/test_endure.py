#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Long and odd times: a correlator that nobody reaches, one that hardly moves, clocks that jump by a day, disks
that are full, have no inodes or become read-only and get well again. The oracle of chain.py judges each.
HD_E2E_LINES (default 30,000) lines are written while the correlator is away."""
import contextlib
import os
import signal
import struct

from chain import Chain
from faults_disk import Mount
from test_points import LIBRARY, need_library
from world import Failure, NotRun, World, main, wait_until

LINES = int(os.environ.get("HD_E2E_LINES", "30000"))
DAY = 86400
JOURNALS = {"agent": "agent1/spool", "correlator": "correlator/archive", "forwarder": "forwarder/receipts"}
KEYS = {"agent": "spool_segment: 1MiB\n", "archive": "  segment: 1MiB\n  segment_age: 200ms\n",
        "alerts": "  segment_age: 200ms\n", "receipts": "  segment_age: 200ms\n"}


def report(chain, what):
    print(f"     {what}: obligations made {chain.drain():,}, broken 0", flush=True)


def test_unreachable_correlator():
    """The agent takes everything while nobody answers, is killed meanwhile, and then gives all of it away."""
    with World() as world:
        chain = Chain(world, KEYS)
        chain.start_all()
        chain.kill("correlator")
        for part in range(10):
            chain.write(LINES // 10)
            chain.rotate()
            if part == 5:
                chain.kill("agent")
                chain.start("agent")
        wait_until("the spool to hold all lines",
                   lambda: (world.status("agent") or {"spool": {"lines": 0}})["spool"]["lines"] >= chain.lines)
        chain.start("correlator")
        report(chain, f"{chain.lines:,} lines in the spool of an agent that was alone")


@contextlib.contextmanager
def stopped(process):
    process.popen.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.popen.send_signal(signal.SIGCONT)


def test_slow_correlator():
    """It stands still again and again, for longer than the agent's patience: connections end, and begin anew."""
    with World() as world:
        chain = Chain(world, dict(KEYS, uplink="\n  ack_timeout: 1s"))
        chain.start_all()
        for turn in range(3):
            with stopped(chain.processes["correlator"]):
                chain.write(2000)
                wait_until("the agent to lose its patience",
                           lambda: world.status("agent")["uplink"]["state"] != "connected")
            wait_until("some lines to be archived", lambda t=turn: chain.backlog() < 2000 * (t + 1))
        report(chain, "stopped 3 times")


def test_clock_steps():
    """A day forth and back, for one program after the other, under load."""
    need_library()
    with World() as world:
        chain = Chain(world, KEYS)
        clocks = {name: world.path(f"{name}.clock") for name in ("correlator", "forwarder", "agent")}
        for name, path in clocks.items():
            step(path, 0)
            chain.start(name, dict(os.environ, LD_PRELOAD=LIBRARY, HD_FAULT_CLOCK=path))
            chain.wait_up(name)
        for seconds in (DAY, 0, -DAY, 0):
            for path in clocks.values():
                chain.write(100)
                step(path, seconds)
                chain.write(100)
                chain.drain()
        report(chain, "clocks stepped 12 times by a day")


def step(path, seconds):
    with open(path, "r+b" if os.path.exists(path) else "w+b") as file:
        file.write(struct.pack("=q", seconds))


def is_degraded(world, name):
    status = world.status(name)
    return status is not None and status["state"] == "degraded"


def ill_disk(name, options, harm, heal):
    """The journal of one program on a disk of its own, which is harmed and gets well again under load."""
    with World() as world:
        chain = Chain(world, KEYS)
        with Mount(world, JOURNALS[name], options) as disk:
            if not disk.is_mounted:
                raise NotRun("a file system cannot be mounted here")
            if name == "agent":
                os.chmod(world.path("agent1"), 0o700)
            chain.start_all()
            chain.write(200)
            chain.drain()
            harm(disk)

            def is_hurt():
                if chain.backlog() < 2000:
                    chain.write(40)
                return is_degraded(world, name)

            wait_until("the trouble to be in the status", is_hurt)
            heal(disk)
            report(chain, f"{JOURNALS[name]} was ill")
            wait_until("all to be well", lambda: not is_degraded(world, name))
            for one in ("agent", "forwarder", "correlator"):
                chain.end(one)


def test_full_disks():
    for name in JOURNALS:
        ill_disk(name, "16m", lambda disk: disk.fill(leave=0), lambda disk: disk.empty())


def use_inodes(disk):
    """Takes all that are left."""
    for n in range(100000):
        try:
            os.close(os.open(os.path.join(disk.path, f"taken{n}"), os.O_CREAT | os.O_WRONLY))
        except OSError:
            return
    raise Failure("there are no bounds to the inodes here")


def free_inodes(disk):
    for name in os.listdir(disk.path):
        if name.startswith("taken"):
            os.remove(os.path.join(disk.path, name))


def test_no_inodes():
    for name in ("correlator", "forwarder"):
        ill_disk(name, "64m,nr_inodes=400", use_inodes, free_inodes)


def test_read_only():
    """As after an error of the disk: every change is refused, then the file system is writable again."""
    need_library()
    with World() as world:
        chain = Chain(world, KEYS)
        chain.start_all()
        for name, directory in JOURNALS.items():
            chain.kill(name)
            flag = world.path(f"{name}.read-only")
            chain.start(name, dict(os.environ, LD_PRELOAD=LIBRARY, HD_FAULT_READ_ONLY=flag,
                                   HD_FAULT_BELOW=world.path(directory)))
            chain.wait_up(name)
            world.write(f"{name}.read-only", "")

            def is_hurt(one=name):
                if chain.backlog() < 2000:
                    chain.write(40)
                return is_degraded(world, one)

            wait_until("the trouble to be in the status", is_hurt)
            os.remove(flag)
            report(chain, f"{directory} was read-only")


if __name__ == "__main__":
    main(test_unreachable_correlator, test_slow_correlator, test_clock_steps, test_full_disks, test_no_inodes,
         test_read_only)
