# SPDX-License-Identifier: Apache-2.0
"""Disks that are full: what cannot be kept is not taken, is counted, and comes when there is space again."""
import base64
import json
import os
import re
import signal
import socket
import subprocess

import install
import rogue
from faults_peers import QUICK, append, archive, counted, expect, is_connected
from world import NotRun, World, find_port, wait_until

MIB = 1 << 20


def noise(number):
    """A line that no compression makes small, with its number."""
    return f"<13>noise {number:06d} {base64.b64encode(os.urandom(1500)).decode()}\n"


def numbers(text):
    return re.findall(rb"noise (\d{6})", text)


def exactly(world, count):
    """All lines of noise are archived, each once."""
    wait_until("all lines to be archived", lambda: len(set(numbers(archive(world)))) >= count)
    expect(len(numbers(archive(world))) == count, "lines are double")


class Mount:
    """A small disk of its own, where that may be made."""

    def __init__(self, world, name, size):
        self.path = world.path(name)
        os.makedirs(self.path, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.path], capture_output=True,
                              check=False)
        self.is_mounted = done.returncode == 0

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.is_mounted:
            subprocess.run(["umount", "-l", self.path], check=False)

    def fill(self, leave):
        with open(os.path.join(self.path, "ballast"), "wb") as file:
            stat = os.statvfs(self.path)
            file.write(b"\0" * (stat.f_bavail * stat.f_frsize - leave))

    def empty(self):
        os.remove(os.path.join(self.path, "ballast"))


def start(world, archive_keys, extra="", agent_extra=""):
    world.make_ca()
    correlator = install.run_correlator(world, install.correlator_config(world, archive=archive_keys, extra=extra))
    os.makedirs(world.path("logs"), exist_ok=True)
    agent = install.agent(world, install.file_source(world.path("logs", "*.log")), uplink=QUICK, extra=agent_extra)
    wait_until("the agent to be connected", lambda: is_connected(world, "agent"))
    return correlator, agent


def refuses(world, correlator, agent):
    line = correlator.wait_line("the archive takes no more")
    expect("free disk space" in line and world.path("correlator", "archive") in line, f"unclear: {line}")
    counted(world, "archive_refusals_total")
    wait_until("the problem to be in the correlator's status",
               lambda: any("the archive takes no more" in p for p in world.status("correlator")["problems"]))
    agent.wait_line("the archive takes no more")
    wait_until("the problem to be in the agent's status", lambda: world.status("agent")["state"] == "degraded")
    expect(world.status("agent")["spool"]["bytes"] > 0, "the agent keeps nothing")


def is_told_nearly_full(world):
    def stores():
        alerts = world.journal_text(world.path("correlator", "alerts")).decode().splitlines()
        return [a["group"] for a in map(json.loads, alerts) if a["rule"]["title"] == "Log store is nearly full"]
    wait_until("the alert that the archive is nearly full",
               lambda: any(g["source.name"] == "archive" and "% (" in g["used"] for g in stores()))
    expect(any("archive is nearly full (alarm)" in p for p in world.status("correlator")["problems"]), "no problem")
    expect(next(s for s in world.status("correlator")["stores"] if s["name"] == "archive")["state"] == "alarm", "no state")


def test_archive_at_its_limit():
    """archive.max_bytes is reached: the agent keeps its lines; with a higher limit all of them come."""
    with World() as world:
        correlator, agent = start(world, "  segment: 1MiB\n  max_bytes: 4MiB\n  reserve: 0",
                                  "near_full: {warning: 50, alarm: 80}")
        for part in range(4):
            append(world, "".join(noise(part * 1000 + n) for n in range(1000)))
        refuses(world, correlator, agent)
        is_told_nearly_full(world)
        held = len(set(numbers(archive(world))))
        expect(0 < held < 4000, f"{held} lines in an archive that is full")
        expect(correlator.kill(signal.SIGTERM) == 0, "it did not end in order")
        install.run_correlator(world, install.correlator_config(world, archive="  max_bytes: 64MiB\n  reserve: 0"))
        exactly(world, 4000)


def test_full_disk_of_the_correlator():
    """The disk is full; it recovers by itself when there is space again, and nothing is lost or double."""
    with World() as world, Mount(world, "correlator/archive", "32m") as disk:
        if not disk.is_mounted:
            raise NotRun("a file system cannot be mounted here")
        correlator, agent = start(world, "  segment: 1MiB\n  reserve: 0")
        append(world, "".join(noise(n) for n in range(500)))
        exactly(world, 500)
        disk.fill(leave=MIB)
        append(world, "".join(noise(n) for n in range(500, 4000)))
        refuses(world, correlator, agent)
        disk.empty()
        correlator.wait_line("the archive takes data again")
        exactly(world, 4000)
        wait_until("all to be well", lambda: world.status("agent")["state"] == world.status("correlator")["state"] == "ok")


def test_full_spool_of_the_agent():
    """Nobody takes the agent's lines: files wait, syslog over TCP waits, UDP is dropped and counted."""
    with World() as world:
        world.make_ca()
        world.ports["correlator"] = find_port()
        udp, tcp = find_port(socket.SOCK_DGRAM), find_port()
        os.makedirs(world.path("logs"))
        agent = install.agent(world, "\n".join((install.file_source(world.path("logs", "*.log")),
                                                install.syslog_source(world, "syslog-udp", udp, "    receive_buffer: 64KiB\n"),
                                                install.syslog_source(world, "syslog-tcp", tcp))),
                              uplink=QUICK, extra="spool_max: 4MiB\nspool_reserve: 0\nspool_segment: 1MiB")
        wait_until("the agent to be up", lambda: world.status("agent"))
        append(world, "".join(noise(n) for n in range(6000)))
        wait_until("the sources to be paused", lambda: world.metric("agent", "pauses_total") > 0)
        line = agent.wait_line("the spool cannot be written")
        expect(world.path("agent1") in line and "sources are paused" in line, f"unclear: {line}")
        wait_until("the problem to be in the status", lambda: any("spool" in p for p in world.status("agent")["problems"]))
        sender = socket.create_connection(("127.0.0.1", tcp))
        sender.sendall(b"<13>over tcp, patiently\n")
        sent = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for _ in range(2000):
                s.sendto(b"<13>over udp " + b"u" * 1000, ("127.0.0.1", udp))
                sent += 1
        counted(world, "dropped_total", 50, name="agent")
        expect(world.metric("agent", "spool_bytes") <= 5 * MIB, "the spool is larger than allowed")
        expect(any("the spool is nearly full" in p for p in world.status("agent")["problems"]), "it is not called nearly full")
        install.correlator(world, rules=False)
        exactly(world, 6000)
        wait_until("the patient sender", lambda: b"over tcp, patiently" in archive(world))
        sender.close()
        append(world, "all is well\n")

        def is_accounted():
            return archive(world).count(b"over udp ") + world.metric("agent", "dropped_total") == sent

        wait_until("every datagram to be archived or counted", is_accounted)
        wait_until("all to be well", lambda: world.status("agent")["state"] == "ok")


def test_full_disk_of_the_agent():
    with World() as world, Mount(world, "agent1", "16m") as disk:
        if not disk.is_mounted:
            raise NotRun("a file system cannot be mounted here")
        os.chmod(disk.path, 0o700)
        _, agent = start(world, "", agent_extra="spool_reserve: 0\nspool_segment: 1MiB")
        append(world, "".join(noise(n) for n in range(100)))
        exactly(world, 100)
        disk.fill(leave=0)
        append(world, "".join(noise(n) for n in range(100, 3000)))
        line = agent.wait_line("the spool cannot be written")
        expect("err=" in line, f"unclear: {line}")
        counted(world, "spool_errors_total", name="agent")
        disk.empty()
        exactly(world, 3000)
        wait_until("all to be well", lambda: world.status("agent")["state"] == "ok")


def test_full_disk_of_the_alerts():
    """Detection waits, says so, and misses nothing; archiving goes on."""
    with World() as world, Mount(world, "correlator/alerts", "8m") as disk:
        if not disk.is_mounted:
            raise NotRun("a file system cannot be mounted here")
        world.make_ca()
        world.write("rules/one.yml", rogue.RULE.format(title="Marker", id="11111111-1111-4111-8111-111111111111",
                                                       prefix="mark"))
        correlator = install.run_correlator(world, install.correlator_config(
            world, library=world.path("rules"), alerts="  reserve: 0", extra="suppress: {window: 0s}"))
        os.makedirs(world.path("logs"))
        install.agent(world, install.file_source(world.path("logs", "*.log")), uplink=QUICK)
        wait_until("the agent to be connected", lambda: is_connected(world, "agent"))
        disk.fill(leave=0)
        for n in range(50):
            append(world, rogue.sshd_line(f"mark{n:03}"))
        wait_until("the lines to be archived all the same", lambda: b"mark049" in archive(world))
        counted(world, "alert_journal_waits_total")
        wait_until("the problem to be in the status",
                   lambda: any("alerts cannot be published" in p for p in world.status("correlator")["problems"]))
        correlator.wait_line("alert")
        disk.empty()

        def published():
            text = world.journal_text(world.path("correlator", "alerts"))
            return [sum(f'"user":{{"name":"mark{n:03}"'.encode() in line for line in text.split(b"\n")) for n in range(50)]

        wait_until("all alerts", lambda: all(published()))
        expect(set(published()) == {1}, f"alerts are double: {published()}")
        wait_until("all to be well", lambda: world.status("correlator")["state"] == "ok")


TESTS = (test_archive_at_its_limit, test_full_disk_of_the_correlator, test_full_spool_of_the_agent,
         test_full_disk_of_the_agent, test_full_disk_of_the_alerts)
