#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""haidang archive verify and list, over archives that the journal has written."""
import os
import shutil
import signal
import subprocess

import archives
import console
from archives import CERT, ENTRIES, LINES, PROBLEMS, STORE
from console import OK, USAGE


class Verify(archives.Case):
    def test_a_whole_archive_holds(self):
        archive = self.make()
        result = self.verify(archive)
        self.assertEqual((result.code, result.err), (OK, ""))
        self.assertIn("all holds\n", result.out)
        problems, outcome = self.problems(archive)
        files = self.segments(archive)
        self.assertEqual(problems, [])
        self.assertEqual((outcome["segments"], outcome["sealed"], outcome["vouched"]),
                         (len(files), len(files) - 1, len(files) - 1))
        self.assertEqual((outcome["entries"], outcome["lines"]), (ENTRIES, ENTRIES * LINES))
        self.assertEqual(outcome["bytes"], sum(map(os.path.getsize, files)))
        self.assertEqual(outcome["earliest"], "2026-11-21T00:01:00.000000Z")
        self.assertEqual(outcome["latest"], "2026-11-21T00:40:00.000019Z")
        self.assertGreater(outcome["tail_entries"], 0)

    def test_while_it_is_written(self):
        with subprocess.Popen([archives.MAKE, self.path("archive"), self.path("seal.key"), "1", "6000", "20", "20000"]) as writer:
            while not os.path.exists(self.path("archive/mark")):
                self.assertIsNone(writer.poll())
            checks = 0
            while writer.poll() is None or checks == 0:
                result = self.verify(self.path("archive"))
                self.assertEqual(result.code, OK, result.out)
                checks += 1
        self.assertEqual(self.problems(self.path("archive"))[1]["entries"], 6000)

    def test_in_vietnamese(self):
        self.assertIn("tất cả đều đúng\n", self.verify(self.make(), "--lang", "vi").out)

    def test_threads_do_not_change_what_is_said(self):
        archive = self.make()
        for path in self.segments(archive)[1:6]:
            self.change(path, self.entry_offsets(path)[1] + 100)
        os.remove(self.segments(archive)[3])
        one, many = (self.verify(archive, "--jobs", n) for n in ("1", "8"))
        self.assertEqual((one.code, one.out), (PROBLEMS, many.out))

    def test_damage_is_named_to_the_entry(self):
        archive = self.make()
        path = self.segments(archive)[2]
        at = self.entry_offsets(path)[1]
        self.change(path, at + 100)
        problems, outcome = self.problems(archive)
        index = int(os.path.basename(path)[:20]) + 1
        damage = next(p for p in problems if p["problem"] == "damage")
        self.assertEqual((damage["file"], damage["entry"], damage["offset"]), (os.path.basename(path), index, at))
        self.assertEqual({p["problem"] for p in problems}, {"damage", "hash"})
        self.assertEqual(outcome["entries"], ENTRIES - 1)
        result = self.verify(archive)
        self.assertEqual(result.code, PROBLEMS)
        self.assertIn(f"{path}: entry {index}, offset {at}: damage: ", result.out)
        self.assertIn("archive repair", result.out)

    def test_the_kinds_of_harm(self):
        whole = self.make()
        other = self.make("other", key="other.key")
        harms = {
            "truncated": (lambda files: os.truncate(files[2], os.path.getsize(files[2]) // 2), {"damage", "unsealed", "missing", "chain"}),
            "emptied": (lambda files: os.truncate(files[2], 0), {"header", "unsealed", "missing", "chain"}),
            "header": (lambda files: self.change(files[2], 30), {"header", "hash"}),
            "footer": (lambda files: self.change(files[2], os.path.getsize(files[2]) - 5), {"damage", "unsealed", "chain"}),
            "taken": (lambda files: os.remove(files[2]), {"missing", "chain"}),
            "newest": (lambda files: os.remove(files[-1]), {"missing"}),
            "foreign": (lambda files: shutil.copy(self.segments(other)[2], files[2]), {"header", "statement", "key", "chain"}),
            "swapped": (lambda files: shutil.copy(files[1], files[2]), {"header", "damage", "statement", "missing", "chain"}),
        }
        for name, (harm, kinds) in harms.items():
            archive = self.copy(whole, name)
            harm(self.segments(archive))
            problems, _ = self.problems(archive)
            self.assertEqual({p["problem"] for p in problems}, kinds, name)
            self.assertEqual(self.verify(archive).code, PROBLEMS, name)

    def test_what_retention_took_is_no_problem(self):
        archive = self.make()
        for path in self.segments(archive)[:3]:
            os.remove(path)
        self.assertEqual(self.verify(archive).code, OK)

    def test_keys(self):
        archive = self.make()
        self.make("other", key="other.key", last=1)
        for key in (None, "other.key.pub"):
            problems, outcome = self.problems(archive, key=key)
            self.assertEqual({p["problem"] for p in problems}, {"key"})
            self.assertEqual((len(problems), outcome["vouched"]), (outcome["sealed"], 0))
        once = self.verify(archive, key=None)
        self.assertEqual(once.out.count("public half was not given"), 1)
        self.assertEqual(once.code, PROBLEMS)
        keys = self.path("keys")
        os.mkdir(keys)
        for name in ("seal.key.pub", "other.key.pub"):
            shutil.copy(self.path(name), keys)
        self.write("keys/README", "not a key")
        self.assertEqual(self.verify(archive, "--keys", keys, key=None).code, OK)

    def test_two_keys_after_a_rotation(self):
        archive = self.make()
        self.make(key="new.key", first=ENTRIES + 1, last=2 * ENTRIES)
        self.assertEqual(self.verify(archive, "--key", self.path("new.key.pub")).code, OK)
        problems, _ = self.problems(archive)
        self.assertEqual({p["problem"] for p in problems}, {"key"})

    def test_an_archive_without_seals(self):
        result = self.verify(self.make(key="-"), key=None)
        self.assertEqual(result.code, OK)
        self.assertIn("nothing in it is signed", result.out)

    def test_several_archives(self):
        good, bad = self.make(), self.make("bad")
        self.change(self.segments(bad)[0], 200)
        result = self.run_haidang("archive", "verify", good, bad, "--key", self.path("seal.key.pub"))
        self.assertEqual(result.code, PROBLEMS)
        self.assertIn(f"{good}\n", result.out)
        self.assertIn(f"{bad}\n", result.out)

    def test_wrong_input(self):
        archive = self.make()
        os.mkdir(self.path("empty"))
        shutil.copytree(archive, self.path("fifo"))
        for name in ("mark", "00000000000000000001.zst"):
            os.remove(self.path(f"fifo/{name}"))
            os.mkfifo(self.path(f"fifo/{name}"))
        for args, code, text in (((self.path("none"),), STORE, "none cannot be read: not found"),
                                 ((self.path("fifo"),), STORE, "is not a regular file"),
                                 ((self.path("empty"),), STORE, "holds no segment"),
                                 ((archive, "--key", self.path("seal.key")), CERT, "seal.key is no public key"),
                                 ((archive, "--key", self.path("gone")), CERT, "not found"),
                                 ((archive, "--keys", self.path("gone")), CERT, "directory of keys"),
                                 ((archive, "--jobs", "0"), USAGE, "--jobs is a number from 1 to 64"),
                                 ((archive, "--lang", "xx"), USAGE, "--lang")):
            result = self.run_haidang("archive", "verify", *args)
            self.assertEqual((result.code, result.out), (code, ""), args)
            self.assertIn(text, result.err)

    def test_ctrl_c_ends_it(self):
        archive = self.make()
        with subprocess.Popen([console.PROGRAM, "archive", "verify", *[archive] * 900], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as run:
            run.stdout.readline()
            run.send_signal(signal.SIGINT)
            out = run.stdout.read()
        self.assertEqual(run.returncode, -signal.SIGINT)
        self.assertLess(out.count(archive.encode() + b"\n"), 899)


class List(archives.Case):
    def rows(self, archive):
        return self.run_haidang("archive", "list", archive, "--json").objects()

    def test_segments_by_their_footers(self):
        archive = self.make()
        rows = self.rows(archive)
        files = self.segments(archive)
        self.assertEqual([r["file"] for r in rows], [os.path.basename(f) for f in files])
        self.assertEqual([r["bytes"] for r in rows], [os.path.getsize(f) for f in files])
        self.assertEqual([r["state"] for r in rows], ["signed"] * (len(files) - 1) + ["in use"])
        self.assertEqual(sum(r["entries"] for r in rows), ENTRIES)
        self.assertEqual(sum(r["lines"] for r in rows), ENTRIES * LINES)
        self.assertEqual([r["first"] for r in rows[1:]], [r["next"] for r in rows[:-1]])
        der = subprocess.run(["openssl", "pkey", "-pubin", "-in", self.path("seal.key.pub"), "-outform", "DER"],
                             capture_output=True, check=True).stdout
        key = subprocess.run(["sha256sum"], input=der, capture_output=True, check=True).stdout.split()[0].decode()
        self.assertEqual({r["key"] for r in rows[:-1]}, {key})
        text = self.run_haidang("archive", "list", archive)
        self.assertEqual((text.code, len(text.out.splitlines())), (OK, len(files) + 1))
        self.assertIn(f"signed {key[:16]}", text.out)

    def test_what_is_not_as_it_should_be_is_listed(self):
        archive = self.make(key="-")
        files = self.segments(archive)
        self.change(files[0], 30)
        os.truncate(files[1], os.path.getsize(files[1]) - 1)
        self.assertEqual([r["state"] for r in self.rows(archive)][:3], ["damaged", "not sealed", "sealed"])
        vi = self.run_haidang("archive", "list", archive, "--lang", "vi")
        self.assertIn("đang ghi", vi.out)

    def test_wrong_input(self):
        result = self.run_haidang("archive", "list", self.path("none"))
        self.assertEqual((result.code, result.out), (STORE, ""))


if __name__ == "__main__":
    console.main()
