#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Too much of something: one agent floods a correlator whose disk is slow, and twenty modest ones must not feel
it; one sender floods an agent whose disk is slow, and the other sources must have their turns; alerts do not wait
for the archive; a socket buffer that is smaller than asked for is told, with what to do.
HD_MODEST (default 20) modest agents."""
import base64
import collections
import contextlib
import os
import random
import re
import socket
import statistics
import threading
import time

import install
import rogue
import senders
from test_points import LIBRARY, need_library
from world import Failure, NotRun, World, find_port, main, program, wait_until

MODEST = int(os.environ.get("HD_MODEST", "20"))
DISK = 4 << 20  # bytes a second
ROUNDS = 6
GENERATED = re.compile(rb"gen\[7\]: ([A-Z])(\d{7})z")
LINE = 800  # bytes, of floods
MODEST_MEDIAN = 0.45  # s, until a line is archived; without fairness it is 0.75 s, alone 0.05 s
ALERT_MEDIAN = 0.9  # s, from a line to its alert, beside that flood
FLOOD_SHARE = 0.5  # of the disk, that the flood gets
SHARE = 0.9  # of its lines that a modest source must get through while another floods ...
SYNC_MS = int(os.environ.get("HD_SYNC_MS", "110"))  # of a disk that is fast but for that
SYNC_SECONDS = int(os.environ.get("HD_SYNC_SECONDS", "6"))
SYNC_RATE = 8e6  # bytes of archive a second beside such syncs; 4.5 MB/s when the bound is at its least
SYNC_MEDIAN = 8  # syncs, until a line of a modest agent is archived
WANTED = 512 << 20  # bytes of a socket buffer
BEHIND = 2  # ... so many seconds later


def slow(directory, **how):
    how = {f"HD_FAULT_{name.upper()}": str(value) for name, value in (how or {"disk": DISK}).items()}
    return dict(os.environ, LD_PRELOAD=LIBRARY, HD_FAULT_BELOW=directory, **how)


def start_slow_correlator(world, **how):
    world.write("rules/one.yml", rogue.RULE.format(title="Attack", id="51111111-1111-4111-8111-111111111111", prefix="mark"))
    config = world.write("correlator.yml", install.correlator_config(world, library=world.path("rules"),
                                                                   extra="suppress: {window: 0s}\n"))
    process = world.start("correlator", [program("haidang-correlator"), "--config", config],
                          env=slow(world.path("correlator", "archive"), **how))
    wait_until("correlator up", lambda: world.status("correlator") or not process.is_running())


def start_agents(world, names):
    for name in names:
        world.haidang("ca", "issue", name, "--dir", world.path("ca"))
        world.write(f"{name}.log", "")
        install.agent(world, install.file_source(world.path(f"{name}.log")), name=name,
                      extra="batch_time: 20ms\nspool_reserve: 0\n")
    wait_until("all agents connected", lambda: connected(world) >= len(names))


def connected(world):
    status = world.status("correlator")
    return sum(a["connected"] for a in status["agents"]) if status else 0


def lines_of(world):
    return {a["agent"]: a["last_seq"] for a in world.status("correlator")["agents"]}


def incompressible(lines):
    chance = random.Random(1)
    return "".join(base64.b64encode(chance.randbytes(LINE * 3 // 4)).decode() + "\n" for _ in range(lines))


class Flood:
    """Appends lines that do not compress to a file, always some megabytes ahead of the reader."""

    def __init__(self, path, parts=1):
        self.path, self.written, self.stopped = path, 0, threading.Event()
        self.part, self.parts = incompressible(1000), parts
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        with open(self.path, "a", encoding="ascii") as file:
            while not self.stopped.wait(0.05):
                file.write(self.part * self.parts)
                file.flush()
                self.written += 1000 * self.parts

    def stop(self):
        self.stopped.set()
        self.thread.join()


def latencies(world, names, rounds):
    """A line of each agent, again and again: how long each needs until it is archived."""
    taken = []
    for _ in range(rounds):
        before = lines_of(world)
        begin = time.monotonic()
        for name in names:
            with open(world.path(f"{name}.log"), "a", encoding="ascii") as file:
                file.write("<30>Nov 21 07:50:37 web1 app[7]: a line of no consequence\n")
        waiting = set(names)
        while waiting:
            now = lines_of(world)
            came = {name for name in waiting if now[name] > before[name]}
            taken += [time.monotonic() - begin] * len(came)
            waiting -= came
            if time.monotonic() - begin > 120:
                raise Failure(f"{len(waiting)} agents starve: {sorted(waiting)[:5]}")
    return taken


def alert_delays(world, names):
    """An attack on each agent's server, one after the other: how long until its alert is durable."""
    clock = install.AlertClock(install.tail(world), lambda alert: alert["user"]["name"])
    written = {}
    for name in names:
        with open(world.path(f"{name}.log"), "a", encoding="ascii") as file:
            file.write(rogue.sshd_line(f"mark-{name}"))
        written[f"mark-{name}"] = time.monotonic()
        wait_until("the alert", lambda n=name: f"mark-{n}" in clock.at)
    return [clock.at[user] - at for user, at in written.items()]


def show(what, taken):
    taken = sorted(taken)
    print(f"     {what}: median {statistics.median(taken) * 1000:.0f} ms, "
          f"95 % {taken[len(taken) * 95 // 100] * 1000:.0f} ms, longest {taken[-1] * 1000:.0f} ms", flush=True)
    return taken[len(taken) * 95 // 100]


def test_one_agent_floods():
    need_library()
    with World() as world:
        world.make_ca()
        names = [f"modest{n:02d}" for n in range(MODEST)]
        start_slow_correlator(world)
        start_agents(world, [*names, "flood"])
        latencies(world, names, 1)  # the first batch of an agent is no measure
        show("20 modest agents alone", latencies(world, names, 2))
        flood = Flood(world.path("flood.log"))
        begin = time.monotonic()
        wait_until("the flood to be felt", lambda: lines_of(world)["flood"] > 20000)
        before = lines_of(world)["flood"]
        part = time.monotonic()
        taken = latencies(world, names, ROUNDS)
        rate = (lines_of(world)["flood"] - before) / (time.monotonic() - part)
        raised = alert_delays(world, names[:10])
        flood.stop()
        show("the same beside a flood", taken)
        print(f"     the flood: {rate:.0f} lines/s of 800 bytes, for {time.monotonic() - begin:.0f} s", flush=True)
        show("and alerts, from the line to the journal of alerts", raised)
        if statistics.median(raised) > ALERT_MEDIAN:
            raise Failure(f"alerts wait for {statistics.median(raised):.2f} s, more than {ALERT_MEDIAN} s")
        if statistics.median(taken) > MODEST_MEDIAN:
            raise Failure(f"modest agents wait for {statistics.median(taken):.2f} s, more than {MODEST_MEDIAN} s")
        if rate * LINE * 3 / 4 < FLOOD_SHARE * DISK:
            raise Failure("the disk idles although there is a flood")


def archived_bytes(world):
    return world.status("correlator")["archive"]["bytes"]


def test_slow_syncs():
    """A sync takes long, but the disk is fast: a flood must get on, and what is modest must not wait for much more
    than the syncs themselves."""
    need_library()
    with World() as world:
        world.make_ca()
        modest, floods = ["modest00", "modest01"], ["flood0", "flood1"]
        start_slow_correlator(world, sync=SYNC_MS)
        start_agents(world, modest + floods)
        latencies(world, modest, 1)
        show(f"modest agents alone, syncs of {SYNC_MS} ms", latencies(world, modest, 3))
        running = [Flood(world.path(f"{name}.log"), parts=4) for name in floods]
        wait_until("the flood to be felt", lambda: archived_bytes(world) > 16 << 20)
        before, part = archived_bytes(world), time.monotonic()
        taken = latencies(world, modest, 1)
        while time.monotonic() - part < SYNC_SECONDS:
            taken += latencies(world, modest, 1)
        rate = (archived_bytes(world) - before) / (time.monotonic() - part)
        for flood in running:
            flood.stop()
        show("the same beside two floods", taken)
        print(f"     the floods: {rate / 1e6:.1f} MB/s of archive, "
              f"queue limit {world.metric('correlator', 'archive_queue_limit_bytes') / 1e6:.1f} MB", flush=True)
        if statistics.median(taken) > SYNC_MEDIAN * SYNC_MS / 1000:
            raise Failure(f"modest agents wait for {statistics.median(taken):.2f} s")
        if rate < SYNC_RATE:
            raise Failure("the disk idles although there is a flood")


# ---- one sender, many sources ----


class FloodStream(threading.Thread):
    """Sends lines that do not compress over TCP, as fast as they are taken."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.out = socket.create_connection(("127.0.0.1", port))
        self.start()

    def run(self):
        data = incompressible(200).encode()
        with contextlib.suppress(OSError):  # shut down by stop
            while True:
                self.out.sendall(data)

    def stop(self):
        self.out.shutdown(socket.SHUT_RDWR)
        self.join()
        self.out.close()


def start_slow_agent(world, sources):
    config = world.write("agent1.yml", install.agent_config(world, sources, extra="batch_time: 20ms\nspool_reserve: 0\n"))
    agent = world.start("agent", [program("haidang-agent"), "--config", config], env=slow(world.path("agent1", "spool")))
    wait_until("agent connected",
               lambda: (world.status("agent") or {}).get("uplink", {}).get("state") == "connected")
    return agent


def shares(world, modest, seconds):
    """Of what each modest source had to say, how much is archived when it has just been said."""
    never = threading.Event()
    before = {one.kind: one.sent for one in modest}
    never.wait(seconds)
    sent = {one.kind: one.sent for one in modest}
    never.wait(BEHIND)
    found = collections.Counter(
        kind for kind, n in GENERATED.findall(world.journal_text(world.path("correlator", "archive")))
        if before[kind.decode()] <= int(n) < sent[kind.decode()])
    return {kind: found[kind.encode()] / (sent[kind] - before[kind]) for kind in sent}


def waits(world):
    """How often sources had to wait for the spool: all of them, or streams alone."""
    return world.metric("agent", "pauses_total") + world.metric("agent", "holds_total")


def check_shares(world, modest, what, flood):
    """While a flood that was just begun lasts."""
    before = waits(world)
    try:
        wait_until("the flood to be felt", lambda: waits(world) > before + 5)
        got = shares(world, modest, 2)
    finally:
        flood.stop()
    print(f"     {what}, {waits(world) - before} pauses; archived of U (UDP), T (TCP, the same "
          f"listener), W (TCP, another), F (file): " + ", ".join(f"{k} {v:.0%}" for k, v in got.items()), flush=True)
    starved = {kind: share for kind, share in got.items() if share < SHARE}
    if starved:
        raise Failure(f"beside a flood others starve: {starved}")


def start_modest(world):
    world.make_ca()
    ports = world.ports
    ports.update(correlator=find_port(), udp=find_port(socket.SOCK_DGRAM), tcp=find_port(), other=find_port())
    world.write("modest.log", "")
    world.write("flood.log", "")
    install.correlator(world, rules=False)
    agent = start_slow_agent(world, "\n".join([
        install.file_source(world.path("flood.log")), install.syslog_source(world, "syslog-tcp", ports["tcp"]),
        install.syslog_source(world, "syslog-tcp", ports["other"]), install.syslog_source(world, "syslog-udp", ports["udp"]),
        install.file_source(world.path("modest.log"))]))
    modest = [senders.Datagrams("U", ports["udp"], 100), senders.Stream("T", ports["tcp"], rate=100),
              senders.Stream("W", ports["other"], rate=100), senders.File("F", world.path("modest.log"), 100)]
    return agent, [one.start() for one in modest]


class FloodStreams:
    def __init__(self, port, n):
        self.streams = [FloodStream(port) for _ in range(n)]

    def stop(self):
        for one in self.streams:
            one.stop()


def test_one_source_floods():
    need_library()
    with World() as world:
        agent, modest = start_modest(world)
        try:
            check_shares(world, modest, "8 senders flood", FloodStreams(world.ports["tcp"], 8))
            check_shares(world, modest, "a file floods", Flood(world.path("flood.log"), parts=8))
        finally:
            for one in modest:
                one.stop()
            agent.kill()  # what the floods have left would take it a while


# ---- socket buffers ----


def start_with_buffer(world, name, *prefix):
    port = find_port(socket.SOCK_DGRAM)
    world.haidang("ca", "issue", name, "--dir", world.path("ca"))
    config = world.write(f"{name}.yml", install.agent_config(
        world, install.syslog_source(world, "syslog-udp", port, f"    receive_buffer: {WANTED >> 20}MiB\n"), name=name))
    process = world.start(name, [*prefix, program("haidang-agent"), "--config", config])
    process.wait_line("agent: running")
    return [line for line in process.lines if "smaller than receive_buffer" in line]


def test_small_socket_buffer():
    """Who gets less than he asked for is told how much, and what to do; with the right to it he gets all."""
    with open("/proc/sys/net/core/rmem_max", encoding="ascii") as file:
        allowed = int(file.read())
    if allowed >= WANTED:
        raise NotRun(f"net.core.rmem_max is {allowed} here")
    with World() as world:
        world.make_ca()
        world.ports["correlator"] = find_port()
        is_root = os.geteuid() == 0
        told = start_with_buffer(world, "weak", *(["setpriv", "--bounding-set=-net_admin"] if is_root else []))
        wanted = (f"wanted={WANTED}", f"got={allowed}", "CAP_NET_ADMIN", "net.core.rmem_max")
        if len(told) != 1 or not all(words in told[0] for words in wanted):
            raise Failure(f"told was: {told}")
        if is_root:
            told = start_with_buffer(world, "strong")
            if told:
                raise Failure(f"told was, with CAP_NET_ADMIN: {told}")


if __name__ == "__main__":
    main(test_one_agent_floods, test_slow_syncs, test_one_source_floods, test_small_socket_buffer)
