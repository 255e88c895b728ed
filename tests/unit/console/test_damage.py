#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One bit of a segment flips: every command says so and still reads the rest. A bit of every kind of byte, in a segment
that is plain, encrypted, compacted, or both; HD_FLIPS=n: of so many bytes of each kind, 0 = of all of them."""
import os
import random
import re
import shutil
import subprocess

import archives
import console
from archives import PROBLEMS
from console import OK

FLIPS = int(os.environ.get("HD_FLIPS", "1"))
SEED = int(os.environ.get("HD_SEED", "1"))
LAST, LINES, SEGMENT = 16, 150, 16000
BOOT = "0123456789abcdef0123456789abcdef"
HEADER = (("frame", 8), ("tag", 8), ("version", 2), ("key", 6), ("uuid", 16), ("first", 8), ("created", 8), ("zero", 4),
          ("crc", 4))
ENTRY = (("frame", 8), ("layout", 2), ("meta length", 2), ("payload length", 4), ("index", 8), ("committed", 8),
         ("sequences", 16), ("times", 16), ("records", 4), ("raw length", 4), ("payload crc", 4), ("crc", 4))
FOOTER = (("frame", 8), ("counts", 56), ("times", 24), ("rows", 40))
TRAILER = (("crc", 4), ("length", 4), ("tag", 8))
SEARCH_ERROR = 2
FOUND = re.compile(r"entry (\d+) line 7:")


def fields(kind, at, sizes):
    for name, size in sizes:
        yield f"{kind}: {name}", at, at + size
        at += size


class Segment:
    """Where what stands in the file, and of which entry."""

    def __init__(self, data, offsets):
        self.first = int.from_bytes(data[40:48], "little")
        self.offsets = {int.from_bytes(data[at + 16:at + 24], "little"): at for at in offsets}
        self.classes = [(name, None, a, b) for name, a, b in fields("header", 0, HEADER)]
        for index in (self.first, self.first + 1, max(self.offsets)):
            self.entry(data, index)
        self.footer(data, max(self.end(data, index) for index in self.offsets))

    def end(self, data, index):
        at = self.offsets[index]
        return at + 8 + int.from_bytes(data[at + 4:at + 8], "little") + int.from_bytes(data[at + 12:at + 16], "little")

    def entry(self, data, index):
        at, end = self.offsets[index], self.end(data, index)
        begin = at + 8 + int.from_bytes(data[at + 4:at + 8], "little")
        parts = [*fields("entry", at, ENTRY), ("entry: meta", at + 80, begin), ("payload: begin", begin, begin + 8)]
        is_box = data[begin:begin + 4] == b"\x53\x2a\x4d\x18"
        parts += fields("box", begin + 8, (("method", 2), ("key", 6), ("salt", 16), ("nonce", 12), ("zero", 4))) if is_box else []
        parts += [("payload: middle", begin + 48, end - 16), ("payload: end", end - 16, end)]
        self.classes += [(name, index, a, b) for name, a, b in parts]

    def footer(self, data, at):
        parts = [*fields("footer", at, FOOTER), *fields("footer", len(data) - 16, TRAILER)]
        texts = [data.index(b"haidang-seal 1\n", at), data.find(b"haidang-compacted 1\n", at), len(data) - 16]
        texts = [t for t in texts if t >= 0]
        names = ("footer: seal", "footer: compaction")
        parts += [(name, a, b) for name, a, b in zip(names, texts, texts[1:])]
        self.classes += [(name, None, a, b) for name, a, b in parts]


class Damage(archives.Case):
    def setUp(self):
        super().setUp()
        self.chance = random.Random(SEED)
        self.flips = self.told = self.entries = self.read_beside = self.unread = 0
        self.secret = self.write("secret.key", "42" * 32)
        os.chmod(self.secret, 0o600)
        self.unlock = []

    def prepare(self, is_secret, is_compacted):
        self.unlock = ["--unlock", self.secret] if is_secret else []
        whole = self.path("whole")
        subprocess.run([archives.MAKE, whole, self.path("seal.key"), "1", str(LAST), str(LINES), str(SEGMENT), "0",
                        *([self.secret] if is_secret else [])], check=True)
        if is_compacted:
            run = self.run_haidang("archive", "compact", whole, "--seal-key", self.path("seal.key"), "--json", *self.unlock)
            self.assertGreater(run.objects()[-1]["compacted"], 1)
        return whole

    def found(self, archive):
        result = self.run_haidang("search", "line 7:", archive, *self.unlock)
        return result.code, [int(n) for n in FOUND.findall(result.out)]

    def judge(self, archive, path, segment, damaged):
        """The archive with one bit flipped in `path`; damaged: the entry, or None."""
        wanted = [n for n in range(1, LAST + 1) if n != damaged]
        result = self.verify(archive, "--json", *self.unlock)
        told = [p for p in result.objects()[:-1] if p["file"] == os.path.basename(path)]
        self.assertEqual(result.code, PROBLEMS)
        self.assertGreater(len(told), 0, result.out)
        if damaged:
            self.assertIn((damaged, segment.offsets[damaged]), [(p.get("entry"), p.get("offset")) for p in told])
        listed = self.run_haidang("archive", "list", archive, "--json")
        self.assertEqual((listed.code, len(listed.objects())), (OK, len(self.segments(archive))), listed.err)
        self.told += 1
        code, found = self.found(archive)
        self.read_beside += len(set(found) & set(wanted))
        self.unread += len(set(wanted) - set(found))
        self.assertEqual(found, wanted)
        self.assertIn(code, (SEARCH_ERROR,) if damaged else (OK, SEARCH_ERROR))
        self.judge_repair(archive, damaged, wanted)
        self.judge_proof(archive, segment, damaged)

    def judge_repair(self, archive, damaged, wanted):
        into = self.path("into")
        shutil.rmtree(into, ignore_errors=True)
        result = self.run_haidang("archive", "repair", archive, "--into", into, "--json")
        outcome = result.objects()[-1]
        self.assertEqual((result.code, outcome["entries"], outcome["lost_entries"]),
                         (PROBLEMS if damaged else OK, len(wanted), 1 if damaged else 0), result.out)
        self.assertEqual(self.found(into)[1], wanted)

    def judge_proof(self, archive, segment, damaged):
        dirs = ["--archive", archive, "--alerts", self.path("no"), "--receipts", self.path("no")]
        for entry in (max(segment.offsets), segment.first):
            seq = (entry - 1) * LINES + 8
            result = self.run_haidang("prove", f"web1/{BOOT}/{seq}", *dirs, *self.unlock)
            self.assertEqual(result.code, PROBLEMS if entry == damaged else OK, result.err)
            self.assertIn(*(("not found", result.err) if entry == damaged else (f"entry {entry} line 7:", result.out)))

    def flip_all(self, is_secret, is_compacted):
        whole, archive = self.prepare(is_secret, is_compacted), self.path("archive")
        name = os.path.basename(self.segments(whole)[1])
        data = self.read(os.path.join(whole, name))
        segment = Segment(data, self.entry_offsets(os.path.join(whole, name)))
        for kind, damaged, begin, end in segment.classes:
            places = range(begin, end)
            for at in places if FLIPS == 0 else self.chance.sample(places, min(FLIPS, len(places))):
                shutil.rmtree(archive, ignore_errors=True)
                self.copy(whole, "archive")
                self.change(os.path.join(archive, name), at, 1 << self.chance.randrange(8))
                with self.subTest(kind=kind, at=at, entry=damaged, seed=SEED):
                    self.judge(archive, os.path.join(archive, name), segment, damaged)
                self.flips += 1
                self.entries += damaged is not None
        print(f"{len(segment.classes)} kinds of bytes, flips {self.flips}, found and named {self.told}; entries damaged "
              f"{self.entries}, beside them read {self.read_beside}, not read {self.unread}")
        self.assertEqual((self.told, self.unread), (self.flips, 0))

    def test_plain(self):
        self.flip_all(False, False)

    def test_encrypted(self):
        self.flip_all(True, False)

    def test_compacted(self):
        self.flip_all(False, True)

    def test_compacted_and_encrypted(self):
        self.flip_all(True, True)


if __name__ == "__main__":
    console.main()
