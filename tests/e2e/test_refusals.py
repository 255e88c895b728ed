#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the forwarder refuses: http://, an unaccepted profile, a token that others can read, a centre that is not
the one it should be. Each is said with its reason, and not one byte of an alert leaves."""
import os
import socket
import ssl
import threading

import install
import rogue
from faults_peers import append, expect
from faults_start import PROFILE, changed
from world import World, find_port, main, program, wait_until

CERT, REFUSED = 4, 7


class Listener:
    """Stands where the centre should be, and keeps whatever it gets."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.got, self.connections = b"", 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.server.accept()
            except OSError:
                return
            self.connections += 1
            with peer:
                peer.settimeout(5)
                try:
                    while data := peer.recv(65536):
                        self.got += data
                except OSError:
                    pass


def start_with_alert(world):
    """A correlator that has published one alert which may leave."""
    world.make_ca()
    rule = rogue.RULE.format(title="Leaves", id="31111111-1111-4111-8111-111111111111", prefix="mark")
    world.write("rules/one.yml", rule + "haidang: {delivery: national}\n")
    install.run_correlator(world, install.correlator_config(world, library=world.path("rules")))
    os.makedirs(world.path("logs"))
    install.agent(world, install.file_source(world.path("logs", "*.log")))
    append(world, rogue.sshd_line("mark-secret"))
    wait_until("the alert", lambda: b"mark-secret" in world.journal_text(world.path("correlator", "alerts")))


def forwarder_config(world, url, more=""):
    """Asks for a token, as the centre does."""
    if not os.path.exists(world.path("token")):
        world.write("token", "user:sesame", 0o600)
    return f"""
alerts: {world.path("correlator", "alerts")}
state_dir: {world.path("forwarder")}
status: unix:{world.run_dir}/forwarder.sock
accept_unofficial_profile: [vn-ncsc-alert@0.1.0]
destinations:
  - name: ncsc
    url: {url}
    profile: {PROFILE}
    token_file: {world.path("token")}
    retry_first: 50ms
    retry_max: 200ms
    settings:
      - {{name: vendor_id, value: v}}
      - {{name: unit_id, value: u}}
      - {{name: sensor_id, value: 0123456789abcdef01234567}}
    tls:
      ca: {world.path("ca", "ca.crt")}
{more}
"""


def refused(world, config, code, *words):
    path = world.write("forwarder.yml", config)
    for options in (["--check"], []):
        done = world.run(program("haidang-forwarder"), "--config", path, *options, check=False)
        said = done.stdout + done.stderr
        missing = [w for w in words if w not in said]
        expect(done.returncode == code and not missing,
               f"{options}: ended with {done.returncode}, not {code}; unsaid: {missing}; it said:\n{said}")
        expect("sesame" not in said, "the token was printed")


def test_refused_at_start():
    with World() as world:
        start_with_alert(world)
        centre = Listener()
        url = f"https://127.0.0.1:{centre.port}"
        good = forwarder_config(world, url)
        refused(world, changed(good, "https://", "http://"), REFUSED, "destination ncsc", "http:// is refused",
                "https:// only")
        refused(world, changed(good, "accept_unofficial_profile: [vn-ncsc-alert@0.1.0]", ""), REFUSED,
                "vn-ncsc-alert@0.1.0", "not official", "accept_unofficial_profile")
        refused(world, changed(good, "vn-ncsc-alert@0.1.0", "vn-ncsc-alert@0.0.9"), REFUSED, "vn-ncsc-alert@0.1.0",
                "accept_unofficial_profile")
        os.chmod(world.path("token"), 0o640)
        refused(world, good, REFUSED, world.path("token"), "group or others may read it", "chmod 600")
        os.chmod(world.path("token"), 0o600)
        refused(world, changed(good, "ca.crt\n", "none.crt\n"), CERT, "ncsc", "none.crt")
        refused(world, changed(good, f"profile: {PROFILE}", f"profile: {world.write('bad.json', '{')}"), 3, "bad.json")
        expect(centre.connections == 0, "something went to the centre")


def forwards_nothing(world, port, *words):
    """The forwarder runs, says the words of the centre at the port, and counts the failures."""
    config = world.write("forwarder.yml", forwarder_config(world, f"https://127.0.0.1:{port}"))
    process = world.start("forwarder", [program("haidang-forwarder"), "--config", config])
    wait_until("the forwarder to have tried",
               lambda: (world.status("forwarder") or {"destinations": [{}]})["destinations"][0].get("last_error"))
    destination = world.status("forwarder")["destinations"][0]
    said = "\n".join(process.lines) + destination["last_error"]
    for word in words:
        expect(word in said, f"unsaid: {word}; it said:\n{said}")
    expect(destination["delivered"] == 0 and destination["pending"] >= 1, f"not kept: {destination}")
    expect(world.status("forwarder")["state"] == "degraded" and world.status("forwarder")["problems"],
           f"the status does not say it: {world.status('forwarder')}")
    expect(process.is_running(), "it ended")
    return process


def start_centre(world, name, ca="ca", port=None):
    port = port or find_port()
    issued = world.path(ca, "issued")
    out = world.path(f"got-{ca}-{name}.jsonl")
    world.start("centre", [program("haidang-centre"), "--listen", f"127.0.0.1:{port}", "--cert", f"{issued}/{name}.crt",
                           "--key", f"{issued}/{name}.key", "--out", out])

    def is_up():
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        except OSError:
            return False

    wait_until("the centre to be up", is_up)
    return port, out


def got(out):
    return open(out, encoding="utf-8").read() if os.path.exists(out) else ""


def test_false_centres():
    """A wrong host name, an expired certificate, a foreign CA, no TLS at all: nothing leaves, and the alert goes
    to the true centre when that is there."""
    with World() as world:
        start_with_alert(world)
        world.haidang("ca", "init", "--dir", world.path("foreign"))
        world.haidang("ca", "issue", "centre", "--dir", world.path("foreign"), "--server", "--host", "127.0.0.1")
        world.haidang("ca", "issue", "elsewhere", "--dir", world.path("ca"), "--server", "--host", "192.0.2.9")
        for name, ca, words in (("elsewhere", "ca", ("127.0.0.1",)), ("centre", "foreign", ("certificate",))):
            port, out = start_centre(world, name, ca)
            forwards_nothing(world, port, *words).kill(15)
            expect(got(out) == "", f"an alert went to {name} of {ca}: {got(out)}")
        rogue.issue_dated(world, "outdated", -30, -1, usage="server")
        false = FalseCentre(world, "outdated")
        forwards_nothing(world, false.port, "expired").kill(15)
        expect(false.requests == 0, "a request went to the expired centre")
        plain = Listener()
        forwards_nothing(world, plain.port).kill(15)
        expect(b"POST" not in plain.got and b"mark-secret" not in plain.got and b"sesame" not in plain.got,
               "something went to a centre without TLS")
        port, out = start_centre(world, "centre")
        config = world.write("forwarder.yml", forwarder_config(world, f"https://127.0.0.1:{port}"))
        world.start("forwarder", [program("haidang-forwarder"), "--config", config])
        wait_until("the true centre to get it", lambda: "Leaves" in got(out))
        wait_until("the receipt", lambda: world.status("forwarder")["destinations"][0]["delivered"] == 1)
        expect(got(out).count('"Leaves"') == 1, "it was sent twice")


class FalseCentre:
    """TLS with a certificate that haidang-centre itself would refuse to use."""

    def __init__(self, world, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued = world.path("ca", "issued")
        context.load_cert_chain(f"{issued}/{name}.crt", f"{issued}/{name}.key")
        self.context, self.requests = context, 0
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.server.accept()
                with peer:
                    peer.settimeout(5)
                    with self.context.wrap_socket(peer, server_side=True) as secure:
                        if secure.recv(1):
                            self.requests += 1
            except OSError:
                pass


if __name__ == "__main__":
    main(test_refused_at_start, test_false_centres)
