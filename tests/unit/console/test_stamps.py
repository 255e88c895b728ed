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


class Proof(Case):
    EVENT = "web1/fedcba9876543210fedcba9876543210/1"

    def setUp(self):
        super().setUp()
        subprocess.run([MAKE_PROOF, self.dir], check=True, capture_output=True)

    def sealed(self, journal):
        return [s for s in self.segments(self.path(journal)) if b"\nhaidang-seal 1\n" in self.read(s)]

    def keys(self):
        return [word for name in ("seal.key.pub", "forwarder.key.pub") for word in ("--key", self.path(name))]

    def bundle(self, is_whole=True):
        dirs = [w for n in ("archive", "alerts", "receipts") for w in (f"--{n}", self.path(n))]
        result = self.run_haidang("prove", self.EVENT, *dirs, *self.keys(), "--bundle", self.path("bundle.tar"))
        self.assertEqual((result.code, result.err == ""), (OK, is_whole), result.err)
        self.shown = result.out
        return self.path("bundle.tar")

    def member(self, bundle, end):
        with tarfile.open(bundle) as tar:
            member = next(m for m in tar.getmembers() if m.name.startswith("archive/") and m.name.endswith(end))
            return member, tar.extractfile(member).read()

    def check_bytes(self, end, step, *more):
        """No byte of this member can be changed unseen."""
        bundle = self.bundle()
        whole = self.read(bundle)
        member, _ = self.member(bundle, end)
        for at in range(member.offset_data, member.offset_data + member.size, step):
            changed = bytearray(whole)
            changed[at] ^= 1
            path = self.write("changed.tar", bytes(changed))
            self.assertEqual(self.run_haidang("verify", path, *self.keys(), *more).code, PROBLEMS, at)


class Bundle(Proof):
    def setUp(self):
        super().setUp()
        for segment in self.sealed("archive"):
            self.stamp(segment)

    def test_the_stamp_is_in_it_and_is_checked(self):
        bundle = self.bundle()
        self.assertIn("time stamp of", self.shown)
        self.member(bundle, ".tsr")
        result = self.run_haidang("verify", bundle, *self.keys(), *self.tsa_ca())
        self.assertEqual(result.code, OK, result.out)
        self.assertIn(".tsr: the authority saw its seal at", result.out)
        self.assertIn("not checked (--tsa-ca)", self.run_haidang("verify", bundle, *self.keys()).out)
        wrong = self.run_haidang("verify", bundle, *self.keys(), *self.tsa_ca("foreign-ca"))
        self.assertEqual(wrong.code, PROBLEMS)
        self.assertIn("FAILS", wrong.out)

    def test_no_byte_of_it_can_be_changed_unseen(self):
        self.check_bytes(".tsr", 41)

    def test_what_the_page_says_of_a_digest(self):
        segment = self.segments(self.path("archive"))[0]
        text = self.tsa.openssl("ts", "-reply", "-in", self.stamp_path(segment), "-text").decode()
        digest = hashlib.sha256(statement(segment)).hexdigest()
        self.assertIn(digest[:2] + " " + digest[2:4], text)


class LaterStamp(Proof):
    """Only a later segment is stamped: the seals up to it come along."""

    def setUp(self):
        super().setUp()
        self.first, *_, self.last = self.sealed("archive")

    def between(self):
        return [statement(s) for s in self.sealed("archive") if self.first < s <= self.last]

    def test_what_was_there_before_it(self):
        self.stamp(self.last)
        bundle = self.bundle()
        name = os.path.basename(self.last)
        self.assertIn(f"on a later seal of its chain, that of {name}", self.shown)
        self.assertEqual(self.member(bundle, ".chain")[1], b"".join(self.between()))
        self.assertGreater(len(self.between()), 2)
        result = self.run_haidang("verify", bundle, *self.keys(), *self.tsa_ca())
        self.assertEqual(result.code, OK, result.out)
        self.assertIn(f".chain: the seals that follow it, up to that of {name}", result.out)
        self.assertIn(".tsr: the authority saw a later seal of its chain at", result.out)
        vi = self.run_haidang("verify", bundle, *self.keys(), *self.tsa_ca(), "--lang", "vi")
        self.assertIn("cơ quan đã thấy niêm phong sau nó trong chuỗi lúc", vi.out)
        self.assertEqual(self.run_haidang("verify", bundle, *self.keys(), *self.tsa_ca("foreign-ca")).code, PROBLEMS)

    def test_the_nearest_is_taken(self):
        self.stamp(self.last)
        second = self.sealed("archive")[1]
        self.stamp(second)
        self.assertEqual(self.member(self.bundle(), ".chain")[1], statement(second))
        self.stamp(self.first)  # and of what has one of its own no chain is needed
        with tarfile.open(self.bundle()) as tar:
            self.assertFalse([n for n in tar.getnames() if n.endswith(".chain")])

    def test_no_byte_can_be_changed_unseen(self):
        self.stamp(self.last)
        self.check_bytes(".chain", 29)
        self.check_bytes(".chain", 97, *self.tsa_ca())
        self.check_bytes(".tsr", 61)

    def test_a_chain_that_is_broken_is_no_proof(self):
        """A seal between names another before it: nothing is claimed, and what is there holds."""
        self.stamp(self.last)
        second = self.sealed("archive")[1]
        whole = self.read(second)
        at = whole.rindex(b"\nprevious ") + len(b"\nprevious 00000000000000000001.zst ")
        self.change(second, next(i for i in range(at, at + 64) if whole[i:i + 1].isdigit()), flip=1)
        with tarfile.open(self.bundle(is_whole=False)) as tar:
            self.assertFalse([n for n in tar.getnames() if n.endswith((".chain", ".tsr"))])
        self.assertEqual(self.run_haidang("verify", self.path("bundle.tar"), *self.keys(), *self.tsa_ca()).code, OK)

    def test_with_openssl_alone(self):
        """As docs/proof.md says."""
        self.stamp(self.last)
        bundle = self.bundle()
        _, chain = self.member(bundle, ".chain")
        _, reply = self.member(bundle, ".tsr")
        before = statement(self.first)
        for text in chain.split(b"haidang-seal 1\n")[1:]:
            self.assertIn(f".zst {hashlib.sha256(before).hexdigest()}\n".encode(), text)
            before = b"haidang-seal 1\n" + text
        self.write("N.chain", chain)
        last = subprocess.run("tac N.chain | sed '/^haidang-seal 1$/q' | tac", shell=True, cwd=self.dir, check=True,
                              capture_output=True).stdout
        self.assertEqual([last, before], [statement(self.last)] * 2)
        done = subprocess.run(["openssl", "ts", "-verify", "-in", self.write("reply", reply), "-data",
                               self.write("last", last), "-CAfile", self.tsa.path("ca.crt")],
                              capture_output=True, text=True, check=False)
        self.assertIn("Verification: OK", done.stdout)


if __name__ == "__main__":
    console.main()
