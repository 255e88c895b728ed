# SPDX-License-Identifier: Apache-2.0
"""Those that peers_durable.py compares: each takes lines over TCP or TLS, keeps them in a queue on disk and
passes them on to a second process that stores them on disk. Each as safe as its manual says it can be."""
import os
import re
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from world import Failure, find_port, wait_until  # noqa: E402
import install  # noqa: E402

NUMBER = re.compile(rb"n(\d{8})z")


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def read_files(directory, wanted=lambda name: True):
    parts = []
    for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
        path = os.path.join(directory, name)
        if os.path.isfile(path) and wanted(name):
            with open(path, "rb") as file:
                parts.append(file.read())
    return b"".join(parts)


class Contender:
    """`relay` takes the lines, `central` stores what the relay passes on."""

    name, configuration = "", ""

    def __init__(self, world, is_tls=False, is_to_be_killed=False):
        self.world, self.is_tls, self.is_to_be_killed = world, is_tls, is_to_be_killed
        self.relay = self.central = None
        self.port, self.central_port = find_port(), find_port()
        world.make_ca()
        for name in ("queue", "store"):
            os.makedirs(world.path(name), exist_ok=True)
        issued = world.path("ca", "issued")
        self.cert, self.key = f"{issued}/centre.crt", f"{issued}/centre.key"

    def run(self, name, argv, port):
        process = self.world.start(name, argv, env=self.environment())
        wait_until(f"{name} up", lambda: is_open(port) or not process.is_running())
        if not process.is_running():
            process.reader.join()
            raise Failure(f"{name} does not run:\n" + "\n".join(process.lines))
        return process

    def environment(self):
        return None

    def start_relay(self):
        raise NotImplementedError

    def start_central(self):
        raise NotImplementedError

    def kill(self):
        for process in (self.relay, self.central):
            if process:
                process.kill()

    def queue_dir(self):
        return self.world.path("queue")

    def store_dir(self):
        return self.world.path("store")

    def queued(self):
        """Bytes of the queue, in which each line stands."""
        return read_files(self.queue_dir())

    def stored(self):
        return read_files(self.store_dir())


class Haidang(Contender):
    name = "haidang"
    configuration = "agent: as shipped (spool synced before it is sent); correlator: as shipped, no rules (archive " \
                    "synced before it is acknowledged); mTLS between them"

    def start_relay(self):
        self.world.ports["correlator"] = self.central_port
        kind = "syslog-tls" if self.is_tls else "syslog-tcp"
        config = self.world.write("agent1.yml", install.agent_config(
            self.world, install.syslog_source(self.world, kind, self.port),
            uplink="  retry_first: 100ms\n  retry_max: 1s"))
        self.relay = self.run("agent", [install.program("haidang-agent"), "--config", config], self.port)

    def start_central(self):
        self.world.ports["correlator"] = self.central_port
        self.central = install.correlator(self.world, rules=False)

    def queue_dir(self):
        return self.world.path("agent1", "spool")

    def store_dir(self):
        return self.world.path("correlator", "archive")

    def queued(self):
        return self.world.journal_text(self.queue_dir())

    def stored(self):
        return self.world.journal_text(self.store_dir())


class Peer(Contender):
    def environment(self):
        return self.world.peer_env()

    def modules(self, library):
        done = subprocess.run(["find", self.environment()["HD_PEERS"], "-name", library], capture_output=True, text=True,
                              check=True)
        return os.path.dirname(done.stdout.strip())


RSYSLOG_RELAY = """
global(workDirectory="{dir}/queue" {driver})
module(load="imtcp" {mode})
input(type="imtcp" port="{port}" ruleset="out")
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="out" queue.type="Direct") {{
  action(type="omfwd" target="127.0.0.1" port="{central}" protocol="tcp" template="raw" action.resumeRetryCount="-1"
         action.resumeInterval="1" StreamDriver="ptcp" StreamDriverMode="0"
         queue.filename="q" queue.spoolDirectory="{dir}/queue" queue.maxDiskSpace="20g" queue.maxFileSize="64m"
         queue.saveOnShutdown="on" queue.timeoutEnqueue="600000" {queue})
}}
"""
RSYSLOG_CENTRAL = """
global(workDirectory="{dir}")
module(load="imtcp")
input(type="imtcp" port="{central}" ruleset="store")
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="store" queue.type="{store_queue}") {{
  action(type="omfile" file="{dir}/store/lines.log" template="raw" sync="{sync}")
}}
"""


class Rsyslog(Peer):
    queue = ""

    def fill(self, template):
        driver = f'DefaultNetstreamDriver="ossl" DefaultNetstreamDriverCAFile="{self.world.path("ca", "ca.crt")}" ' \
                 f'DefaultNetstreamDriverCertFile="{self.cert}" DefaultNetstreamDriverKeyFile="{self.key}"'
        mode = 'StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="anon"'
        return template.format(dir=self.world.dir, port=self.port, central=self.central_port, queue=self.queue,
                               store_queue="Direct" if self.is_to_be_killed else "LinkedList",
                               sync="off" if self.is_to_be_killed else "on",
                               driver=driver if self.is_tls else "", mode=mode if self.is_tls else "")

    def launch(self, name, text, port):
        config = self.world.write(f"{name}.conf", self.fill(text))
        return self.run(name, ["rsyslogd", "-n", "-f", config, "-i", self.world.path(f"{name}.pid"), "-M",
                               self.modules("lmnet.so")], port)

    def start_relay(self):
        self.relay = self.launch("relay", RSYSLOG_RELAY, self.port)

    def start_central(self):
        self.central = self.launch("central", RSYSLOG_CENTRAL, self.central_port)


SYNCED = 'queue.syncQueueFiles="on" queue.checkpointInterval="1"'


class RsyslogDisk(Rsyslog):
    name, queue = "rsyslog, disk", f'queue.type="Disk" queue.size="10000000" {SYNCED}'
    configuration = f'omfwd over TCP with {queue}; central: imtcp, omfile with sync="on" behind a queue in ' \
                    'memory (direct and not synced where processes are killed)'


class RsyslogAssisted(Rsyslog):
    name = "rsyslog, disk-assisted"
    queue = f'queue.type="LinkedList" queue.size="100000" queue.highWatermark="80000" queue.lowWatermark="20000" {SYNCED}'
    configuration = f"the same with {queue}"


class RsyslogUnsynced(Rsyslog):
    name, queue = "rsyslog, disk, unsynced", 'queue.type="Disk" queue.size="10000000"'
    configuration = f"the same with {queue}, no syncs and no checkpoints: the defaults"


SYSLOG_NG_RELAY = """
@version: 3.38
options {{ stats-freq(0); time-reopen(1); }};
source in {{ network(ip("127.0.0.1") port({port}) log-iw-size(10000) {tls}); }};
destination out {{ network("127.0.0.1" port({central}) transport("tcp")
  disk-buffer(reliable(yes) disk-buf-size(8589934592) mem-buf-size(67108864) dir("{dir}/queue"))); }};
log {{ source(in); destination(out); flags(flow-control); }};
"""
SYSLOG_NG_CENTRAL = """
@version: 3.38
options {{ stats-freq(0); }};
source in {{ network(ip("127.0.0.1") port({central}) transport("tcp") log-iw-size(10000)); }};
destination store {{ file("{dir}/store/lines.log" fsync({sync})); }};
log {{ source(in); destination(store); flags(flow-control); }};
"""


class SyslogNg(Peer):
    name = "syslog-ng, reliable"
    configuration = "disk-buffer(reliable(yes)), flow-control, network() over TCP; central: network(), file() with " \
                    "fsync(yes) (not synced where processes are killed)"

    def launch(self, name, text, port):
        tls = f'transport("tls") tls(key-file("{self.key}") cert-file("{self.cert}") peer-verify(optional-untrusted))'
        config = self.world.write(f"{name}.conf", text.format(
            dir=self.world.dir, port=self.port, central=self.central_port,
            tls=tls if self.is_tls else 'transport("tcp")', sync="no" if self.is_to_be_killed else "yes"))
        return self.run(name, ["syslog-ng", "-F", "-f", config, "--no-caps", "-R",
                               self.world.path(f"{name}.persist"), "-p", self.world.path(f"{name}.pid"), "-c",
                               self.world.path(f"{name}.ctl"), f"--module-path={self.modules('libsyslogformat.so')}", "-e"],
                        port)

    def start_relay(self):
        self.relay = self.launch("relay", SYSLOG_NG_RELAY, self.port)

    def start_central(self):
        self.central = self.launch("central", SYSLOG_NG_CENTRAL, self.central_port)


ALL = (Haidang, RsyslogDisk, RsyslogAssisted, RsyslogUnsynced, SyslogNg)
