#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Segments that compaction exchanges, or retention removes, while a command is between listing and opening them: each
command is stopped at every moment at which it opens one."""
import os
import subprocess
import time

import archives
import console
from archives import ENTRIES
from console import OK

MAKE_PROOF = f"{console.BUILD}/tests/support/make_proof"
BOOT = "fedcba9876543210fedcba9876543210"
BIG = 40000
BEGIN = 1795219200  # of the batches' minutes


class Held(archives.Case):
    """A command that is stopped before it opens a file for the nth time, and what happens meanwhile."""

    def each_time(self, pattern, prepare, *args):
        """(code, output, errors) of each moment. prepare puts the archive in order; what it returns is done then."""
        for nth in range(1, 100):
            with open(self.path("out"), "wb") as out:
                ended = self.run_stopped(args, out, f"open {pattern} {nth} 1 stop", prepare())
            if ended is None:
                self.assertGreater(nth, 1)
                return
            yield ended[0], self.read(self.path("out")).decode(), ended[1]

    def compact(self, archive, *more):
        run = self.run_haidang("archive", "compact", archive, "--seal-key", self.path("seal.key"), "--json", *more)
        self.assertGreater(run.objects()[-1]["compacted"], 0, run.err)


class Archive(Held):
    def setUp(self):
        super().setUp()
        self.archive, whole = self.path("archive"), self.path("whole")
        subprocess.run([archives.MAKE, whole, self.path("seal.key"), "1", str(ENTRIES), "300", str(BIG)], check=True)
        self.n = len(self.segments(whole))
        self.second = os.path.basename(self.segments(whole)[1])
        self.first_of_third = int(os.path.basename(self.segments(whole)[2])[:20])

    def fresh(self):
        subprocess.run(["rm", "-rf", self.archive, self.path("into")], check=True)
        self.copy(self.path("whole"), "archive")

    def exchange(self):
        self.fresh()
        return lambda: self.compact(self.archive)

    def remove(self):
        """As retention does: the oldest ones."""
        self.fresh()
        return lambda: [os.remove(path) for path in self.segments(self.archive)[:2]]

    def moments(self, prepare, *args):
        for nth, result in enumerate(self.each_time(f"*/archive/{self.second}", prepare, *args), 1):
            with self.subTest(nth=nth):
                yield result

    def test_search(self):
        args = ("search", "line 7:", self.archive, "--jobs", "1")
        wanted = [f"entry {n} line 7:" for n in range(1, ENTRIES + 1)]
        for code, out, err in self.moments(self.exchange, *args):
            self.assertEqual((code, err), (OK, ""))
            self.assertEqual([w for w in wanted if w not in out], [])
        for code, out, err in self.moments(self.remove, *args):
            self.assertEqual(code, OK, err)
            self.assertEqual([w for w in wanted[self.first_of_third - 1:] if w not in out], [])
            is_whole = all(w in out for w in wanted)
            self.assertEqual("removed by retention meanwhile" in err, not is_whole)

    def test_verify(self):
        args = ("archive", "verify", self.archive, "--key", self.path("seal.key.pub"), "--jobs", "1")
        for code, out, err in self.moments(self.exchange, *args):
            self.assertEqual((code, err), (OK, ""), out)
        for code, out, err in self.moments(self.remove, *args):
            self.assertEqual((code, err), (OK, ""), out)
            self.assertIn("oldest segments that retention removed meanwhile 1\n", out)

    def test_verify_misses_what_somebody_took_away(self):
        def take():
            self.fresh()
            return lambda: os.remove(os.path.join(self.archive, self.second))
        for code, out, err in self.moments(take, "archive", "verify", self.archive, "--key", self.path("seal.key.pub"),
                                           "--jobs", "1"):
            self.assertEqual((code, err), (archives.PROBLEMS, ""))
            self.assertIn(f"missing: entries {int(self.second[:20])} to {self.first_of_third - 1} are not here", out)

    def test_list(self):
        for prepare, rows in ((self.exchange, self.n), (self.remove, self.n - 1)):
            for code, out, err in self.moments(prepare, "archive", "list", self.archive, "--json"):
                self.assertEqual((code, err, out.count("\n")), (OK, "", rows))

    def test_repair(self):
        args = ("archive", "repair", self.archive, "--into", self.path("into"))
        for code, out, err in self.moments(self.exchange, *args):
            self.assertEqual((code, err), (OK, ""), out)
            self.assertIn(f"  {ENTRIES} entries kept\n", out)
            self.assertEqual(self.problems(self.path("into"))[0], [])
        for code, out, err in self.moments(self.remove, *args):
            self.assertEqual((code, err), (archives.PROBLEMS, ""))
            lost = self.first_of_third - int(self.second[:20])
            self.assertIn(f"  {ENTRIES - lost} entries kept\n", out)
            self.assertIn(f"lost: entries {int(self.second[:20])} to {self.first_of_third - 1}", out)


class Prove(Held):
    def test_prove(self):
        whole, archive, bundle = self.path("whole"), self.path("made/archive"), self.path("bundle.tar")
        os.mkdir(whole)
        subprocess.run([MAKE_PROOF, whole], check=True, capture_output=True)
        os.rename(f"{whole}/seal.key", self.path("seal.key"))

        # without its first batch the second one lies elsewhere
        rules = self.write("retention.yml", f"otherwise: {int(time.time()) - BEGIN - 30}s\n")

        def prepare():
            subprocess.run(["rm", "-rf", self.path("made")], check=True)
            self.copy(whole, "made")
            return lambda: self.compact(archive, "--drop-expired", "--retention", rules)
        dirs = [word for name in ("archive", "alerts", "receipts") for word in (f"--{name}", self.path(f"made/{name}"))]
        keys = [word for name in ("seal", "forwarder") for word in ("--key", f"{whole}/{name}.key.pub")]
        met = 0
        for code, out, err in self.each_time("*/made/archive/00000000000000000001.zst", prepare, "prove", f"web1/{BOOT}/1",
                                             *dirs, *keys, "--bundle", bundle):
            self.assertEqual((code, err), (OK, ""), out)
            result = self.run_haidang("verify", bundle, *keys)
            self.assertEqual(result.code, OK, result.out)
            met += 1
        self.assertGreaterEqual(met, 2)


if __name__ == "__main__":
    console.main()
