# SPDX-License-Identifier: Apache-2.0
"""A whole installation in one directory, for end-to-end tests: our three programs, real senders
(rsyslog, syslog-ng, nginx, sshd unpacked by packaging/peers) and a test centre. Everything listens
on loopback, on ports that the kernel or find_port() chose, and is gone when the world ends."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = os.environ.get("HD_SOURCE_DIR", os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..")))
BUILD = os.environ.get("HD_BUILD_DIR", os.path.join(SOURCE, "build", "dev"))
PEERS = os.environ.get("HD_PEERS_DIR", os.path.join(os.path.dirname(BUILD), "peers"))
SKIP = 77
PATIENCE = 180.0  # seconds, of a machine that has ten other things to do: only a failure takes so long
ANSWER = 30.0  # the same for one answer on a socket


class Failure(Exception):
    pass


class NotRun(Exception):
    """Raised by a test that this machine cannot run: counted as skipped, never as passed."""


def skip(reason):
    print(f"SKIPPED: {reason}")
    sys.exit(SKIP)


def program(name):
    room = {"haidang": "console", "haidang-agent": "collector", "haidang-correlator": "correlator",
            "haidang-forwarder": "forwarder", "haidang-centre": "tests/support/centre"}[name]
    return os.path.join(BUILD, room, name)


GIVEN = set()


def find_port(kind=socket.SOCK_STREAM):
    """A port for programs that cannot be told 0 (rsyslog, nginx, sshd); never the same one twice."""
    while True:
        with socket.socket(socket.AF_INET, kind) as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port not in GIVEN:
            GIVEN.add(port)
            return port


def wait_until(what, condition, seconds=PATIENCE):
    """Asks until the condition holds: for states that nobody announces."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, seconds=ANSWER):
        super().__init__("localhost", timeout=seconds)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Process:
    """A program whose output is kept and can be waited for."""

    def __init__(self, world, name, argv, env=None, stdin=None, pass_fds=()):
        self.name, self.lines, self.changed = name, [], threading.Condition()
        self.popen = subprocess.Popen(argv, cwd=world.dir, env=env, stdin=stdin, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True, errors="replace", pass_fds=pass_fds)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.popen.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def wait_line(self, words, seconds=PATIENCE, start=0):
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                for line in self.lines[start:]:
                    if words in line:
                        return line
                start = len(self.lines)
                left = end - time.monotonic()
                if left <= 0 or (self.popen.poll() is not None and not self.reader.is_alive()):
                    raise Failure(f"{self.name} never said '{words}'; its last words:\n  " +
                                  "\n  ".join(self.lines[-15:]))
                self.changed.wait(left)

    def kill(self, how=signal.SIGKILL):
        if self.popen.poll() is None:
            self.popen.send_signal(how)
        return self.popen.wait(timeout=PATIENCE)

    def is_running(self):
        return self.popen.poll() is None

    def end(self):
        self.was_ended = self.is_running()
        self.kill(signal.SIGTERM)
        self.reader.join(timeout=ANSWER)

    def check_end(self):
        """One of our programs that ran to the end of the world ended in order; no sanitizer complained."""
        bad = [line for line in self.lines if "Sanitizer" in line or "runtime error:" in line]
        is_ours = any(os.path.basename(a) in ("haidang-agent", "haidang-correlator", "haidang-forwarder")
                      for a in self.popen.args)
        if bad or (is_ours and self.was_ended and self.popen.returncode != 0):
            raise Failure(f"{self.name} ended with {self.popen.returncode}:\n" + "\n".join(bad or self.lines[-15:]))


class World:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="haidang-e2e-")
        self.processes = []
        self.run_dir = os.path.join(self.dir, "run")
        os.mkdir(self.run_dir)
        self.ports = {}

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for p in reversed(self.processes):
            p.end()
        if kind is not None and not issubclass(kind, (SystemExit, NotRun)):
            for p in self.processes:
                print(f"---- {p.name} (last 25 lines)")
                print("\n".join(p.lines[-25:]))
        if os.environ.get("HD_E2E_KEEP"):
            print(f"kept: {self.dir}")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
        if kind is None:
            for p in self.processes:
                p.check_end()

    # ---- basics ----

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def run(self, *argv, check=True):
        done = subprocess.run(argv, cwd=self.dir, capture_output=True, text=True, errors="replace")
        if check and done.returncode != 0:
            raise Failure(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def start(self, name, argv, **kwargs):
        process = Process(self, name, argv, **kwargs)
        self.processes.append(process)
        return process

    def haidang(self, *args, check=True):
        return self.run(program("haidang"), *args, check=check)

    def status(self, name, seconds=ANSWER):
        """The /status of a program, or None while it does not answer."""
        try:
            connection = UnixConnection(os.path.join(self.run_dir, f"{name}.sock"), seconds)
            connection.request("GET", "/status")
            return json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def metrics(self, name):
        """The /metrics of a program as a dict, {} while it does not answer."""
        try:
            connection = UnixConnection(os.path.join(self.run_dir, f"{name}.sock"))
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException, ValueError):
            return {}
        return {k: int(v) for k, v in (line.split() for line in text.splitlines() if not line.startswith("#"))}

    def metric(self, program_name, metric):
        """One of them, by the name behind the program's."""
        prefix = "haidang_agent_" if program_name.startswith("agent") else f"haidang_{program_name}_"
        return self.metrics(program_name).get(prefix + metric, 0)

    # ---- certificates ----

    def make_ca(self):
        ca = self.path("ca")
        self.haidang("ca", "init", "--dir", ca)
        self.haidang("ca", "issue", "correlator", "--dir", ca, "--server", "--host", "127.0.0.1", "--host", "localhost")
        self.haidang("ca", "issue", "centre", "--dir", ca, "--server", "--host", "127.0.0.1", "--host", "localhost")
        self.haidang("ca", "issue", "agent1", "--dir", ca)
        self.haidang("ca", "issue", "forwarder", "--dir", ca)

    def tls(self, name, indent="  "):
        ca = self.path("ca")
        return "\n".join(f"{indent}{key}: {value}" for key, value in
                         (("cert", f"{ca}/issued/{name}.crt"), ("key", f"{ca}/issued/{name}.key"), ("ca", f"{ca}/ca.crt")))

    # ---- what is in a journal ----

    def journal_text(self, directory):
        """All payloads of a journal, with nothing but zstd."""
        names = sorted(n for n in os.listdir(directory) if n.endswith(".zst"))
        if not names:
            return b""
        done = subprocess.run(["zstdcat"] + [os.path.join(directory, n) for n in names], capture_output=True)
        return done.stdout

    def archive_lines(self, directory):
        """Every archived line (raw bytes, still escaped where flagged), in order."""
        for line in self.journal_text(directory).split(b"\n"):
            if line.startswith(b"{") or not line:
                continue
            yield line.split(b" ", 2)[2]

    # ---- real peers ----

    def peer_env(self):
        env_file = os.path.join(PEERS, "env")
        if not os.path.exists(env_file):
            skip(f"no real peers in {PEERS}: run packaging/peers {PEERS} nginx openssh-server rsyslog "
                 "rsyslog-openssl syslog-ng-core logrotate")
        done = subprocess.run(["sh", "-c", f". {env_file}; env -0"], capture_output=True, text=True, check=True)
        return dict(item.split("=", 1) for item in done.stdout.split("\0") if "=" in item)

    def syslog_ng(self, config):
        env = self.peer_env()
        modules = subprocess.run(["find", env["HD_PEERS"], "-name", "libsyslogformat.so"], capture_output=True,
                                 text=True, check=True).stdout.strip()
        argv = ["syslog-ng", "-F", "-f", self.write("syslog-ng.conf", config), "--no-caps",
                "-R", self.path("syslog-ng.persist"), "-p", self.path("syslog-ng.pid"),
                "-c", self.path("syslog-ng.ctl"), f"--module-path={os.path.dirname(modules)}", "-e"]
        return self.start("syslog-ng", argv, env=env)

    def rsyslog(self, config):
        env = self.peer_env()
        modules = subprocess.run(["find", env["HD_PEERS"], "-name", "lmnet.so"], capture_output=True,
                                 text=True, check=True).stdout.strip()
        argv = ["rsyslogd", "-n", "-f", self.write("rsyslog.conf", config), "-i", self.path("rsyslog.pid"),
                "-M", os.path.dirname(modules)]
        return self.start("rsyslog", argv, env=env)


def main(*tests):
    """Runs the tests named on the command line, or all; prints a line each and a closing line."""
    chosen = [t for t in tests if not sys.argv[1:] or t.__name__ in sys.argv[1:]]
    failed = skipped = 0
    for test in chosen:
        begin = time.monotonic()
        try:
            test()
            print(f"ok   {test.__name__} ({time.monotonic() - begin:.1f} s)", flush=True)
        except NotRun as reason:
            skipped += 1
            print(f"SKIP {test.__name__}: {reason}", flush=True)
        except (Failure, AssertionError, OSError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"FAIL {test.__name__}: {error}", flush=True)
    print(f"{len(chosen) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not chosen else 0)
