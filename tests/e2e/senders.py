# SPDX-License-Identifier: Apache-2.0
"""Who sends numbered lines over the network, until told to stop: senders of our own over UDP, TCP and TLS, a real
rsyslog, a real syslog-ng, logger. A line is KIND, seven digits, "z"; `sent` says how many there are."""
import select
import socket
import ssl
import subprocess
import threading
import time

from world import ANSWER, PATIENCE

PADDING = "x" * 120
CHUNK = 1 << 18


def text(kind, n):
    return f"<30>Nov 21 07:50:37 web1 gen[7]: {kind}{n:07d}z {PADDING}"


class Sender:
    """A thread that sends handfuls of lines at a rate."""

    def __init__(self, kind, rate=500):
        self.kind, self.sent, self.error, self.handful = kind, 0, None, max(1, rate // 50)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def run(self):
        try:
            while not self.stopped.wait(0.02):
                self.send([text(self.kind, n) for n in range(self.sent, self.sent + self.handful)])
                self.sent += self.handful
            self.end()
        except OSError as error:
            self.error = error

    def stop(self):
        self.stopped.set()
        self.thread.join(PATIENCE)

    def send(self, lines):
        raise NotImplementedError

    def end(self):
        """What has to be done when nothing more is sent."""


class Datagrams(Sender):
    def __init__(self, kind, port, rate=500):
        super().__init__(kind, rate)
        self.port, self.out = port, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def send(self, lines):
        for line in lines:
            self.out.sendto(line.encode(), ("127.0.0.1", self.port))

    def end(self):
        self.out.close()


class Stream(Sender):
    """Looks before it sends whether the peer has ended the connection, as rsyslog and syslog-ng do, and then
    makes a new one. What was sent by then is the peer's to read."""

    def __init__(self, kind, port, context=None, rate=500):
        super().__init__(kind, rate)
        self.port, self.context, self.out, self.connections = port, context, None, 0
        self.wants_end = False  # of this connection, by whoever uses it

    def connect(self):
        out = socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER)
        self.out = self.context.wrap_socket(out, server_hostname="127.0.0.1") if self.context else out
        self.connections += 1

    def send(self, lines):
        if self.out is not None and (self.wants_end or select.select([self.out], [], [], 0)[0]):
            self.end()
            self.wants_end = False
        if self.out is None:
            self.connect()
        self.out.sendall("".join(f"{len(line)} {line}" for line in lines).encode())

    def end(self):
        if self.out is not None:
            try:
                if self.context:
                    self.out.unwrap()
            except OSError:
                pass  # the peer ended without a word of TLS, which is all the same to us
            self.out.close()
        self.out = None


class Flood(threading.Thread):
    """Sends bytes as fast as they are taken, for so many seconds at most; `sent` is what our kernel took."""

    def __init__(self, port, data, seconds, is_tls=False):
        super().__init__(daemon=True)
        self.data, self.sent, self.is_stopped = memoryview(data), 0, False
        self.seconds = seconds
        raw = socket.create_connection(("127.0.0.1", port))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHUNK)
        if is_tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            raw = context.wrap_socket(raw)
        self.socket = raw
        raw.settimeout(0.2)

    def run(self):
        end = time.monotonic() + self.seconds
        try:
            while self.sent < len(self.data) and not self.is_stopped and time.monotonic() < end:
                try:
                    self.sent += self.socket.send(self.data[self.sent:self.sent + CHUNK])
                except (TimeoutError, ssl.SSLWantWriteError):
                    pass
        except OSError:
            pass  # the process was killed

    def halt(self):
        self.is_stopped = True
        self.join()

    def stop(self):
        self.halt()
        self.socket.close()


def unread(port):
    """Bytes on connections to this port that its program has not read."""
    total = 0
    with open("/proc/net/tcp", encoding="ascii") as table:
        for row in table.read().splitlines()[1:]:
            fields = row.split()
            sending, receiving = (int(n, 16) for n in fields[4].split(":"))
            if fields[3] == "01" and fields[1].endswith(f":{port:04X}"):
                total += receiving
            if fields[2].endswith(f":{port:04X}"):
                total += sending
    return total


def client_context(ca_file):
    context = ssl.create_default_context(cafile=ca_file)
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    return context


class Logger(Sender):
    """logger(1): a connection for each line."""

    def __init__(self, kind, port):
        super().__init__(kind, rate=50)
        self.port = port

    def send(self, lines):
        for line in lines:
            subprocess.run(["logger", "--tcp", "--octet-count", "-n", "127.0.0.1", "-P", str(self.port), line],
                           check=True, timeout=PATIENCE)


class File(Sender):
    """Appends to a file that a real syslog daemon reads."""

    def __init__(self, kind, path, rate=500):
        super().__init__(kind, rate)
        self.file = open(path, "a", encoding="ascii")

    def send(self, lines):
        self.file.write("".join(line + "\n" for line in lines))
        self.file.flush()

    def end(self):
        self.file.close()


RSYSLOG = """
global(workDirectory="{dir}" DefaultNetstreamDriver="ossl" DefaultNetstreamDriverCAFile="{dir}/ca/ca.crt"
       maxMessageSize="64k")
module(load="imfile")
template(name="line" type="string" string="<%PRI%>1 %TIMESTAMP:::date-rfc3339% %HOSTNAME% gen - - - %msg%")
input(type="imfile" File="{dir}/R.in" Tag="gen:" ruleset="tls")
ruleset(name="tls" queue.type="linkedList" queue.size="200000") {{
  action(type="omfwd" target="127.0.0.1" port="{tls}" protocol="tcp" template="line" TCP_Framing="octet-counted"
         StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="x509/certvalid"
         action.resumeRetryCount="-1" action.resumeInterval="1")
}}
input(type="imfile" File="{dir}/Q.in" Tag="gen:" ruleset="tcp")
ruleset(name="tcp" queue.type="linkedList" queue.size="200000") {{
  action(type="omfwd" target="127.0.0.1" port="{tcp}" protocol="tcp" template="line" TCP_Framing="octet-counted"
         StreamDriver="ptcp" StreamDriverMode="0" action.resumeRetryCount="-1" action.resumeInterval="1")
}}
"""

SYSLOG_NG = """
@version: 3.38
options {{ stats-freq(0); time-reopen(1); flush-lines(100); }};
source in {{ file("{dir}/S.in" follow-freq(0.1) flags(no-parse) program-override("gen") log-iw-size(10000)); }};
destination out {{ network("127.0.0.1" port({tcp}) transport("tcp") log-fifo-size(20000)); }};
log {{ source(in); destination(out); flags(flow-control); }};
"""


def start_daemons(world):
    """rsyslog over TLS (R) and over TCP (Q), syslog-ng over TCP (S), to the ports of the world."""
    files = [File(kind, world.path(f"{kind}.in")) for kind in "RQS"]
    world.rsyslog(RSYSLOG.format(dir=world.dir, tls=world.ports["tls"], tcp=world.ports["tcp"]))
    world.syslog_ng(SYSLOG_NG.format(dir=world.dir, tcp=world.ports["tcp"]))
    return files
