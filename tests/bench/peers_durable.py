#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Durable intake of haidang, rsyslog and syslog-ng: the same lines over the same kind of connection, in one run, in turn.
usage: tests/bench/peers_durable.py [queue] [whole] [tls] [relay] [central] [syncs]      default: all

  queue     into the queue on disk, nobody to pass them on to
  whole     into the store behind the queue; tls: the same with TLS into the queue
  relay     the taking process is killed (SIGKILL) midway and started again: accepted lines that are not stored
  central   the storing process is killed midway and started again: the same
  syncs     how often the taking process asks the disk to make data durable

HD_BENCH_LINES (default 1,000,000) lines of 200 bytes, for HD_BENCH_SECONDS (default 20) at most, HD_BENCH_ROUNDS
(default 3) rounds; medians. HD_BENCH_ONLY=word takes only those contenders whose name holds it.
Accepted is what the process has read from its connection: what the sender's kernel took less what
stands in the two kernels' buffers when the process is stopped, just before it is killed. Lost are those of them that
in the end are neither stored nor in the queue."""
import os
import random
import re
import shutil
import signal
import statistics
import sys
import time

import durable_peers
from durable_peers import NUMBER
from path import usage
from senders import Flood, unread
from world import Failure, World, wait_until

LINE = 200
LINES = int(os.environ.get("HD_BENCH_LINES", "1000000"))
SECONDS = float(os.environ.get("HD_BENCH_SECONDS", "20"))
ROUNDS = int(os.environ.get("HD_BENCH_ROUNDS", "3"))
QUIET = 2.0  # seconds without a write after which nothing more is expected
PATIENCE = 60.0
SYNCS = "fsync,fdatasync,msync,sync_file_range"


def make_lines():
    """Words in no order, so that they are worth their bytes; each line has its number."""
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 9))) for _ in range(500)]
    texts = [(" ".join(rng.choices(words, k=40)))[:LINE] for _ in range(5000)]
    head = "<13>Nov 21 07:50:37 web1 app[7]: n{:08d}z "
    return "".join((head.format(n) + texts[n * 7919 % len(texts)])[:LINE - 1] + "\n" for n in range(LINES)).encode()


def last_write(directories):
    """Nanoseconds since 1970 of the latest write to a file below."""
    latest = 0
    for directory in directories:
        for root, _, names in os.walk(directory):
            for name in names:
                try:
                    latest = max(latest, os.stat(os.path.join(root, name)).st_mtime_ns)
                except FileNotFoundError:
                    pass
    return latest


def settle(directories, is_done=lambda: True, seconds=PATIENCE):
    """Until there was no write for a while and the rest is done, or so many seconds; when the last change was."""
    begin = since = time.monotonic()
    seen = None
    while time.monotonic() - begin < seconds:
        now = last_write(directories)
        if now != seen or not is_done():
            seen, since = now, time.monotonic()
        elif time.monotonic() - since >= QUIET:
            break
        time.sleep(0.02)
    return since - begin


def numbers(data):
    return [int(n) for n in NUMBER.findall(data)]


# ---- speed ----

def flow(kind, data, is_whole, is_tls):
    """Lines/s on disk, lines taken, lines on disk, CPU seconds per million of these, peak MB."""
    with World() as world:
        one = kind(world, is_tls)
        if is_whole:
            one.start_central()
        one.start_relay()
        sender = Flood(one.port, data, SECONDS, is_tls)
        sender.start()
        took = settle([one.store_dir() if is_whole else one.queue_dir()],
                      lambda: not sender.is_alive() and unread(one.port) == 0, SECONDS)
        used = [usage(p) for p in (one.relay, one.central) if p]
        taken = sender.sent // LINE - unread(one.port) // LINE
        found = len(set(numbers(one.stored() if is_whole else one.queued())))
        sender.stop()
        one.kill()
        return (found / took, taken, found, 1e6 * sum(u[0] for u in used) / max(found, 1), sum(u[1] for u in used))


def compare(kinds, data, title, is_whole, is_tls):
    print(f"\n{title}:", flush=True)
    results = {kind: [] for kind in kinds}
    for _ in range(ROUNDS):
        for kind in kinds:
            results[kind].append(flow(kind, data, is_whole, is_tls))
    rows = {kind: [statistics.median(column) for column in zip(*results[kind])] for kind in kinds}
    ours = rows[kinds[0]]
    for kind, (rate, taken, found, cpu, peak) in rows.items():
        ratio = f"{ours[0] / rate:,.1f}" if rate else "-"
        print(f"  {kind.name:24} {rate:>9,.0f} lines/s on disk ({found:>9,.0f} of {taken:>9,.0f} taken)   {cpu:>8.2f} "
              f"CPU-s per million   {peak:>5.0f} MB peak   {kinds[0].name}: {ratio} x as fast", flush=True)


# ---- losses ----

def midway(sender):
    """Until half of the lines, or of the time, is over."""
    end = time.monotonic() + SECONDS / 2
    while sender.sent < len(sender.data) / 2 and time.monotonic() < end:
        time.sleep(0.002)


def judge(one, accepted):
    """Lines accepted, of them neither stored nor still in the queue, stored twice; once nothing moves any more."""
    settle([one.store_dir(), one.queue_dir()], lambda: unread(one.central_port) == 0)
    stored = numbers(one.stored())
    kept = set(stored) | set(numbers(one.queued()))
    one.kill()
    return accepted, sum(1 for n in range(accepted) if n not in kept), len(stored) - len(set(stored))


def kill_relay(kind, data):
    with World() as world:
        one = kind(world, is_to_be_killed=True)
        one.start_central()
        one.start_relay()
        sender = Flood(one.port, data, SECONDS, False)
        sender.start()
        midway(sender)
        one.relay.popen.send_signal(signal.SIGSTOP)
        sender.halt()
        accepted = (sender.sent - unread(one.port)) // LINE
        one.relay.kill()
        sender.stop()
        one.start_relay()
        return judge(one, accepted)


def kill_central(kind, data):
    with World() as world:
        one = kind(world, is_to_be_killed=True)
        one.start_central()
        one.start_relay()
        sender = Flood(one.port, data, SECONDS, False)
        sender.start()
        midway(sender)
        one.central.kill()
        one.start_central()
        sender.join()
        accepted = sender.sent // LINE - unread(one.port) // LINE - 1  # one more may be half read
        settle([one.store_dir(), one.queue_dir()], lambda: unread(one.port) == 0, SECONDS)
        sender.stop()
        return judge(one, accepted)


def kills(kinds, data, title, kill):
    print(f"\n{title}:", flush=True)
    for kind in kinds:
        accepted, lost, double = kill(kind, data)
        print(f"  {kind.name:24} {accepted:>9,} lines accepted, {lost:>8,} lost, {double:>8,} stored twice", flush=True)


# ---- syncs ----

def syncs(kinds, data):
    print(f"\ncalls of {SYNCS} by the taking process, nobody to pass on to:", flush=True)
    if shutil.which("strace") is None:
        print("  (strace is not installed)")
        return
    for kind in kinds:
        with World() as world:
            one = kind(world)
            one.start_relay()
            log = world.path("strace.log")
            tracer = world.start("strace", ["strace", "-f", "-e", f"trace={SYNCS}", "-o", log, "-p",
                                            str(one.relay.popen.pid)])
            tracer.wait_line("attached")
            sender = Flood(one.port, data, SECONDS, False)
            sender.start()
            settle([one.queue_dir()], lambda: not sender.is_alive() and unread(one.port) == 0, SECONDS)
            tracer.kill(signal.SIGINT)
            calls, lines = count_calls(log), sender.sent // LINE - unread(one.port) // LINE
            sender.stop()
            one.kill()
            print(f"  {kind.name:24} {calls:>9,} for {lines:>9,} lines: {1000 * calls / lines:>8.2f} per 1,000 lines", flush=True)


def count_calls(log):
    with open(log, encoding="utf-8", errors="replace") as file:
        return sum(1 for line in file if re.search(r"\b(fsync|fdatasync|msync|sync_file_range)\(", line))


def main():
    only = os.environ.get("HD_BENCH_ONLY", "")
    kinds = [k for k in durable_peers.ALL if only in k.name]
    data = make_lines()
    benches = {
        "queue": lambda: compare(kinds, data, "into the queue on disk", False, False),
        "whole": lambda: compare(kinds, data, "through the queue into the store", True, False),
        "tls": lambda: compare(kinds, data, "the same with TLS into the queue", True, True),
        "relay": lambda: kills(kinds, data, "the taking process killed midway", kill_relay),
        "central": lambda: kills(kinds, data, "the storing process killed midway", kill_central),
        "syncs": lambda: syncs(kinds, data)}
    chosen = sys.argv[1:] or list(benches)
    if not kinds or any(name not in benches for name in chosen):
        sys.exit(f"usage: {sys.argv[0]} [{'] ['.join(benches)}]")
    print(f"{LINES:,} lines of {LINE} bytes at most {SECONDS:g} s, {ROUNDS} rounds in turn, medians")
    for kind in kinds:
        print(f"  {kind.name}: {kind.configuration}")
    for name in chosen:
        benches[name]()


if __name__ == "__main__":
    main()
