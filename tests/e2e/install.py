# SPDX-License-Identifier: Apache-2.0
"""Configurations of our programs for a World, and what watches them."""
import json
import os
import threading
import time

from world import SOURCE, find_port, program, wait_until


def correlator_config(world, name="correlator", library=None, extra="", cert="correlator", archive="", alerts="",
                      crl=None):
    """Keys of the sections `archive` and `alerts`, and whole sections in `extra`, are added as they are. Unless
    `extra` says so there are no alerts about sources and agents: those that are counted come from lines. How full the
    disk of this machine is concerns no test."""
    os.makedirs(world.path("no-rules"), exist_ok=True)
    port = world.ports.setdefault(name, find_port())
    quiet = "" if "sources:" in extra else "sources: {alerts: no}"
    quiet += "" if "near_full:" in extra else "\nnear_full: {warning: 0, alarm: 0}"
    return f"""
listen: 127.0.0.1:{port}
state_dir: {world.path(name)}
status: unix:{world.run_dir}/{name}.sock
tls:
{world.tls(cert)}
{"  crl: " + crl if crl else ""}
archive:
  dir: {world.path(name, "archive")}
{archive}
alerts:
  dir: {world.path(name, "alerts")}
{alerts}
rules:
  decoders: {SOURCE}/rules/decoders
  library: {library or world.path("no-rules")}
{extra}
{quiet}
"""


def run_correlator(world, config, name="correlator"):
    path = world.write(f"{name}.yml", config)
    process = world.start(name, [program("haidang-correlator"), "--config", path])
    wait_until(f"{name} up", lambda: world.status(name) or not process.is_running())
    return process


def correlator(world, rules=True, name="correlator", extra=""):
    """Starts a correlator on a port that the world remembers; state survives a restart."""
    library = SOURCE + "/rules/library" if rules else None
    return run_correlator(world, correlator_config(world, name, library, extra), name)


def file_source(path, start="begin", extra=""):
    return f"""  - kind: file
    paths: ["{path}"]
    start: {start}
{extra}"""


def syslog_source(world, kind, port, extra=""):
    tls = f"    client_cert: false\n    tls:\n{world.tls('centre', '      ')}\n" if kind == "syslog-tls" else ""
    return f"""  - kind: {kind}
    listen: 127.0.0.1:{port}
{tls}{extra}"""


def agent_config(world, sources, name="agent1", correlators=None, extra="", uplink="", cert=None):
    """`uplink` holds further keys of that section."""
    addresses = correlators or [f"127.0.0.1:{world.ports['correlator']}"]
    return f"""
agent: {name}
state_dir: {world.path(name)}
status: unix:{world.run_dir}/{agent_socket(name)}.sock
uplink:
  correlators: {json.dumps(addresses)}
  tls:
{world.tls(cert or name, "    ")}
{uplink}
{extra}
sources:
{sources}
"""


def agent_socket(name):
    """The first agent of a world has the socket that `haidang status` looks for."""
    return "agent" if name == "agent1" else name


def agent(world, sources, name="agent1", correlators=None, extra="", **kwargs):
    config = world.write(f"{name}.yml", agent_config(world, sources, name, correlators, extra, **kwargs))
    return world.start(name, [program("haidang-agent"), "--config", config])


def tail(world, *options):
    return world.start("tail", [program("haidang"), "tail", "--dir", world.path("correlator", "alerts"),
                                "--all", "--json", *options])


class AlertClock:
    """When each alert was first seen on a tail, by a key taken from it."""

    def __init__(self, process, key):
        self.at, self.process, self.key = {}, process, key
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        seen = 0
        while True:
            with self.process.changed:
                while len(self.process.lines) == seen:
                    if not self.process.reader.is_alive():
                        return
                    self.process.changed.wait(1)
                now, fresh = time.monotonic(), self.process.lines[seen:]
                seen = len(self.process.lines)
            for line in fresh:
                if line.startswith("{"):
                    self.at.setdefault(self.key(json.loads(line)), now)
