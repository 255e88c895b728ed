# SPDX-License-Identifier: Apache-2.0
"""Peers that are strangers, outdated, broken, slow or too many: told why, counted, and nobody else's trouble."""
import os
import resource
import signal
import socket
import ssl
import struct
import threading

import install
import rogue
from world import PATIENCE, Failure, World, find_port, wait_until

QUICK = "  retry_first: 50ms\n  retry_max: 200ms"  # an agent that does not wait for long
BYE_VERSION, BYE_IDENTITY, BYE_PROTOCOL = 1, 2, 3


def start_pair(world, extra="", **kwargs):
    """A correlator and an honest agent that is connected to it."""
    world.make_ca()
    correlator = install.run_correlator(world, install.correlator_config(world, extra=extra, **kwargs))
    os.makedirs(world.path("logs"), exist_ok=True)
    world.agent = install.agent(world, install.file_source(world.path("logs", "*.log")), uplink=QUICK)
    wait_until("the agent to be connected", lambda: is_connected(world, "agent"))
    return correlator


def is_connected(world, name):
    if not all(p.is_running() for p in world.processes):
        raise Failure("a program has ended")
    status = world.status(name)
    return status is not None and status["uplink"]["state"] == "connected"


def append(world, text, name="logs/a.log"):
    with open(world.path(name), "ab") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


def archive(world, name="correlator"):
    return world.journal_text(world.path(name, "archive"))


def serves(world, seconds=PATIENCE):
    """The honest agent's lines still get into the archive."""
    word = "honest-" + os.urandom(4).hex()
    append(world, word + "\n")
    wait_until("the honest agent to be served", lambda: word.encode() in archive(world), seconds)


def counted(world, metric, at_least=1, name="correlator"):
    wait_until(f"{name} to count {metric} >= {at_least}", lambda: world.metric(name, metric) >= at_least)


def expect(ok, text):
    if not ok:
        raise Failure(text)


def test_strangers_certificates():
    """Foreign, expired, premature, revoked and missing certificates of agents."""
    with World() as world:
        start_pair(world)
        foreign = world.path("foreign")
        world.haidang("ca", "init", "--dir", foreign)
        world.haidang("ca", "issue", "agent1", "--dir", foreign)
        rogue.issue_dated(world, "old", -30, -1)
        rogue.issue_dated(world, "early", 2, 30)
        correlator = next(p for p in world.processes if p.name == "correlator")
        failed = world.metric("correlator", "handshakes_failed_total")
        for context, words in ((rogue.client_context(world, "agent1", ca="foreign"), "from an unknown CA (CN=agent1)"),
                               (rogue.client_context(world, "old"), "has expired on"),
                               (rogue.client_context(world, "early"), "is not valid before"),
                               (rogue.client_context(world, None), "sent no certificate")):
            seen = len(correlator.lines)
            try:
                with rogue.RogueAgent(world, context=context) as peer:
                    peer.send(rogue.hello("agent1"))
                    expect(peer.read_frame() is None, f"served in spite of a certificate that {words}")
            except (ssl.SSLError, ConnectionError):
                pass
            line = correlator.wait_line("no secure connection", start=seen)
            expect(words in line and 'peer="127.0.0.1:' in line, f"unclear: {line}")
            failed += 1
            counted(world, "handshakes_failed_total", failed)
        serves(world)


def test_revoked_agent():
    """A revocation is in force after SIGHUP, for new connections, and for that agent only."""
    with World() as world:
        world.make_ca()
        world.haidang("ca", "issue", "thief", "--dir", world.path("ca"))
        crl = world.path("ca", "crl.pem")
        world.haidang("ca", "revoke", "nobody", "--dir", world.path("ca"), check=False)
        correlator = start_pair_with_crl(world, crl)
        with rogue.RogueAgent(world, "thief") as peer:
            peer.send(rogue.hello("thief"))
            expect(peer.read_frame()[0] == rogue.WELCOME, "the agent is not served before it is revoked")
            world.haidang("ca", "revoke", "thief", "--dir", world.path("ca"))
            correlator.popen.send_signal(signal.SIGHUP)
            correlator.wait_line("what is new is in force")
        seen = len(correlator.lines)
        try:
            with rogue.RogueAgent(world, "thief") as peer:
                peer.send(rogue.hello("thief"))
                expect(peer.read_frame() is None, "a revoked agent is served")
        except (ssl.SSLError, ConnectionError):
            pass
        line = correlator.wait_line("no secure connection", start=seen)
        expect("revoked" in line and "CN=thief" in line, f"unclear: {line}")
        serves(world)


def start_pair_with_crl(world, crl):
    correlator = install.run_correlator(world, install.correlator_config(world, crl=crl))
    os.makedirs(world.path("logs"), exist_ok=True)
    install.agent(world, install.file_source(world.path("logs", "*.log")))
    wait_until("the agent to be connected", lambda: is_connected(world, "agent"))
    return correlator


def test_correlators_certificate():
    """An agent talks to no correlator with a foreign, expired or other host's certificate; it says so, keeps its
    lines and delivers them when the certificate is right."""
    with World() as world:
        world.make_ca()
        world.haidang("ca", "init", "--dir", world.path("foreign"))
        world.haidang("ca", "issue", "correlator", "--dir", world.path("foreign"), "--server", "--host", "127.0.0.1")
        world.haidang("ca", "issue", "elsewhere", "--dir", world.path("ca"), "--server", "--host", "192.0.2.9")
        rogue.issue_dated(world, "outdated", -30, -1, usage="server")
        port = find_port()
        world.ports["correlator"] = port
        os.makedirs(world.path("logs"))
        agent = install.agent(world, install.file_source(world.path("logs", "*.log")), uplink=QUICK)
        append(world, "kept meanwhile\n")
        for directory, name, words in (("foreign", "correlator", "from an unknown CA (CN=correlator)"),
                                       ("ca", "elsewhere", "wrong host name: the certificate is for 192.0.2.9"),
                                       ("ca", "outdated", "has expired on")):
            with FalseCorrelator(world, port, directory, name):
                line = agent.wait_line(words)
                expect(f'correlator="127.0.0.1:{port}"' in line, f"unclear: {line}")
                wait_until("the problem to be in the status",
                           lambda w=words: any(w in p for p in world.status("agent")["problems"]))
                expect(world.status("agent")["state"] == "degraded", "the agent calls this well")
        install.correlator(world, rules=False)
        wait_until("the line to be delivered", lambda: b"kept meanwhile" in archive(world))


class FalseCorrelator:
    """A TLS server that nobody should talk to."""

    def __init__(self, world, port, ca, name):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(world.path(ca, "issued", f"{name}.crt"), world.path(ca, "issued", f"{name}.key"))
        self.server = socket.create_server(("127.0.0.1", port))
        self.server.settimeout(0.1)
        self.is_ended = False
        self.thread = threading.Thread(target=self.serve)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self.is_ended = True
        self.thread.join()
        self.server.close()

    def serve(self):
        while not self.is_ended:
            try:
                peer, _ = self.server.accept()
                with peer:
                    peer.settimeout(5)
                    with self.context.wrap_socket(peer, server_side=True) as secure:
                        secure.recv(1)
            except (OSError, ssl.SSLError):
                pass


def test_wrong_names_and_versions():
    with World() as world:
        correlator = start_pair(world)
        with rogue.RogueAgent(world) as peer:
            peer.send(rogue.hello("agent2"))
            code, why = peer.read_bye()
            expect(code == BYE_IDENTITY and '"agent2"' in why and '"agent1"' in why, f"unclear: {code} {why}")
        counted(world, "identity_refused_total")
        with rogue.RogueAgent(world) as peer:
            peer.send(rogue.hello("agent1", version_min=2, version_max=3))
            code, why = peer.read_bye()
            expect(code == BYE_VERSION and "version 1" in why and "2 to 3" in why and "update" in why,
                   f"unclear: {code} {why}")
        counted(world, "version_refused_total")
        correlator.wait_line("speaks version 1 of the protocol, the agent 2 to 3")
        # of a newer version that still speaks ours: members and frames that we do not know
        with rogue.RogueAgent(world) as peer:
            peer.send(rogue.hello("agent1", version_max=9, more=b"\x01\x02\x03"))
            kind, body = peer.read_frame()
            expect(kind == rogue.WELCOME and struct.unpack(">H", body[:2]) == (1,), "no common version found")
            peer.send(rogue.frame(99, b"what is this?") + rogue.frame(rogue.HEARTBEAT, struct.pack(">HHQ", 1, 999, 1)))
            expect(peer.read_frame()[0] == rogue.HEARTBEAT, "an unknown frame or metric ended the connection")
        serves(world)


def test_broken_protocol():
    """Frames that are none, after a good handshake."""
    with World() as world:
        start_pair(world)
        good = rogue.hello("agent1")
        errors = 0
        for data, words in ((b"\xff\xff\xff\xff" + b"x" * 100, "no frame of the protocol"),
                            (b"\0\0\0\0", "no frame of the protocol"),
                            (b"GET / HTTP/1.1\r\n\r\n", "no frame of the protocol"),
                            (rogue.frame(rogue.HELLO, b"\0"), "no frame of the protocol"),
                            (rogue.batch(1, 1, b"x"), "HELLO comes first"),
                            (good + good, "HELLO comes once"),
                            (good + rogue.batch(1, 1, b"junk"), "checksum"),
                            (good + rogue.batch(5, 4, b"junk"), "no frame of the protocol"),
                            (good + rogue.frame(rogue.ACK, b"\0" * 12), "an agent does not send this kind"),
                            (rogue.hello("../etc"), "the agent's name")):
            with rogue.RogueAgent(world) as peer:
                peer.send(data)
                code, why = peer.read_bye()
                expect(code == BYE_PROTOCOL and words in why, f"unclear: {code} {why}, expected {words}")
                expect(peer.is_ended(), "the connection stays")
            errors += 1
            counted(world, "protocol_errors_total", errors)
        serves(world)


def test_garbage_on_every_port():
    with World() as world:
        world.make_ca()
        correlator = install.correlator(world, rules=False)
        ports = {kind: find_port(socket.SOCK_DGRAM if kind == "syslog-udp" else socket.SOCK_STREAM)
                 for kind in ("syslog-tcp", "syslog-tls", "syslog-udp")}
        agent = install.agent(world, "\n".join(install.syslog_source(world, kind, port) for kind, port in ports.items()))
        wait_until("the agent to be connected", lambda: is_connected(world, "agent"))
        garbage = (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", os.urandom(70000), b"\0" * 5000, b"\n" * 100,
                   b"99999999999 <13>", b"0 ", b"-1 <13>x", b"<999999>" + b"\xff" * 300, b"65536 " + b"y" * 1000)
        for data in garbage:
            for port in (world.ports["correlator"], ports["syslog-tcp"], ports["syslog-tls"]):
                rogue.say(port, data)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            for data in (*garbage, b""):
                udp.sendto(data[:60000], ("127.0.0.1", ports["syslog-udp"]))
        line = correlator.wait_line("no secure connection")
        expect("why=" in line, f"unclear: {line}")
        counted(world, "handshakes_failed_total", len(garbage))
        counted(world, "connections_failed_total", len(garbage) - 1, name="agent")
        line = agent.wait_line("a syslog connection failed")
        expect("listener=" in line and "why=" in line, f"unclear: {line}")
        for name in ("correlator", "agent"):
            path = os.path.join(world.run_dir, f"{name}.sock")
            for data in (*garbage, b"GET /status HTTP/9\r\n\r\n", b"POST /status HTTP/1.1\r\n\r\n",
                         b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", b"GET /../etc/passwd HTTP/1.1\r\n\r\n"):
                answer = rogue.say_unix(path, data, shut=False) if b"\r\n\r\n" in data else rogue.say_unix(path, data)
                expect(not answer or answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 5"),
                       f"{name}: {data[:30]!r} was answered with {answer[:60]!r}")
            expect(world.status(name) is not None, f"{name} does not answer any more")
        # and everything that came over open listeners is a line like any other
        rogue.say(ports["syslog-tcp"], b"<13>after the garbage\n")
        wait_until("a line after the garbage", lambda: b"after the garbage" in archive(world))


def test_slow_status_clients():
    """More clients than there are slots, none of which reads or asks: the next one is served all the same."""
    with World() as world:
        start_pair(world)
        for name in ("correlator", "agent"):
            path = os.path.join(world.run_dir, f"{name}.sock")
            slow = [socket.socket(socket.AF_UNIX) for _ in range(40)]
            for i, s in enumerate(slow):
                s.connect(path)
                s.sendall(b"GET /sta" if i % 2 else b"GET /metrics HTTP/1.1\r\n\r\n")
            wait_until(f"{name} to serve its status", lambda n=name: world.status(n, 5), 10)
            for s in slow:
                s.close()
        serves(world)


def test_slow_and_half_open_peers():
    """A peer that never reads, one that stays in the handshake, one that stops within a frame."""
    with World() as world:
        correlator = start_pair(world, extra="intake: {idle_timeout: 6s, handshakes_max: 8}")
        world.haidang("ca", "issue", "deaf", "--dir", world.path("ca"))
        world.haidang("ca", "issue", "mute", "--dir", world.path("ca"))
        silent = [socket.create_connection(("127.0.0.1", world.ports["correlator"])) for _ in range(24)]
        wait_until("the rest to wait", lambda: world.metric("correlator", "connections_deferred_total") > 0)
        serves(world, 20)
        with rogue.RogueAgent(world, "mute", timeout=20) as newcomer:  # each silent one in turn would take 30 s
            newcomer.send(rogue.hello("mute"))
            expect(newcomer.read_frame()[0] == rogue.WELCOME, "no welcome")
        for s in silent:
            s.close()
        with rogue.RogueAgent(world, "deaf", receive_buffer=4096) as deaf, rogue.RogueAgent(world, "mute") as mute:
            mute.send(rogue.hello("mute"))
            expect(mute.read_frame()[0] == rogue.WELCOME, "no welcome")
            mute.send(rogue.batch(1, 1, b"x" * 50)[:20])
            deaf.send(rogue.hello("deaf"))
            beats = rogue.frame(rogue.HEARTBEAT, struct.pack(">H", 0)) * 2000
            try:
                while world.metric("correlator", "slow_closed_total") == 0:
                    deaf.send(beats)
            except (OSError, ssl.SSLError):
                pass
            counted(world, "slow_closed_total")
            correlator.wait_line("agent does not read what it is told")
            code, why = mute.read_bye()
            expect(code == 0 and "nothing was heard for 6 s" in why, f"unclear: {code} {why}")
            counted(world, "idle_closed_total")
        serves(world)


IDLE = 1500


def test_idle_connections_up_to_the_cap():
    """Thousands of idle agents: those beyond the cap are refused and counted, the ones before go on."""
    need = 2 * IDLE + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(need, hard), hard))
    with World() as world:
        correlator = start_pair(world, extra=f"intake: {{agents_max: {IDLE}, handshakes_per_second: 100000, "
                                             "idle_timeout: 1h}")
        world.haidang("ca", "issue", "idler", "--dir", world.path("ca"))
        context = rogue.client_context(world, "idler")
        peers = []
        for _ in range(IDLE - 1):
            peer = rogue.RogueAgent(world, "idler", context=context)
            peer.send(rogue.hello("idler"))
            peers.append(peer)
        for peer in peers:
            expect(peer.read_frame()[0] == rogue.WELCOME, "an agent below the cap is not served")
        counted(world, "agents", IDLE)
        for _ in range(5):
            try:
                rogue.RogueAgent(world, "idler", context=context)
                raise Failure("a connection beyond the cap was taken")
            except (OSError, ssl.SSLError):
                pass
        counted(world, "connections_refused_total", 5)
        correlator.wait_line("too many connections: one was refused")
        serves(world)
        for peer in peers:
            peer.socket.close()
        wait_until("the idle ones to be gone", lambda: world.metric("correlator", "agents") == 1)
        with rogue.RogueAgent(world, "idler", context=context) as peer:
            peer.send(rogue.hello("idler"))
            expect(peer.read_frame()[0] == rogue.WELCOME, "no room although all have gone")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_too_many_syslog_senders():
    with World() as world:
        world.make_ca()
        install.correlator(world, rules=False)
        port = find_port()
        agent = install.agent(world, install.syslog_source(world, "syslog-tcp", port, "    connections_max: 5\n"
                                                                                     "    idle_timeout: 8s\n"))
        wait_until("the agent to be connected", lambda: is_connected(world, "agent"))
        senders = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
        wait_until("five senders", lambda: world.metric("agent", "connections") == 5)
        expect(rogue.say(port, b"") == b"", "a sixth sender was answered")
        counted(world, "connections_refused_total", name="agent")
        agent.wait_line("raise connections_max")
        senders[0].sendall(b"<13>one of the five\n<13>half a li")
        wait_until("its line", lambda: b"one of the five" in archive(world))
        wait_until("idle senders to be closed", lambda: world.metric("agent", "connections") == 0)
        wait_until("the half line to be kept", lambda: b"half a li\n" in archive(world))
        rogue.say(port, b"<13>there is room again\n")
        wait_until("a new sender", lambda: b"there is room again" in archive(world))
        for s in senders:
            s.close()


TESTS = (test_strangers_certificates, test_revoked_agent, test_correlators_certificate, test_wrong_names_and_versions,
         test_broken_protocol, test_garbage_on_every_port, test_slow_status_clients, test_slow_and_half_open_peers,
         test_idle_connections_up_to_the_cap, test_too_many_syslog_senders)
