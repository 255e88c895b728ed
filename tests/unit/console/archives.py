# SPDX-License-Identifier: Apache-2.0
"""Archives made by the real journal code, and ways to harm them."""
import os
import shutil
import signal
import subprocess

import console

FAULT = f"{console.BUILD}/tests/support/libhd_test_fault.so"
MAKE = f"{console.BUILD}/tests/support/make_archive"
STORE, CERT, PROBLEMS = 6, 4, 1
ENTRIES, LINES, SEGMENT = 40, 20, 4096


class Case(console.Case):
    def path(self, name):
        return os.path.join(self.dir, name)

    def make(self, name="archive", key="seal.key", first=1, last=ENTRIES, segment=SEGMENT, secret=None):
        """A directory of several sealed segments and one in use. The key's public half is KEY.pub. secret: a key file
        to encrypt with."""
        key = key if key == "-" else self.path(key)
        more = ["0", secret] if secret else []
        subprocess.run([MAKE, self.path(name), key, *map(str, (first, last, LINES, segment)), *more], check=True)
        return self.path(name)

    def segments(self, archive):
        return sorted(os.path.join(archive, f) for f in os.listdir(archive) if f.endswith(".zst"))

    def copy(self, archive, name):
        return shutil.copytree(archive, self.path(name))

    def change(self, path, at, flip=0x40):
        with open(path, "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ flip]))

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def entry_offsets(self, path):
        """Where the entries of a segment begin, by their frames."""
        data, at, found = self.read(path), 64, []
        while data[at:at + 4] == b"\x51\x2a\x4d\x18":
            found.append(at)
            at += 8 + int.from_bytes(data[at + 4:at + 8], "little") + int.from_bytes(data[at + 12:at + 16], "little")
        return found

    def run_stopped(self, args, out, fault, change):
        """How it ended; None when the call never came."""
        fired = self.path("fired")
        env = {**os.environ, "LC_ALL": "C", "LD_PRELOAD": FAULT, "HD_FAULT": fault, "HD_FAULT_FIRED": fired}
        with subprocess.Popen([console.PROGRAM, *args], stdout=out, stderr=subprocess.PIPE, env=env) as process:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                process.returncode = os.waitstatus_to_exitcode(status)
                return None
            try:
                change()
            finally:
                os.kill(process.pid, signal.SIGCONT)
            told = process.stderr.read().decode()
            return process.wait(), told

    def verify(self, archive, *more, key="seal.key.pub"):
        keys = ["--key", self.path(key)] if key else []
        return self.run_haidang("archive", "verify", archive, *keys, *more)

    def problems(self, archive, *more, key="seal.key.pub"):
        """(problems, outcome), from --json."""
        *problems, outcome = self.verify(archive, "--json", *more, key=key).objects()
        self.assertEqual(outcome["problems"], len(problems))
        self.assertEqual(outcome["holds"], not problems)
        return problems, outcome
