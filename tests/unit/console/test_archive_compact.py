#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""haidang archive compact, over archives that the journal has written."""
import hashlib
import os
import signal
import subprocess
import time

import archives
import console
from archives import CERT, ENTRIES, PROBLEMS, STORE
from console import OK, USAGE

BEGIN, MINUTE, BIG = 1795219200, 60, 40000  # entry n is of minute n
CONFIG = 3


class Compact(archives.Case):
    def setUp(self):
        super().setUp()
        self.archive = self.path("archive")
        subprocess.run([archives.MAKE, self.archive, self.path("seal.key"), "1", str(ENTRIES), "300", str(BIG)], check=True)
        self.last = len(self.segments(self.archive)) - 1

    def compact(self, *more, key="seal.key", archive=None):
        return self.run_haidang("archive", "compact", archive or self.archive, "--seal-key", self.path(key), *more)

    def outcome(self, *more, **kwargs):
        return self.compact(*more, "--json", **kwargs).objects()[-1]

    def content(self):
        return hashlib.sha256(subprocess.run(["zstdcat", *self.segments(self.archive)], capture_output=True,
                                             check=True).stdout).hexdigest()

    def rows(self, *more):
        return self.run_haidang("archive", "list", self.archive, "--json", *more).objects()

    def retention(self, entries):
        """The first so many entries are past their time."""
        keep = int(time.time()) - BEGIN - entries * MINUTE - MINUTE // 2
        return self.write("retention.yml", f"otherwise: {keep}s\n")

    def test_smaller_and_the_same(self):
        before, states = self.content(), [row["state"] for row in self.rows()]
        self.assertEqual(states, ["signed"] * self.last + ["in use"])
        outcome = self.outcome()
        self.assertEqual(outcome["compacted"], self.last)
        self.assertLess(outcome["after_bytes"], 0.9 * outcome["before_bytes"])
        self.assertEqual(self.content(), before)
        problems, verified = self.problems(self.archive)
        self.assertEqual((problems, verified["vouched"]), ([], self.last))
        self.assertEqual([row["state"] for row in self.rows()], ["compacted"] * self.last + ["in use"])
        self.assertEqual(os.listdir(os.path.join(self.archive, ".compact")), ["lock"])
        again = self.outcome()
        self.assertEqual((again["compacted"], again["as_they_were"]), (0, self.last))
        self.assertIn("0 segments were compacted\n", self.compact().out)
        self.assertIn("đoạn đã được nén lại", self.compact("--lang", "vi").out)

    def test_only_what_is_old(self):
        self.assertEqual(self.outcome("--older-than", "1h")["younger"], self.last)
        self.assertEqual(self.outcome("--older-than", "0s")["compacted"], self.last)

    def test_what_is_past_its_time_is_dropped(self):
        rules = self.retention(3)
        outcome = self.outcome("--drop-expired", "--retention", rules)
        self.assertEqual((outcome["compacted"], outcome["dropped_entries"]), (self.last, 3))
        self.assertEqual(self.problems(self.archive)[0], [])
        self.assertEqual(self.rows()[0]["first"], 1)
        text = subprocess.run(["zstdcat", self.segments(self.archive)[0]], capture_output=True, check=True).stdout
        self.assertNotIn(b"entry 3 line", text)
        self.assertIn(b"entry 4 line", text)
        found = self.run_haidang("search", "entry [34] line 7:", self.archive)
        self.assertEqual(found.out.count("entry 4 line 7:"), 1)
        self.assertEqual(found.out.count("entry 3 line 7:"), 0)
        # in time the whole segment
        first = self.rows()[0]["next"]
        outcome = self.outcome("--drop-expired", "--retention", self.retention(first - 1))
        self.assertEqual((outcome["compacted"], outcome["dropped_entries"]), (1, first - 4))
        self.assertEqual(self.problems(self.archive)[0], [])

    def test_nothing_young_is_dropped(self):
        drop = ["--drop-expired", "--retention", self.retention(3)]
        subprocess.run([archives.MAKE, self.archive, self.path("seal.key"), "41", "41", "1", str(BIG), "3600"], check=True)
        outcome = self.outcome(*drop)
        self.assertEqual((outcome["compacted"], outcome["dropped_entries"], outcome["write_once"]),
                         (self.last, 0, self.last))
        copy = self.copy(self.archive, "copy")
        self.assertIn(f"{self.last} are younger than write_once_min", self.compact(*drop, archive=copy).out)
        self.assertIn("đoạn mới hơn write_once_min", self.compact(*drop, "--lang", "vi").out)
        os.unlink(os.path.join(copy, "write-once-min"))  # as in a mirror
        outcome = self.outcome(*drop, "--keep-younger", "1h", archive=copy)
        self.assertEqual((outcome["dropped_entries"], outcome["write_once"]), (0, self.last))
        outcome = self.outcome(*drop, "--keep-younger", "0s", archive=copy)
        self.assertEqual((outcome["dropped_entries"], outcome["write_once"]), (3, 0))
        self.write("archive/write-once-min", "write-once-min 0\n")
        result = self.compact(*drop)
        self.assertEqual(result.code, STORE)
        self.assertIn("its write-once-min cannot be read", result.err)
        self.assertEqual(self.compact().code, OK)

    def test_export_and_import_know_both_forms(self):
        out, copy = self.path("out"), self.path("copy")
        keys = ["--key", self.path("seal.key.pub")]
        self.assertEqual(self.run_haidang("archive", "export", self.archive, out, *keys).code, OK)
        self.assertEqual(self.outcome()["compacted"], self.last)
        again = self.run_haidang("archive", "export", self.archive, out, *keys, "--json").objects()[-1]
        self.assertEqual((again["present"], again["refused"]), (self.last, 0))
        result = self.run_haidang("archive", "import", self.archive, "--into", copy, *keys, "--json").objects()[-1]
        self.assertEqual((result["placed"], result["refused"]), (self.last, 0))
        self.assertEqual(self.verify(copy).code, OK)

    def test_damage_is_left_alone(self):
        path = self.segments(self.archive)[1]
        self.change(path, 5000)
        before = self.read(path)
        result = self.compact()
        self.assertEqual(result.code, PROBLEMS)
        self.assertIn("damage: ", result.out)
        self.assertIn("1 do not verify and were left alone", result.out)
        self.assertEqual(self.read(path), before)
        self.assertEqual(self.outcome()["refused"], 1)

    def test_a_rotation_of_keys(self):
        subprocess.run([archives.MAKE, self.path("other"), self.path("new.key"), "1", "3", "1", str(BIG)], check=True)
        self.assertEqual(self.compact(key="new.key").code, PROBLEMS)  # nobody vouches for the seals
        outcome = self.outcome("--key", self.path("seal.key.pub"), key="new.key")
        self.assertEqual(outcome["compacted"], self.last)
        problems, _ = self.problems(self.archive)
        self.assertEqual({p["problem"] for p in problems}, {"key"})
        both = self.verify(self.archive, "--key", self.path("new.key.pub"))
        self.assertEqual((both.code, both.err), (OK, ""))

    def test_wrong_input(self):
        for code, said, args in ((CERT, "cannot be used to sign", ["--seal-key", self.path("none")]),
                                 (CERT, "cannot be used to sign", ["--seal-key", self.path("seal.key.pub")]),
                                 (USAGE, "go together", ["--drop-expired"]),
                                 (USAGE, "go together", ["--retention", self.retention(1)]),
                                 (USAGE, "--level", ["--level", "23"]),
                                 (USAGE, "--older-than", ["--older-than", "long"]),
                                 (USAGE, "--keep-younger", ["--keep-younger", "long"]),
                                 (CONFIG, "cannot be used",
                                  ["--drop-expired", "--retention", self.write("bad.yml", "no: 1\n")])):
            result = self.run_haidang("archive", "compact", self.archive, "--seal-key", self.path("seal.key"), *args)
            self.assertEqual(result.code, code, result.err)
            self.assertIn(said, result.err)
        self.assertEqual(self.compact(archive=self.path("none")).code, STORE)

    def test_ctrl_c_leaves_everything_whole(self):
        process = subprocess.Popen([console.PROGRAM, "archive", "compact", self.archive, "--seal-key",
                                    self.path("seal.key"), "--level", "22"], stderr=subprocess.PIPE)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(self.problems(self.archive)[0], [])


if __name__ == "__main__":
    console.main()
