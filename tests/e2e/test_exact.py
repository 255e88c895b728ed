#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every line exactly once: files that are rotated meanwhile, a real rsyslog over TLS and a real
syslog-ng over TCP, while the correlator or the agent is killed three times. And how little of a
flood over TCP is lost with a killed agent, which nothing tells the sender.
HD_E2E_LINES (default 30,000) lines from each of the three; HD_E2E_FLOODS (default 2) agents killed in a flood."""
import collections
import os
import re
import signal
import threading

import install
from senders import Flood, unread
from world import Failure, World, find_port, main, wait_until

LINES = int(os.environ.get("HD_E2E_LINES", "30000"))
PATIENCE = 900 + LINES / 1000
ROTATIONS = 5
# what a killed agent had read of streams and not yet in its spool (COL_INTAKE_STREAM_MAX, and one read), in bytes
HELD = 2 << 20
# and what two kernels' socket buffers may hold, for one killed reader
IN_FLIGHT = (6 << 20) + (4 << 20) + HELD
FLOODS = int(os.environ.get("HD_E2E_FLOODS", "2"))
FLOOD_LINE = 200
FLOOD_LINES = 400000
LINE = "{}{:07d} the quick brown fox of Quảng Ngãi jumps over the lazy dog, and logs it at length: {}"
PADDING = "x" * 100


def text(kind, n):
    return LINE.format(kind, n, PADDING)


def write_rotating(world, gate):
    """Appends the lines of kind F; the file is renamed away and made anew several times."""
    path = world.path("logs", "app.log")
    part = LINES // ROTATIONS
    for turn in range(ROTATIONS):
        end = LINES if turn == ROTATIONS - 1 else (turn + 1) * part
        with open(path, "a", encoding="utf-8") as file:
            for start in range(turn * part, end, 500):
                file.write("".join(text("F", n) + "\n" for n in range(start, min(start + 500, end))))
                file.flush()
                gate(start / LINES)
        if turn < ROTATIONS - 1:
            for old in range(turn, 0, -1):
                os.rename(f"{path}.{old}", f"{path}.{old + 1}")
            os.rename(path, path + ".1")


def write_input(world, kind):
    path = world.path(f"{kind}.in")
    with open(path, "w", encoding="utf-8") as file:
        for start in range(0, LINES, 10000):
            file.write("".join(text(kind, n) + "\n" for n in range(start, min(start + 10000, LINES))))
    return path


RSYSLOG = """
global(workDirectory="{dir}" DefaultNetstreamDriver="ossl" DefaultNetstreamDriverCAFile="{dir}/ca/ca.crt"
       maxMessageSize="64k")
module(load="imfile")
input(type="imfile" File="{input}" Tag="gen:" ruleset="out" reopenOnTruncate="on")
template(name="line" type="string" string="<%PRI%>1 %TIMESTAMP:::date-rfc3339% %HOSTNAME% gen - - - %msg%")
ruleset(name="out" queue.type="linkedList" queue.size="200000") {{
  action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="line" TCP_Framing="octet-counted"
         StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="x509/certvalid"
         action.resumeRetryCount="-1" action.resumeInterval="1")
}}
"""

SYSLOG_NG = """
@version: 3.38
options {{ stats-freq(0); time-reopen(1); flush-lines(100); }};
source in {{ file("{input}" follow-freq(1) flags(no-parse) program-override("gen") log-iw-size(10000)); }};
destination out {{ network("127.0.0.1" port({port}) transport("tcp") log-fifo-size(20000)); }};
log {{ source(in); destination(out); flags(flow-control); }};
"""


def start_all(world):
    world.peer_env()  # says that it is skipped, before anything was started
    world.make_ca()
    os.mkdir(world.path("logs"))
    world.ports["tls"], world.ports["tcp"] = find_port(), find_port()
    world.sources = (install.file_source(world.path("logs", "app.log*"), start="begin") + "\n" +
                     install.syslog_source(world, "syslog-tls", world.ports["tls"]) + "\n" +
                     install.syslog_source(world, "syslog-tcp", world.ports["tcp"]))
    world.correlator_process = install.correlator(world)
    world.agent_process = install.agent(world, world.sources)
    wait_until("agent up", lambda: world.status("agent"))


def start_senders(world):
    """The writer goes on only as far as the kills let it, so that all of them come midway."""
    opened = threading.Condition()
    world.open_until = 0.0

    def gate(share):
        with opened:
            opened.wait_for(lambda: share <= world.open_until, timeout=PATIENCE)

    def open_to(share):
        with opened:
            world.open_until = share
            opened.notify_all()

    world.open_to = open_to
    world.writer = threading.Thread(target=write_rotating, args=(world, gate))
    world.writer.start()
    world.rsyslog(RSYSLOG.format(dir=world.dir, input=write_input(world, "R"), port=world.ports["tls"]))
    world.syslog_ng(SYSLOG_NG.format(input=write_input(world, "S"), port=world.ports["tcp"]))


def count_ids(world):
    """How often each generated line is in the archive, by kind."""
    counts = {kind: collections.Counter() for kind in "FRS"}
    pattern = re.compile(rb"([FRS])(\d{7}) the quick")
    for line in world.archive_lines(world.path("correlator", "archive")):
        found = pattern.search(line)
        if found:
            if not line.endswith(PADDING.encode()):
                raise Failure(f"a line was changed: {line[:80]!r}")
            counts[found.group(1).decode()][int(found.group(2))] += 1
    return counts


def archived(world):
    status = world.status("correlator")
    return sum(a["lines"] for a in status["agents"]) if status else 0


def check_exact(kind, counter):
    missing = [n for n in range(LINES) if n not in counter]
    double = [n for n in counter if counter[n] > 1]
    if missing or double:
        raise Failure(f"{kind}: {len(missing)} missing (first: {missing[:3]}), {len(double)} double (first: {double[:3]})")


def complete(counts, kinds):
    return all(len(counts[k]) >= LINES for k in kinds)


def test_correlator_killed():
    with World() as world:
        start_all(world)
        start_senders(world)
        for kill in range(1, 4):
            world.open_to(kill / 4)
            wait_until(f"enough archived for kill {kill}", lambda k=kill: archived(world) >= k * LINES // 4, PATIENCE)
            world.correlator_process.kill()
            world.open_to(kill / 4 + 0.1)
            world.correlator_process = install.correlator(world)
        world.open_to(1)
        world.writer.join()
        wait_until("all lines archived", lambda: complete(count_ids(world), "FRS"), PATIENCE)
        counts = count_ids(world)
        for kind in "FRS":
            check_exact(kind, counts[kind])
        print(f"     {3 * LINES:,} lines, correlator killed 3 times: each in the archive exactly once")


def test_agent_killed():
    with World() as world:
        start_all(world)
        start_senders(world)
        for kill in range(1, 4):
            world.open_to(kill / 4)
            wait_until(f"enough archived for kill {kill}", lambda k=kill: archived(world) >= k * LINES // 4, PATIENCE)
            world.agent_process.kill()
            world.open_to(kill / 4 + 0.1)
            world.agent_process = install.agent(world, world.sources)
        world.open_to(1)
        world.writer.join()
        wait_until("all lines of files archived", lambda: complete(count_ids(world), "F"), PATIENCE)
        settle(world)
        counts = count_ids(world)
        check_exact("F", counts["F"])
        for kind, name in (("R", "rsyslog over TLS"), ("S", "syslog-ng over TCP")):
            lost = LINES - len(counts[kind])
            bound = 3 * IN_FLIGHT // len(text(kind, 0))
            print(f"     {name}: {lost} of {LINES:,} were in flight when the agent died (bound {bound:,}), "
                  f"{sum(1 for n in counts[kind].values() if n > 1)} were sent twice by the sender")
            if bound >= LINES:
                print("     (too few lines for that bound to be a test: use HD_E2E_LINES=1000000)")
            elif lost > bound:
                raise Failure(f"{name}: {lost} lines missing, more than can have been in flight")
        print(f"     {LINES:,} lines of files, agent killed 3 times: each in the archive exactly once")


def flood_lines():
    """Hardly two of them have the same words, so that they are worth their bytes on disk."""
    return b"".join(b"<13>Nov 21 07:50:37 web1 app[7]: n%08dz %s\n" % (n, os.urandom(80).hex().encode()[:FLOOD_LINE - 45])
                    for n in range(FLOOD_LINES))


def kill_in_flood(data):
    """Lines that the agent had read when it was killed, and how many of these nobody has."""
    with World() as world:
        world.make_ca()
        port = find_port()
        world.ports["correlator"] = find_port()  # nobody is there yet
        sources = install.syslog_source(world, "syslog-tcp", port)
        agent = install.agent(world, sources)
        wait_until("the agent is up", lambda: world.status("agent"))
        flood = Flood(port, data, PATIENCE)
        flood.start()
        wait_until("half of it is sent", lambda: flood.sent > len(data) // 2)
        agent.popen.send_signal(signal.SIGSTOP)
        flood.halt()
        accepted = (flood.sent - unread(port)) // FLOOD_LINE
        agent.kill()
        flood.stop()
        install.correlator(world)
        install.agent(world, sources)
        wait_until("all of the spool to be archived", lambda: archived(world) > 0 and world.metric("agent", "unacked_lines") == 0)
        found = {int(n) for n in re.findall(rb"n(\d{8})z", world.journal_text(world.path("correlator", "archive")))}
        return accepted, sum(1 for n in range(accepted) if n not in found)


def test_agent_killed_in_a_flood():
    data = flood_lines()
    for _ in range(FLOODS):
        accepted, lost = kill_in_flood(data)
        print(f"     {accepted:,} lines were read of TCP when the agent died, {lost:,} of them were lost "
              f"(bound {HELD // FLOOD_LINE:,})")
        if lost > HELD // FLOOD_LINE:
            raise Failure(f"{lost} lines lost, more than a killed agent may have held")


def settle(world):
    """Until the senders have nothing more: the archive stops growing."""
    last = [-1, 0]

    def quiet():
        now = archived(world)
        last[1] = last[1] + 1 if now == last[0] else 0
        last[0] = now
        return last[1] > 100  # 2 s

    wait_until("the senders to end", quiet, PATIENCE)


if __name__ == "__main__":
    main(test_agent_killed_in_a_flood, test_correlator_killed, test_agent_killed)
