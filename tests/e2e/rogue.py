# SPDX-License-Identifier: Apache-2.0
"""Peers that do not behave: certificates of strangers and of other times, raw and broken speakers of our
protocol, lines and rules to tell one message from another."""
import datetime
import os
import socket
import ssl
import struct

from world import PATIENCE, Failure

HELLO, WELCOME, BATCH, ACK, HEARTBEAT, BYE = range(1, 7)

RULE = """
title: {title}
id: {id}
status: test
author: Hải Đăng
date: 2026-11-21
license: Apache-2.0
logsource:
    product: linux
    service: sshd
detection:
    selection:
        user.name|startswith: {prefix}
    condition: selection
level: high
"""


def sshd_line(user, when=None):
    """A failed log-in, which the shipped decoder for sshd knows."""
    now = when or datetime.datetime.now(datetime.timezone.utc)
    return (f"<38>1 {now.isoformat()} web1 sshd 77 - - Failed password for invalid user {user} "
            "from 203.0.113.9 port 5000 ssh2\n")


# ---- certificates ----

CA_CONFIG = """
[ca]
default_ca = one
[one]
database = {dir}/index.txt
serial = {dir}/serial
new_certs_dir = {dir}
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[server]
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1, DNS:localhost
[client]
extendedKeyUsage = clientAuth
"""


def issue_dated(world, name, begin_days, end_days, usage="client", ca="ca"):
    """A certificate of our CA that is valid from and until so many days from now, as `name` in the CA's
    directory of issued ones. `haidang ca` would refuse to make it."""
    work = world.path(f"dated-{name}")
    os.makedirs(work)
    for file, text in (("index.txt", ""), ("serial", os.urandom(8).hex()), ("conf", CA_CONFIG.format(dir=work))):
        world.write(f"dated-{name}/{file}", text)
    key, out = world.path(ca, "issued", f"{name}.key"), world.path(ca, "issued", f"{name}.crt")
    now = datetime.datetime.now(datetime.timezone.utc)
    begin, end = (f"{now + datetime.timedelta(days=d):%Y%m%d%H%M%SZ}" for d in (begin_days, end_days))
    world.run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
              "-subj", f"/CN={name}", "-keyout", key, "-out", f"{work}/csr")
    world.run("openssl", "ca", "-batch", "-notext", "-config", f"{work}/conf", "-extensions", usage,
              "-cert", world.path(ca, "ca.crt"), "-keyfile", world.path(ca, "ca.key"), "-in", f"{work}/csr",
              "-out", out, "-startdate", begin, "-enddate", end)
    os.chmod(key, 0o600)


def client_context(world, name, ca="ca", trusted="ca"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(world.path(trusted, "ca.crt"))
    if name is not None:
        context.load_cert_chain(world.path(ca, "issued", f"{name}.crt"), world.path(ca, "issued", f"{name}.key"))
    return context


# ---- our protocol, spoken by hand ----

def frame(kind, body=b""):
    return struct.pack(">IB", 1 + len(body), kind) + body


def text(value):
    return struct.pack(">H", len(value)) + value


def hello(agent, boot=None, version_min=1, version_max=1, more=b""):
    boot = boot or os.urandom(16).hex()
    return frame(HELLO, struct.pack(">HH", version_min, version_max) + text(agent.encode()) + text(boot.encode()) +
                 text(b"rogue 0") + struct.pack(">QQ", 0, 0) + more)


def batch(first, last, payload, crc=0, raw_len=100):
    return frame(BATCH, struct.pack(">QQqqIII", first, last, 0, 0, last - first + 1, raw_len, crc) + payload)


class RogueAgent:
    """A connection to a correlator that sends what it is told and reads frames."""

    def __init__(self, world, name="agent1", port=None, context=None, receive_buffer=None, timeout=PATIENCE):
        raw = socket.socket()
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(timeout)
        raw.connect(("127.0.0.1", port or world.ports["correlator"]))
        self.socket = (context or client_context(world, name)).wrap_socket(raw, server_hostname="127.0.0.1")
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read_frame(self):
        """(kind, body), or None at the end."""
        while True:
            if len(self.buffer) >= 4:
                length, = struct.unpack(">I", self.buffer[:4])
                if len(self.buffer) >= 4 + length:
                    taken, self.buffer = self.buffer[4:4 + length], self.buffer[4 + length:]
                    return taken[0], taken[1:]
            try:
                data = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLError):
                return None
            if not data:
                return None
            self.buffer += data

    def read_bye(self):
        """(code, text) of the BYE that must come before the end."""
        while True:
            got = self.read_frame()
            if got is None:
                raise Failure("the correlator hung up without a BYE")
            if got[0] == BYE:
                code, length = struct.unpack(">HH", got[1][:4])
                return code, got[1][4:4 + length].decode()

    def is_ended(self):
        while self.read_frame() is not None:
            pass
        return True


def say(port, data, answer_max=4096):
    """Sends raw bytes over TCP and returns what came back until the peer ended."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as s:
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while len(got) < answer_max and (more := s.recv(4096)):
                got += more
        except ConnectionError:
            pass
    return got


def say_unix(path, data, shut=True):
    got = b""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(PATIENCE)
        s.connect(path)
        try:
            s.sendall(data)
            if shut:
                s.shutdown(socket.SHUT_WR)
            while more := s.recv(4096):
                got += more
        except ConnectionError:
            pass
    return got
