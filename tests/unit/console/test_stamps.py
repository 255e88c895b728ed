#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time stamps beside an archive: checked by `haidang archive verify`, carried along by export and import, and in bundles."""
import hashlib
import os
import subprocess
import sys
import tarfile

import archives
import console
from archives import CERT, PROBLEMS
from console import OK

sys.path.insert(0, os.path.join(console.SOURCE, "tests/support"))
import tsa  # noqa: E402

MAKE_PROOF = f"{console.BUILD}/tests/support/make_proof"


def statement(path):
    with open(path, "rb") as file:
        whole = file.read()
    return whole[whole.rindex(b"\nhaidang-seal 1\n") + 1:whole.rindex(b"signature ")]


class Case(archives.Case):
    def setUp(self):
        super().setUp()
        self.tsa = tsa.Authority(self.path("tsa"))

    def stamp_path(self, segment):
        directory, name = os.path.split(segment)
        os.makedirs(f"{directory}/stamps", exist_ok=True)
        return f"{directory}/stamps/{name[:-4]}.tsr"

    def stamp(self, segment, of=None, name="good", digest="-sha256"):
        """Stamps the statement of a segment, or of another one."""
        request = self.tsa.openssl("ts", "-query", "-data", self.write("statement", statement(of or segment)), digest, "-cert")
        reply = self.tsa.reply(request, name, digests="sha256,sha3-256")
        self.write(self.stamp_path(segment), reply)
        return reply

    def tsa_ca(self, name="ca"):
        return ["--tsa-ca", self.tsa.path(f"{name}.crt")]


class Verify(Case):
    def test_stamps_that_hold(self):
        archive = self.make()
        for segment in self.segments(archive)[:3]:
            self.stamp(segment)
        problems, outcome = self.problems(archive, *self.tsa_ca())
        self.assertEqual((problems, outcome["stamps"], outcome["stamps_hold"]), ([], 3, 3))
        self.assertEqual(outcome["stamped_segment"], int(os.path.basename(self.segments(archive)[2])[:20]))
        text = self.verify(archive, *self.tsa_ca(), "--lang", "vi")
        self.assertIn("số dấu thời gian: 3; mọi đoạn đến", text.out)

    def test_without_the_authority_they_are_only_counted(self):
        archive = self.make()
        self.stamp(self.segments(archive)[0])
        result = self.verify(archive)
        self.assertEqual(result.code, OK)
        self.assertIn("time stamps 1, not checked", result.out)

    def test_stamps_that_do_not_hold(self):
        archive = self.make()
        first, second = self.segments(archive)[:2]
        for how, text in ((lambda: self.stamp(first, of=second), "something else"),
                          (lambda: self.stamp(first, name="foreign"), "unable to get local issuer certificate"),
                          (lambda: self.stamp(first, name="expired"), "certificate has expired"),
                          (lambda: self.stamp(first, digest="-sha3-256"), "another kind of hash"),
                          (lambda: self.write(self.stamp_path(first), tsa.TEXT), "no reply of RFC 3161"),
                          (lambda: self.write(self.stamp_path(first), b""), "no reply of RFC 3161")):
            how()
            problems, outcome = self.problems(archive, *self.tsa_ca())
            self.assertEqual([p["problem"] for p in problems], ["stamp"], text)
            self.assertIn(text, problems[0]["text"])
            self.assertEqual((outcome["stamps"], outcome["stamps_hold"]), (1, 0))
        self.assertIn("time stamp beside", self.verify(archive, *self.tsa_ca()).out)

    def test_no_bit_of_a_stamp_can_change_it(self):
        archive = self.make(last=10)
        segment = self.segments(archive)[0]
        whole = self.stamp(segment)
        unseen = []
        for at in range(0, len(whole), 37):
            changed = bytearray(whole)
            changed[at] ^= 4
            self.write(self.stamp_path(segment), bytes(changed))
            _, outcome = self.problems(archive, *self.tsa_ca())
            if outcome["stamps_hold"] and outcome["stamped"] != self.time_of(archive, segment, whole):
                unseen.append(at)
        self.assertEqual(unseen, [])

    def time_of(self, archive, segment, whole):
        self.write(self.stamp_path(segment), whole)
        return self.problems(archive, *self.tsa_ca())[1]["stamped"]

    def test_a_bad_authority_file(self):
        for path, text in ((self.path("none"), "not found"), (self.write("empty", ""), "no PEM certificate")):
            result = self.run_haidang("archive", "verify", self.path("none"), "--tsa-ca", path)
            self.assertEqual(result.code, CERT)
            self.assertIn(text, result.err)


class Carry(Case):
    def test_export_and_import_take_them_along(self):
        archive = self.make()
        keys = ["--key", self.path("seal.key.pub")]
        stamped = self.segments(archive)[1]
        whole = self.stamp(stamped)
        name = os.path.basename(self.stamp_path(stamped))
        self.assertEqual(self.run_haidang("archive", "export", archive, self.path("out"), *keys).code, OK)
        self.assertEqual(self.read(self.path(f"out/stamps/{name}")), whole)
        check = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=self.path("out"), capture_output=True, text=True, check=False)
        self.assertEqual(check.returncode, 0, check.stderr)
        self.assertIn(f"stamps/{name}: OK", check.stdout)
        self.assertEqual(self.run_haidang("archive", "import", self.path("out"), "--into", self.path("in"), *keys).code, OK)
        self.assertEqual(self.problems(self.path("in"), *self.tsa_ca())[1]["stamps_hold"], 1)
        later = self.segments(archive)[0]  # a stamp that comes when the segment is there already
        self.stamp(later)
        self.assertEqual(self.run_haidang("archive", "export", archive, self.path("out"), *keys).code, OK)
        self.assertEqual(self.problems(self.path("out"), *self.tsa_ca())[1]["stamps_hold"], 2)


class Bundle(Case):
    EVENT = "web1/fedcba9876543210fedcba9876543210/1"

    def setUp(self):
        super().setUp()
        subprocess.run([MAKE_PROOF, self.dir], check=True, capture_output=True)
        for segment in self.segments(self.path("archive")):
            if b"\nhaidang-seal 1\n" in self.read(segment):
                self.stamp(segment)

    def keys(self):
        return [word for name in ("seal.key.pub", "forwarder.key.pub") for word in ("--key", self.path(name))]

    def bundle(self):
        dirs = [w for n in ("archive", "alerts", "receipts") for w in (f"--{n}", self.path(n))]
        result = self.run_haidang("prove", self.EVENT, *dirs, *self.keys(), "--bundle", self.path("bundle.tar"))
        self.assertEqual((result.code, result.err), (OK, ""))
        self.assertIn("time stamp of", result.out)
        return self.path("bundle.tar")

    def test_the_stamp_is_in_it_and_is_checked(self):
        bundle = self.bundle()
        with tarfile.open(bundle) as tar:
            self.assertTrue([n for n in tar.getnames() if n.startswith("archive/") and n.endswith(".tsr")])
        result = self.run_haidang("verify", bundle, *self.keys(), *self.tsa_ca())
        self.assertEqual(result.code, OK, result.out)
        self.assertIn(".tsr: the authority saw its seal at", result.out)
        self.assertIn("not checked (--tsa-ca)", self.run_haidang("verify", bundle, *self.keys()).out)
        wrong = self.run_haidang("verify", bundle, *self.keys(), *self.tsa_ca("foreign-ca"))
        self.assertEqual(wrong.code, PROBLEMS)
        self.assertIn("FAILS", wrong.out)

    def test_no_byte_of_it_can_be_changed_unseen(self):
        bundle = self.bundle()
        whole = self.read(bundle)
        with tarfile.open(bundle) as tar:
            member = next(m for m in tar.getmembers() if m.name.endswith(".tsr"))
        for at in range(member.offset_data, member.offset_data + member.size, 41):
            changed = bytearray(whole)
            changed[at] ^= 1
            path = self.write("changed.tar", bytes(changed))
            self.assertEqual(self.run_haidang("verify", path, *self.keys()).code, PROBLEMS, at)

    def test_what_the_page_says_of_a_digest(self):
        segment = self.segments(self.path("archive"))[0]
        text = self.tsa.openssl("ts", "-reply", "-in", self.stamp_path(segment), "-text").decode()
        digest = hashlib.sha256(statement(segment)).hexdigest()
        self.assertIn(digest[:2] + " " + digest[2:4], text)


if __name__ == "__main__":
    console.main()
