#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the real programs: agent to durable archive over mTLS, the whole path with the shipped
rules, memory, idle cost, latency from line to alert.
usage: tests/bench/path.py [archive] [whole] [memory] [idle] [latency]      default: all
HD_BENCH_LINES (default 3,000,000) lines of 200 bytes. Prints one line a figure."""
import os
import resource
import shutil
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from world import SOURCE, World, wait_until  # noqa: E402
from chain import PROGRAMS, Chain  # noqa: E402
import install  # noqa: E402

LINES = int(os.environ.get("HD_BENCH_LINES", "3000000"))
TICK = os.sysconf("SC_CLK_TCK")

ORDINARY = ("<86>Nov 21 {t} web{h:02d} systemd[1]: Started session-{n}.scope - Session {n} of user backup, "
            "slice user-1000.slice, cgroup unified, memory accounting on, tasks limit 4915")
FAILED = "<86>Nov 21 {t} web{h:02d} sshd[{p}]: Failed password for invalid user u{n} from 203.0.113.{a} port {q} ssh2"


def line(n, length=200):
    clock = f"{n // 3600 % 24:02d}:{n // 60 % 60:02d}:{n % 60:02d}"
    text = ORDINARY.format(t=clock, h=n % 20, n=n) if n % 50 else \
        FAILED.format(t=clock, h=n % 20, p=n % 30000, n=n, a=n % 250, q=20000 + n % 40000)
    return (text + " " + "x" * length)[:length - 1]


def write_lines(path, count):
    with open(path, "w", encoding="ascii") as file:
        for start in range(0, count, 20000):
            file.write("\n".join(line(n) for n in range(start, min(start + 20000, count))) + "\n")


def usage(process):
    """CPU seconds and peak resident MB of a running process."""
    pid = process.popen.pid
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        status = dict(row.split(":", 1) for row in file.read().split("\n") if ":" in row)
    return ((int(fields[11]) + int(fields[12])) / TICK, int(status["VmHWM"].split()[0]) / 1024,
            int(status["VmRSS"].split()[0]) / 1024)


def flow(rules, what):
    """From files that are there at start to everything durable (and, with rules, detected)."""
    with World() as world:
        world.make_ca()
        write_lines(world.path("in.log"), LINES)
        correlator = install.correlator(world, rules=rules)
        wait_until("correlator up", lambda: world.status("correlator"))
        begin = time.monotonic()
        agent = install.agent(world, sources=install.file_source(world.path("in.log"), start="begin"))
        wait_until("archived", lambda: archived(world) >= LINES, 600)
        stored = time.monotonic() - begin
        if rules:
            wait_until("detected", lambda: world.status("correlator")["detect"]["lines"] >= LINES, 600)
        total = time.monotonic() - begin
        a_cpu, a_peak, _ = usage(agent)
        c_cpu, c_peak, _ = usage(correlator)
        million = LINES / 1e6
        print(f"{what}: {LINES / total:,.0f} lines/s ({LINES:,} lines of 200 bytes in {total:.1f} s; archived after "
              f"{stored:.1f} s); CPU-seconds per million: agent {a_cpu / million:.2f}, correlator {c_cpu / million:.2f}; "
              f"peak memory: agent {a_peak:.1f} MB, correlator {c_peak:.0f} MB", flush=True)


def archived(world):
    status = world.status("correlator")
    return sum(a["lines"] for a in status["agents"]) if status else 0


def memory():
    """Resident before there is anything to do, and at most while a twentieth of the lines raise alerts that a centre takes."""
    with World() as world:
        chain = Chain(world)
        shutil.copytree(os.path.join(SOURCE, "rules", "library"), world.path("rules"), dirs_exist_ok=True)
        chain.start_all()
        wait_until("connected", lambda: (world.status("agent") or {}).get("uplink", {}).get("state") == "connected")
        before = {name: usage(chain.processes[name])[2] for name in PROGRAMS}
        for _ in range(100):
            chain.write(1000, "x" * 120)
        wait_until("every alert delivered", chain.is_quiet, 600)
        for name in PROGRAMS:
            print(f"memory: {name} {before[name]:.1f} MB idle, {usage(chain.processes[name])[1]:.1f} MB at most with "
                  f"{chain.lines:,} lines and {len(chain.at_centre()):,} alerts delivered", flush=True)


def idle():
    with World() as world:
        world.make_ca()
        log = world.write("in.log", "")
        install.correlator(world, rules=True)
        wait_until("correlator up", lambda: world.status("correlator"))
        agent = install.agent(world, sources=install.file_source(log, start="begin"))
        wait_until("connected", lambda: (world.status("agent") or {}).get("uplink", {}).get("state") == "connected")
        _, _, rss = usage(agent)
        print(f"idle: agent resident {rss:.1f} MB", flush=True)
        before, _, _ = usage(agent)
        seconds, rate = 20, 1000
        with open(log, "a", encoding="ascii") as file:
            begin = time.monotonic()
            for n in range(seconds * rate):
                file.write(line(n) + "\n")
                if n % 10 == 9:
                    file.flush()
                    pause = begin + (n + 1) / rate - time.monotonic()
                    if pause > 0:
                        time.sleep(pause)
        wait_until("archived", lambda: archived(world) >= seconds * rate)
        after, peak, _ = usage(agent)
        print(f"1,000 lines/s: agent {100 * (after - before) / seconds:.2f} % of a core, peak {peak:.1f} MB", flush=True)


def latency():
    """p50, p99 from a line written to its alert on an analyst's `haidang tail`, at 10,000 lines/s."""
    with World() as world:
        world.make_ca()
        log = world.write("access.log", "")
        install.correlator(world, rules=True, extra="suppress: {window: 0s}")
        wait_until("correlator up", lambda: world.status("correlator"))
        install.agent(world, sources=install.file_source(log, start="begin"))
        tail = install.tail(world)
        written, seconds, rate = {}, 20, 10000
        done = threading.Event()

        def write():
            with open(log, "a", encoding="ascii") as file:
                begin = time.monotonic()
                for n in range(seconds * rate):
                    if n % 1000 == 500:
                        key = f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
                        file.write(f'{key} - - [{time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())}] '
                                   '"GET /a/../../../../etc/passwd HTTP/1.1" 400 12 "-" "curl/8"\n')
                        written[key] = time.monotonic()
                    else:
                        file.write(line(n) + "\n")
                    if n % 100 == 99:
                        file.flush()
                        pause = begin + (n + 1) / rate - time.monotonic()
                        if pause > 0:
                            time.sleep(pause)
            done.set()

        seen = install.AlertClock(tail, lambda alert: alert.get("source", {}).get("ip"))
        threading.Thread(target=write).start()
        done.wait()
        wait_until("every alert", lambda: all(k in seen.at for k in written), 30)
        took = sorted(seen.at[k] - written[k] for k in written)
        print(f"latency at {rate:,} lines/s: p50 {statistics.median(took) * 1000:.0f} ms, "
              f"p99 {took[int(len(took) * 0.99)] * 1000:.0f} ms, max {took[-1] * 1000:.0f} ms over {len(took)} alerts", flush=True)


def main():
    benches = {"archive": lambda: flow(False, "agent to archive, mTLS"),
               "whole": lambda: flow(True, "whole path, shipped rules"), "memory": memory, "idle": idle,
               "latency": latency}
    chosen = sys.argv[1:] or list(benches)
    for name in chosen:
        if name not in benches:
            sys.exit(f"usage: {sys.argv[0]} [{'] ['.join(benches)}]")
        benches[name]()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"(the benchmark itself: {peak:.0f} MB)")


if __name__ == "__main__":
    main()
