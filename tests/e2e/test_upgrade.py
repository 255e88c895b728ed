#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Another binary in the place of each program, under load: its listening sockets are held for it (held.py), as
systemd holds those of socket units. No line is lost, whoever sent it, nobody is refused, nothing is sent twice
to the centre. Lines are counted by their numbers in the archive.
HD_UPGRADES (default 1) rounds, in each of which every program is exchanged once. The other binary is a copy that
calls itself another version; with HD_UPGRADE_FROM=DIRECTORY it is this build, and the one before that in DIRECTORY."""
import collections
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import threading
import time

import held
import install
import senders
from chain import PROGRAMS, Chain
from world import BUILD, Failure, NotRun, World, find_port, main, program, wait_until

ROUNDS = int(os.environ.get("HD_UPGRADES", "1"))
BUFFER = 16 << 20
NUMBER = re.compile(rb"([A-Z])(\d{7})z")
FROM = os.environ.get("HD_UPGRADE_FROM")
AWAY = 300  # lines that each sender sends while nobody is there


def version_of(world, path):
    return world.run(path, "--version").stdout.split()[1]


def copy_of_another_version(world, name, old):
    version = version_of(world, old).encode()
    changed = version[:-1] + (b"9" if version[-1:] != b"9" else b"8")
    with open(old, "rb") as file:
        code = file.read()
    if code.count(version + b"\0") != 1:
        raise Failure(f"{old} does not hold its version {version} once")
    path = world.path("new", f"haidang-{name}")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(code.replace(version + b"\0", changed + b"\0"))
    os.chmod(path, 0o755)
    return path


def two_binaries(world, name):
    """The older and the newer one."""
    ours = program(f"haidang-{name}")
    if FROM:
        return os.path.join(FROM, os.path.relpath(ours, BUILD)), ours
    return ours, copy_of_another_version(world, name, ours)


class Prober:
    """Connects to every listening socket again and again; somebody has to be there, or the kernel for him."""

    def __init__(self, ports):
        self.ports, self.tries, self.refused, self.stopped = ports, 0, [], threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopped.wait(0.05):
            for port in self.ports:
                self.tries += 1
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=30).close()
                except OSError as error:
                    self.refused.append((port, str(error)))

    def stop(self):
        self.stopped.set()
        self.thread.join()


def make_chain(world, keys=None):
    """A chain whose agent listens for syslog, and all of whose sockets are held."""
    world.ports.update(udp=find_port(socket.SOCK_DGRAM), tcp=find_port(), tls=find_port())
    chain = Chain(world, dict(keys or {}, sources="\n".join(
        install.syslog_source(world, f"syslog-{kind}", world.ports[kind]) for kind in ("udp", "tcp", "tls"))))
    run = world.run_dir
    chain.held = {
        "agent": held.Sockets(status=held.unix(f"{run}/agent.sock"), udp=held.udp(world.ports["udp"], BUFFER),
                              tcp=held.tcp(world.ports["tcp"]), tls=held.tcp(world.ports["tls"])),
        "correlator": held.Sockets(agents=held.tcp(world.ports["correlator"]),
                                   status=held.unix(f"{run}/correlator.sock")),
        "forwarder": held.Sockets(status=held.unix(f"{run}/forwarder.sock"))}
    return chain


def start_senders(world):
    ports = world.ports
    context = senders.client_context(world.path("ca", "ca.crt"))
    all_of_them = [senders.Datagrams("U", ports["udp"]), senders.Stream("T", ports["tcp"]),
                   senders.Stream("L", ports["tls"], context), senders.Logger("G", ports["tcp"]),
                   *senders.start_daemons(world)]
    return [one.start() for one in all_of_them]


def wait_sent(running, kinds, count):
    """Until these have sent so many lines more."""
    goals = {one: one.sent + count for one in running if one.kind in kinds}

    def is_reached():
        dead = [f"{one.kind}: {one.error}" for one in running if one.error]
        if dead:
            raise Failure(f"a sender gave up: {dead}")
        return all(one.sent >= goal for one, goal in goals.items())

    wait_until("the senders to send", is_reached)


def exchange(chain, name, binary, running):
    """Returns how long nobody was there."""
    world = chain.world
    chain.write(100)
    wait_sent(running, "UTL", AWAY)
    chain.end(name)
    begin = time.monotonic()
    chain.write(100)
    # over TLS nobody can begin while nobody answers; datagrams, files and backlogs go on
    wait_sent(running, "UR" if name == "agent" else "UTL", AWAY)
    chain.binaries[name] = binary
    pid = chain.start(name).popen.pid
    wait_until(f"the other {name} up", lambda: (world.status(name) or {}).get("pid") == pid)
    if world.status(name)["version"] != version_of(world, binary):
        raise Failure(f"{name} is not the other one: {world.status(name)['version']}")
    return time.monotonic() - begin


def count(world):
    found = collections.defaultdict(collections.Counter)
    for line in world.archive_lines(world.path("correlator", "archive")):
        number = NUMBER.search(line)
        if number:
            found[number.group(1).decode()][int(number.group(2))] += 1
    return found


def missing(world, running):
    found = count(world)
    return {one.kind: one.sent - len(found[one.kind]) for one in running if one.sent > len(found[one.kind])}


def check_numbers(world, running):
    found = count(world)
    for one in running:
        twice = [n for n, times in found[one.kind].items() if times > 1]
        gone = [n for n in range(one.sent) if n not in found[one.kind]]
        if gone or twice:
            raise Failure(f"{one.kind}: of {one.sent} lines {len(gone)} are missing {gone[:5]}, {len(twice)} are there "
                          f"twice {twice[:5]}")


def test_each_program_exchanged():
    with World() as world:
        world.peer_env()  # says that it is skipped, before anything was started
        chain = make_chain(world)
        binaries = {name: two_binaries(world, name) for name in PROGRAMS}
        chain.binaries = {name: older for name, (older, _) in binaries.items()}
        chain.start_all()
        running, prober = start_senders(world), None
        try:
            prober = Prober([world.ports[kind] for kind in ("correlator", "tcp", "tls")])
            away = [exchange(chain, name, binaries[name][1 - turn % 2], running)
                    for turn in range(ROUNDS) for name in ("correlator", "forwarder", "agent")]
            wait_sent(running, "UTL", AWAY)
        finally:
            for one in running:
                one.stop()
            if prober:
                prober.stop()
        if prober.refused:
            raise Failure(f"{len(prober.refused)} of {prober.tries} connections were refused: {prober.refused[:3]}")
        try:
            wait_until("all lines to be archived", lambda: not missing(world, running), 60)
        except Failure as failure:
            drops = world.metric("agent", "kernel_drops_total")
            raise Failure(f"{failure}: {missing(world, running)} missing, {drops} datagrams dropped") from failure
        check_numbers(world, running)
        obligations = chain.drain()
        lines = {one.kind: one.sent for one in running}
        print(f"     {len(away)} programs exchanged, away for up to {max(away):.1f} s; {prober.tries} connections tried, "
              f"none refused\n     each line once: {lines}, files {chain.lines}; obligations made {obligations}, broken 0",
              flush=True)


def ledger_total(world, kind):
    done = world.haidang("losses", "--dir", world.path("correlator", "losses"), "--json", "--since", "1h", "--kind", kind,
                         check=False)
    return sum(json.loads(line)["count"] for line in done.stdout.splitlines())


def test_datagrams_dropped_while_away():
    """What the kernel dropped of a held socket is in the ledger, and not told again by the agent after next."""
    n = 20000
    with World() as world:
        world.make_ca()
        port = find_port(socket.SOCK_DGRAM)
        sources = install.syslog_source(world, "syslog-udp", port, "    receive_buffer: 64KiB\n")
        install.correlator(world, rules=False)
        config = world.write("agent1.yml", install.agent_config(world, sources))
        sockets = held.Sockets(udp=held.udp(port, 64 << 10))
        for turn in range(3):
            if turn == 0:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
                    for i in range(n):
                        out.sendto(senders.text("U", i).encode(), ("127.0.0.1", port))
            agent = world.start("agent", sockets.argv([program("haidang-agent"), "--config", config]),
                                pass_fds=sockets.numbers())
            wait_until("agent connected",
                       lambda: (world.status("agent") or {}).get("uplink", {}).get("state") == "connected")
            if turn == 0:
                wait_until("every datagram to be accounted for",
                           lambda: sum(world.metric("agent", m) for m in ("lines_total", "kernel_drops_total")) >= n)
            if agent.kill(signal.SIGTERM) != 0:
                raise Failure("the agent did not end in order")
        wait_until("every datagram to be archived or in the ledger",
                   lambda: len(count(world)["U"]) + ledger_total(world, "udp-kernel-drops") >= n)
        dropped = ledger_total(world, "udp-kernel-drops")
        if dropped == 0 or dropped + len(count(world)["U"]) != n:
            raise Failure(f"{n} sent, {len(count(world)['U'])} archived, {dropped} told to be lost")
        print(f"     of {n} datagrams {dropped} did not fit into the kernel's buffer: each told once")


def test_socket_that_nobody_wants():
    with World() as world:
        world.make_ca()
        world.ports["correlator"] = find_port()
        port = find_port()
        config = world.write("correlator.yml", install.correlator_config(world))
        sockets = held.Sockets(agents=held.tcp(world.ports["correlator"]), forgotten=held.tcp(port))
        process = world.start("correlator", sockets.argv([program("haidang-correlator"), "--config", config]),
                              pass_fds=sockets.numbers())
        words = process.wait_line("was handed over that the configuration does not listen on")
        if f'descriptor 4 (forgotten), tcp 127.0.0.1:{port}' not in words:
            raise Failure(words)
        if process.popen.wait(60) != 3:
            raise Failure(f"it ended with {process.popen.returncode}, not with 3")


def test_as_systemd_does_it():
    """The sockets come from systemd itself: from the program that tries out socket units."""
    activate = shutil.which("systemd-socket-activate")
    if activate is None:
        raise NotRun("systemd-socket-activate is not installed")
    with World() as world:
        world.make_ca()
        world.ports["correlator"] = find_port()
        config = world.write("correlator.yml", install.correlator_config(world))
        world.start("correlator", [activate, "-l", f"127.0.0.1:{world.ports['correlator']}", "--fdname=agents",
                                   program("haidang-correlator"), "--config", config])

        def is_up():
            with contextlib.suppress(OSError):  # whoever connects makes it start
                socket.create_connection(("127.0.0.1", world.ports["correlator"]), timeout=30).close()
            return world.status("correlator")

        wait_until("correlator up", is_up)
        install.agent(world, install.file_source(world.write("app.log", "one line\n")))
        wait_until("the line to be archived", lambda: b"one line" in list(
            world.archive_lines(world.path("correlator", "archive")))[:1])


if __name__ == "__main__":
    main(test_each_program_exchanged, test_datagrams_dropped_while_away, test_socket_that_nobody_wants,
         test_as_systemd_does_it)
