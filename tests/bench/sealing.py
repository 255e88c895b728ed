#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which part of the processor time of intake sealing and signing take: what bench_seal finds for a gigabyte on disk,
of the archive that lines make, against what the agent and the correlator need for those lines (mTLS, no rules).
usage: tests/bench/sealing.py      HD_BENCH_LINES (default 1,000,000) lines, HD_BENCH_ROUNDS (default 5) rounds in turn
Twice: lines that are mostly alike, and lines of words in no order, which are hard to compress: more to be sealed."""
import os
import statistics
import subprocess

from path import archived, usage, write_lines
from peers_durable import LINES, make_lines
from world import BUILD, World, wait_until
import install

ROUNDS = int(os.environ.get("HD_BENCH_ROUNDS", "5"))


def write_words(path, _):
    with open(path, "wb") as file:
        file.write(make_lines())


def intake(write):
    """CPU seconds of the agent and of the correlator, GB of the archive."""
    with World() as world:
        world.make_ca()
        write(world.path("in.log"), LINES)
        correlator = install.correlator(world, rules=False)
        agent = install.agent(world, sources=install.file_source(world.path("in.log"), start="begin"))
        wait_until("archived", lambda: archived(world) >= LINES, 600)
        wait_until("examined", lambda: world.status("correlator")["detect"]["lines"] >= LINES, 600)
        return usage(agent)[0], usage(correlator)[0], world.status("correlator")["archive"]["bytes"] / 1e9


def sealing():
    """CPU seconds per GB."""
    done = subprocess.run([os.path.join(BUILD, "tests", "bench", "bench_seal"), "256", "3"], capture_output=True, text=True,
                          check=True)
    return float(done.stdout.strip().split("\n")[-1].split()[1])


def report(what, write):
    rows = [(*intake(write), sealing()) for _ in range(ROUNDS)]
    agent, correlator, size, per_gb = (statistics.median(column) for column in zip(*rows))
    million = LINES / 1e6
    cost = per_gb * size
    print(f"{LINES:,} lines of 200 bytes, {what}, {ROUNDS} rounds, medians of CPU-s per million lines: agent {agent / million:.3f}, "
          f"correlator {correlator / million:.3f}, of which sealing and signing {cost / million:.4f} "
          f"({1000 * size / million:.1f} MB of archive at {per_gb:.3f} CPU-s per GB)")
    print(f"  sealing and signing: {100 * cost / (agent + correlator):.2f} % of intake (both ends), "
          f"{100 * cost / correlator:.2f} % of the correlator alone", flush=True)


def main():
    report("mostly alike", write_lines)
    report("words in no order", write_words)


if __name__ == "__main__":
    main()
