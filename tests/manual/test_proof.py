#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands of docs/proof.md, exactly as they stand there, over an archive that the journal has written; and that
they see what was done to it. usage: test_proof.py SOURCE BUILD"""
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE, BUILD = sys.argv[1:3]
sys.path.insert(0, f"{SOURCE}/tests/support")
import tsa  # noqa: E402

ENTRIES, LINES, SEGMENT = 30, 25, 4096


def blocks():
    with open(f"{SOURCE}/docs/proof.md", encoding="utf-8") as page:
        return re.findall(r"^```sh\n(.*?)^```$", page.read(), re.M | re.S)


class Proof(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = holder.name
        self.make("archive", "seal.key")
        self.files = sorted(glob.glob(f"{self.dir}/archive/*.zst"))
        self.names = [os.path.basename(path) for path in self.files]
        self.assertGreater(len(self.files), 4)
        self.authority = tsa.Authority(f"{self.dir}/authority")
        shutil.copy(self.authority.path("ca.crt"), f"{self.dir}/tsa-ca.crt")
        self.stamp(self.files[-2])

    def make(self, archive, key, lines=LINES, segment=SEGMENT):
        subprocess.run([f"{BUILD}/tests/support/make_archive", f"{self.dir}/{archive}", f"{self.dir}/{key}",
                        "1", str(ENTRIES), str(lines), str(segment)], check=True)

    def compact(self, keep):
        """Makes an archive of larger segments and compacts it; what is older than `keep` seconds is dropped."""
        shutil.rmtree(f"{self.dir}/archive")
        self.make("archive", "seal.key", lines=300, segment=40000)
        with open(f"{self.dir}/retention.yml", "w", encoding="ascii") as rules:
            rules.write(f"otherwise: {keep}s\n")
        run = subprocess.run([f"{BUILD}/console/haidang", "archive", "compact", f"{self.dir}/archive", "--seal-key",
                              f"{self.dir}/seal.key", "--drop-expired", "--retention", f"{self.dir}/retention.yml"],
                             capture_output=True, text=True, check=True)
        self.files = sorted(glob.glob(f"{self.dir}/archive/*.zst"))
        self.names = [os.path.basename(path) for path in self.files]
        self.assertIn(f"{len(self.files) - 1} segments were compacted", run.stdout)
        self.stamp(self.files[-2])  # the statement is the one that it was sealed with

    def stamp(self, path):
        """What the correlator asks for and the forwarder brings."""
        os.mkdir(f"{self.dir}/archive/stamps")
        reply = self.authority.reply(self.authority.query(hashlib.sha256(self.statement(path)).hexdigest()))
        with open(f"{self.dir}/archive/stamps/{os.path.basename(path)[:-4]}.tsr", "wb") as file:
            file.write(reply)

    def statement(self, path):
        with open(path, "rb") as file:
            whole = file.read()
        at = whole.rindex(b"\nhaidang-seal 1\n") + 1
        return whole[at:whole.index(b"\nsignature ", at) + 1]

    def run_page(self):
        """What each block of the page prints, all of them run by one shell."""
        script = "".join(f"echo '@@@'\n{block}" for block in blocks())
        run = subprocess.run(["sh", "-eu"], input=script, cwd=self.dir, capture_output=True, text=True, check=False)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return run.stdout.split("@@@\n")[1:]

    def check(self):
        """What the block that looks at all segments complains of."""
        block = next(b for b in blocks() if "check.sh" in b)
        run = subprocess.run(["sh", "-eu"], input=block, cwd=self.dir, capture_output=True, text=True, check=True)
        *problems, last = run.stdout.splitlines()
        self.assertTrue(last.startswith("last sealed: "))
        return problems

    def change(self, path, at):
        with open(path, "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1]))

    def test_a_whole_archive(self):
        key, text, seal, signature, hashes, records, compacted, chain, stamp = self.run_page()
        self.assertEqual(compacted, "")
        self.assertRegex(stamp, r"^Verification: OK\n[A-Z][a-z]{2} .* GMT\n$")
        self.assertIn(f"key {key.split()[0]}\n", seal)
        self.assertIn("entry 1 line 0: Failed password", text)
        self.assertTrue(seal.startswith("haidang-seal 1\n"))
        self.assertEqual(signature, "Signature Verified Successfully\n")
        self.assertEqual(len({line.split()[0] for line in hashes.splitlines()}), 1)
        stated, counted = records.split()
        self.assertEqual(stated, counted)
        self.assertGreater(int(stated), LINES)
        *problems, last = chain.splitlines()
        self.assertEqual(problems, [f"{self.names[-1]} has no seal"])
        with open(f"{self.dir}/statement", "rb") as statement:
            digest = hashlib.sha256(statement.read()).hexdigest()
        self.assertEqual(last, f"last sealed: {self.names[-2]} {digest}")

    def test_a_compacted_archive(self):
        first = 1795219200 + 60  # the minute of the first batch; three of them are past their time
        self.compact(int(time.time()) - first - 150)
        *_, compacted, chain, stamp = self.run_page()
        self.assertTrue(stamp.startswith("Verification: OK\n"))
        self.assertEqual(chain.splitlines()[:-1], [f"{self.names[-1]} has no seal"])
        texts = compacted.split("haidang-compacted 1\n")[1:]
        self.assertEqual(len(texts), len(self.files) - 1)
        for number, text in enumerate(texts):
            stated = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
            self.assertIn("Signature Verified Successfully\n", text)
            hashes = [line.split()[0] for line in text.splitlines()[-6:]]
            self.assertEqual(hashes[0::2], hashes[1::2])
            self.assertEqual(stated.get("dropped"), "1-3 expired" if number == 0 else None)
            self.assertEqual(stated["before"] == stated["after"], number > 0)

        self.change(self.files[1], 300)
        self.assertEqual(set(self.check()[:-1]), {f"{self.names[1]}: the content is not what was signed"})
        self.change(self.files[1], 300)
        with open(self.files[1], "rb") as file:
            at = file.read().index(b"\nafter ") + 9
        self.change(self.files[1], at)
        self.assertEqual(set(self.check()[:-1]), {f"{self.names[1]}: its compaction is not signed with this key",
                                                  f"{self.names[1]}: the content is not what was signed"})

    def test_what_was_changed_is_seen(self):
        tail = f"{self.names[-1]} has no seal"
        self.change(self.files[1], 300)
        self.assertEqual(self.check(), [f"{self.names[1]}: the content is not what was signed", tail])
        self.change(self.files[1], 300)
        self.assertEqual(self.check(), [tail])
        with open(self.files[1], "rb") as file:
            at = file.read().index(b"\nrecords ") + 9
        self.change(self.files[1], at)
        self.assertEqual(self.check(), [f"{self.names[1]}: not signed with this key",
                                        f"{self.names[2]}: does not follow {self.names[1]}", tail])

    def test_what_was_taken_is_seen(self):
        os.remove(self.files[2])
        self.assertEqual(self.check(), [f"{self.names[3]}: does not follow {self.names[1]}",
                                        f"{self.names[-1]} has no seal"])

    def test_a_stamp_of_something_else_is_seen(self):
        os.rename(f"{self.dir}/archive/stamps/{self.names[-2][:-4]}.tsr",
                  f"{self.dir}/archive/stamps/{self.names[0][:-4]}.tsr")
        self.assertIn("message imprint mismatch", self.run_page()[-1])

    def test_what_somebody_else_made_is_seen(self):
        self.make("other", "other.key")
        shutil.copy(f"{self.dir}/other/{self.names[1]}", self.files[1])
        self.assertEqual(self.check()[:2], [f"{self.names[1]}: not signed with this key",
                                            f"{self.names[1]}: does not follow {self.names[0]}"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
