#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A command reads an archive while compaction exchanges a segment, or retention takes it away. The command is stopped
before each call on that segment (tests/support/fault.c), the segment changes, and the command goes on."""
import os
import shutil
import subprocess

import archives
import console
from console import OK

CALLS, MANY = ("open", "read"), 1000


class Case(archives.Case):
    def setUp(self):
        super().setUp()
        self.whole = self.path("whole")
        subprocess.run([archives.MAKE, self.whole, self.path("seal.key"), "1", "12", "300", "20000"], check=True)
        self.small = self.copy(self.whole, "small")
        result = self.run_haidang("archive", "compact", self.small, "--seal-key", self.path("seal.key"))
        self.assertEqual(result.code, OK, result.err)
        self.victim = os.path.basename(self.segments(self.whole)[0])
        sizes = [os.path.getsize(os.path.join(archive, self.victim)) for archive in (self.small, self.whole)]
        self.assertLess(*sizes)

    def exchange(self, archive):
        shutil.copy(os.path.join(self.small, self.victim), os.path.join(archive, ".new"))
        os.rename(os.path.join(archive, ".new"), os.path.join(archive, self.victim))

    def take_away(self, archive):
        os.remove(os.path.join(archive, self.victim))

    def at_each_call(self, change, command):
        """Runs command(archive, number) at each call on the victim; what it leaves behind is judged by `command`."""
        met = 0
        for call in CALLS:
            for nth in range(1, MANY):
                archive = self.copy(self.whole, f"{call}{nth}")
                ended = command(archive, f"{call} */{os.path.basename(archive)}/{self.victim} {nth} 1 stop",
                                lambda: change(archive))
                if ended is None:
                    break
                self.assertEqual(ended[0], OK, f"{call} {nth}: {ended}")
                met += 1
        self.assertGreater(met, 1)

    def export(self, archive, fault, change):
        out = archive + ".out"
        ended = self.run_stopped(["archive", "export", archive, out, "--key", self.path("seal.key.pub")],
                                 subprocess.DEVNULL, fault, change)
        if ended is not None:
            self.assertEqual(self.verify(out).code, OK)
        return ended

    def stream(self, archive, fault, change):
        out = archive + ".tar"
        with open(out, "wb") as file:
            ended = self.run_stopped(["archive", "export", archive, "-", "--key", self.path("seal.key.pub")], file, fault,
                                     change)
        if ended is not None:
            with open(out, "rb") as file:
                taken = self.run_haidang("archive", "import", "-", "--into", archive + ".in", "--key",
                                         self.path("seal.key.pub"), stdin=file.read())
            self.assertEqual(taken.code, OK, taken.out)
        return ended

    def compare(self, archive, fault, change):
        return self.run_stopped(["archive", "compare", archive, self.whole], subprocess.DEVNULL, fault, change)


class Exchange(Case):
    def test_export(self):
        self.at_each_call(self.exchange, self.export)

    def test_export_to_a_pipe(self):
        self.at_each_call(self.exchange, self.stream)

    def test_compare(self):
        self.at_each_call(self.exchange, self.compare)


class Retention(Case):
    def test_export(self):
        self.at_each_call(self.take_away, self.export)

    def test_export_to_a_pipe(self):
        self.at_each_call(self.take_away, self.stream)

    def test_compare(self):
        self.at_each_call(self.take_away, self.compare)


if __name__ == "__main__":
    console.main()
