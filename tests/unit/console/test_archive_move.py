#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""haidang archive export, import and repair, over archives that the journal has written."""
import fcntl
import hashlib
import io
import os
import resource
import shutil
import signal
import struct
import subprocess
import tarfile
import termios
import time

import archives
import console
from archives import ENTRIES, LINES, PROBLEMS, STORE
from console import OK, USAGE

RULE = """title: Any
id: 5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b11
level: low
logsource: {product: linux, service: sshd}
detection: {a: {f: 1}, condition: a}
"""


class Case(archives.Case):
    def names(self, archive):
        return [os.path.basename(path) for path in self.segments(archive)]

    def sums(self, directory):
        """Every file below it and its content."""
        found = {}
        for base, _, names in os.walk(directory):
            for name in names:
                path = os.path.join(base, name)
                found[os.path.relpath(path, directory)] = hashlib.sha256(self.read(path)).hexdigest()
        return found

    def lines_read(self, archive):
        """How many lines a command of ours reads in it."""
        result = self.run_haidang("backtest", self.write("rule.yml", RULE), "--archive", archive, "--json",
                                  "--since", "2026-11-20T00:00:00Z", "--until", "2026-11-25T00:00:00Z")
        return result.objects()[0]["lines"]

    def run_archive(self, what, *args, key="seal.key.pub"):
        keys = ["--key", self.path(key)] if key else []
        return self.run_haidang("archive", what, *args, *keys)

    def outcome(self, what, *args, key="seal.key.pub"):
        *problems, outcome = self.run_archive(what, *args, "--json", key=key).objects()
        return problems, outcome


class Export(Case):
    def test_what_is_sealed(self):
        archive, out = self.make(), self.path("out")
        before = self.sums(archive)
        result = self.run_archive("export", archive, out)
        self.assertEqual((result.code, result.err), (OK, ""))
        names = self.names(archive)[:-1]
        self.assertEqual(self.names(out), names)
        self.assertEqual(self.sums(archive), before)
        self.assertEqual({n: s for n, s in self.sums(out).items() if n in names}, {n: before[n] for n in names})
        self.assertFalse(os.path.exists(f"{out}/.part"))
        check = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=out, capture_output=True, text=True, check=False)
        self.assertEqual(check.returncode, 0, check.stderr)
        self.assertEqual(check.stdout.count(": OK"), len(names) + 1)
        result = self.run_haidang("archive", "verify", out, "--keys", f"{out}/keys")
        self.assertEqual(result.code, OK, result.out)
        self.assertEqual(self.lines_read(out), LINES * int(names[-1][:20]) - LINES + LINES * self.entries_of(out, -1))

    def entries_of(self, archive, i):
        return self.run_haidang("archive", "list", archive, "--json").objects()[i]["entries"]

    def test_a_time(self):
        archive, out = self.make(), self.path("out")
        rows = self.run_haidang("archive", "list", archive, "--json").objects()
        problems, outcome = self.outcome("export", archive, out, "--since", rows[3]["latest"], "--until", rows[5]["earliest"])
        self.assertEqual((problems, outcome["placed"], outcome["in_use"]), ([], 2, 0))
        self.assertEqual(self.names(out), [rows[3]["file"], rows[4]["file"]])
        self.assertEqual(self.verify(out).code, OK)
        result = self.run_archive("export", archive, self.path("none"), "--since", "2027-01-01T00:00:00Z")
        self.assertEqual(result.code, PROBLEMS)
        self.assertIn("no sealed segment of that time", result.err)
        self.assertFalse(os.path.exists(self.path("none")))

    def test_again_takes_what_is_new(self):
        archive, out = self.make(), self.path("out")
        self.run_archive("export", archive, out)
        had = len(self.segments(out))
        self.make(first=ENTRIES + 1, last=2 * ENTRIES)
        problems, outcome = self.outcome("export", archive, out)
        self.assertEqual((problems, outcome["present"]), ([], had))
        self.assertEqual(outcome["placed"], len(self.segments(archive)) - 1 - had)
        self.assertEqual(self.verify(out).code, OK)

    def test_what_does_not_verify_stays(self):
        archive, out = self.make(), self.path("out")
        bad = self.segments(archive)[2]
        self.change(bad, self.entry_offsets(bad)[0] + 90)
        result = self.run_archive("export", archive, out)
        self.assertEqual(result.code, PROBLEMS)
        self.assertIn(f"{bad}: entry ", result.out)
        self.assertEqual(self.names(out), [n for n in self.names(archive)[:-1] if n != os.path.basename(bad)])
        problems, _ = self.problems(out)
        self.assertEqual({p["problem"] for p in problems}, {"missing", "chain"})

    def test_without_the_key_nothing_goes(self):
        archive, out = self.make(), self.path("out")
        self.make("other", key="other.key", last=1)
        for key in (None, "other.key.pub"):
            problems, outcome = self.outcome("export", archive, out, key=key)
            self.assertEqual({p["problem"] for p in problems}, {"key"})
            self.assertEqual((outcome["placed"], self.names(out)), (0, []))

    def test_kill_9_leaves_no_half_file(self):
        archive, out = self.make(last=8 * ENTRIES), self.path("out")
        whole = self.sums(archive)
        sealed, stages = self.names(archive)[:-1], set()
        command = [console.PROGRAM, "archive", "export", archive, out, "--key", self.path("seal.key.pub")]
        for wanted in range(1, len(sealed), 5):
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
                while run.poll() is None and (not os.path.exists(out) or len(self.names(out)) < wanted):
                    pass
                run.kill()
            stages.add(len(self.names(out)))
            for name in self.names(out):
                self.assertEqual(self.sums(out)[name], whole[name])
        self.assertGreater(len(stages), 3)
        self.assertEqual(self.run_archive("export", archive, out).code, OK)
        self.assertEqual(self.names(out), sealed)
        self.assertFalse(os.path.exists(f"{out}/.part"))

    def test_a_full_disk_leaves_no_half_file(self):
        archive, out = self.make(), self.path("out")
        size = min(map(os.path.getsize, self.segments(archive)[:-1])) // 2
        run = subprocess.run([console.PROGRAM, "archive", "export", archive, out, "--key", self.path("seal.key.pub")],
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
                             restore_signals=False, capture_output=True, text=True, check=False)
        self.assertEqual((run.returncode, self.names(out)), (STORE, []))
        self.assertIn("no space left", run.stderr)
        self.assertFalse(os.path.exists(f"{out}/.part"))
        self.assertEqual(self.run_archive("export", archive, out).code, OK)

    def test_wrong_input(self):
        archive = self.make()
        for args, code, text in (((self.path("none"), self.path("out")), STORE, "not found"),
                                 ((archive, self.path("out"), "--since", "yesterday"), USAGE, "--since is a duration"),
                                 ((archive, self.path("out"), "--since", "1h", "--until", "2h"), USAGE, "not before"),
                                 ((archive, self.path("seal.key")), STORE, "cannot be used"),
                                 ((), USAGE, "is missing")):
            result = self.run_archive("export", *args)
            self.assertEqual((result.code, result.out), (code, ""), args)
            self.assertIn(text, result.err)


class Stream(Case):
    def send(self, archive, *more, have=None):
        """The bytes of a stream without what is in a directory."""
        listed = "\n".join(os.listdir(have)) if have and os.path.isdir(have) else ""
        if have and os.path.isdir(f"{have}/stamps"):
            listed += "\n" + "\n".join(os.listdir(f"{have}/stamps"))
        run = subprocess.run([console.PROGRAM, "archive", "export", archive, "-", "--except", "-", *more],
                             input=listed.encode(), capture_output=True, check=False)
        self.assertEqual(run.returncode, OK, run.stderr)
        return run.stdout

    def receive(self, stream, into, key="seal.key.pub"):
        return self.run_haidang("archive", "import", "-", "--into", into, "--key", self.path(key), "--json", stdin=stream)

    def received(self, stream, into):
        result = self.receive(stream, into)
        *problems, outcome = result.objects()
        self.assertEqual((result.code, problems, result.err), (OK, [], ""))
        return outcome

    def test_through_a_pipe(self):
        archive, into = self.make(), self.path("into")
        pipe = (f"ls {into} {into}/stamps 2>/dev/null | {console.PROGRAM} archive export {archive} - --except - | "
                f"{console.PROGRAM} archive import - --into {into} --key {self.path('seal.key.pub')} --json")
        for last in (ENTRIES, 2 * ENTRIES):
            run = subprocess.run(["sh", "-c", pipe], capture_output=True, text=True, check=False)
            self.assertEqual(run.returncode, OK, run.stderr)
            self.assertEqual(self.names(into), self.names(archive)[:-1])
            self.make(first=last + 1, last=last + ENTRIES)
        self.assertEqual(self.verify(into).code, OK)

    def test_only_what_the_other_does_not_have(self):
        archive, into = self.make(), self.path("into")
        outcome = self.received(self.send(archive, have=into), into)
        self.assertEqual(outcome["placed"], len(self.segments(archive)) - 1)
        self.assertLess(len(self.send(archive, have=into)), 2048)
        os.remove(self.segments(into)[2])
        outcome = self.received(self.send(archive, have=into), into)
        self.assertEqual((outcome["placed"], outcome["present"]), (1, 0))
        outcome = self.received(self.send(archive), into)
        self.assertEqual((outcome["placed"], outcome["present"]), (0, len(self.segments(into))))
        old = self.sums(archive)
        self.assertEqual({n: old[n] for n in self.names(into)}, {n: self.sums(into)[n] for n in self.names(into)})

    def test_a_stamp_goes_with_its_segment_or_later(self):
        archive, into = self.make(), self.path("into")
        first, second = (os.path.basename(path)[:-4] for path in self.segments(archive)[:2])
        self.write(f"archive/stamps/{first}.tsr", "one")
        self.received(self.send(archive, have=into), into)
        self.write(f"archive/stamps/{second}.tsr", "two")
        stream = self.send(archive, have=into)
        self.assertLess(len(stream), 4096)
        self.received(stream, into)
        self.assertEqual([self.read(f"{into}/stamps/{n}.tsr") for n in (first, second)], [b"one", b"two"])

    def test_a_stream_that_breaks_off_is_gone_on_with(self):
        archive, into = self.make(last=10), self.path("into")
        stream = self.send(archive)
        for at in (0, 100, 512, 700, len(stream) // 2, len(stream) - 1024, len(stream) - 1):
            result = self.receive(stream[:at], into)
            self.assertEqual(result.code, PROBLEMS, at)
            self.assertIn("it is cut off", result.err)
            self.assertFalse(os.path.exists(f"{into}/.part"))
        had = len(self.segments(into))
        self.assertGreater(had, 0)
        self.received(self.send(archive, have=into), into)
        self.assertEqual(self.names(into), self.names(archive)[:-1])

    def test_what_was_changed_on_the_way_is_refused(self):
        archive = self.make(last=20)
        stream = self.send(archive)
        for at in range(0, len(stream), 431):
            changed, into = bytearray(stream), self.path(f"into{at}")
            changed[at] ^= 16
            result = self.receive(bytes(changed), into)
            self.assertEqual(result.code, PROBLEMS, at)
            for name in self.names(into):
                self.assertEqual(self.read(os.path.join(into, name)), self.read(os.path.join(archive, name)))

    def test_what_is_no_stream(self):
        for junk in (b"x" * 4096, self.read(console.PROGRAM)[:8192]):
            result = self.run_haidang("archive", "import", "-", "--into", self.path("into"), stdin=junk)
            self.assertEqual(result.code, PROBLEMS)
            self.assertIn("no stream", result.err)

    def test_other_names_are_refused(self):
        for name in ("../00000000000000000001.zst", "/etc/passwd", "keys/a.pub", "00000000000000000001.tsr"):
            with io.BytesIO() as file:
                with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
                    tar.addfile(tarfile.TarInfo(name))
                result = self.run_haidang("archive", "import", "-", "--into", self.path("into"), stdin=file.getvalue())
            self.assertEqual(result.code, PROBLEMS, name)
            self.assertIn("no stream", result.err)

    def header(self, stream, name, size):
        """That of the first member, of another name and size."""
        block = bytearray(stream[:512])
        block[:100] = name.encode().ljust(100, b"\0")
        block[124:135] = b"%011o" % size
        block[148:156] = b" " * 8
        block[148:155] = b"%06o\0" % sum(block)
        return bytes(block)

    def test_numbers_and_sizes_that_cannot_be(self):
        stream = self.send(self.make(last=10))
        most, gib = 2**63 - 1, 2**30
        for number, size, said in ((0, 1024, "there is no segment of number 0"),
                                   (most + 1, 1024, f"there is no segment of number {most + 1}"),
                                   (most, 1024, "it is cut off"), (7, 2 * gib, "more than one can have"),
                                   (7, 8 * gib - 1, "more than one can have"), (7, gib, "it is cut off")):
            result = self.receive(self.header(stream, f"{number:020}.zst", size), self.path("into"))
            self.assertEqual(result.code, PROBLEMS, number)
            self.assertIn(said, result.err)
        self.assertEqual(self.header(stream, stream[:24].decode(), int(stream[124:135], 8)), stream[:512])

    def test_what_is_not_wanted_takes_no_room(self):
        archive, into = self.make(), self.path("into")
        stream = self.send(archive)
        self.received(stream, into)
        self.make("other", key="other.key", last=1)
        for key, placed in (("seal.key.pub", "into"), ("other.key.pub", "else")):
            into = self.path(placed)
            with subprocess.Popen([console.PROGRAM, "archive", "import", "-", "--into", into, "--key", self.path(key)],
                                  stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as run:
                run.stdin.write(stream[:-1024])
                run.stdin.flush()
                deadline = time.monotonic() + 30
                while (struct.unpack("i", fcntl.ioctl(run.stdin, termios.FIONREAD, bytes(4)))[0] > 0
                       or os.listdir(f"{into}/.part")):
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.01)
                run.stdin.write(stream[-1024:])

    def test_without_the_key_nothing_is_taken(self):
        archive, into = self.make(), self.path("into")
        self.make("other", key="other.key", last=1)
        result = self.receive(self.send(archive), into, key="other.key.pub")
        self.assertEqual((result.code, self.segments(into)), (PROBLEMS, []))

    def test_wrong_input(self):
        result = self.run_haidang("archive", "export", self.make(), "-", "--except", self.path("none"))
        self.assertEqual((result.code, result.out), (USAGE, ""))
        self.assertIn("--except", result.err)


class Compare(Case):
    def compare(self, archive, other):
        result = self.run_haidang("archive", "compare", archive, other, "--json")
        *problems, outcome = result.objects()
        self.assertEqual(result.code, PROBLEMS if problems else OK)
        self.assertEqual(outcome["holds_all"], not problems)
        return [(p["file"], p["problem"]) for p in problems], outcome

    def test_an_export_holds_all(self):
        archive, out = self.make(), self.path("out")
        self.run_archive("export", archive, out)
        problems, outcome = self.compare(archive, out)
        self.assertEqual((problems, outcome["sealed"]), ([], len(self.segments(out))))
        text = self.run_haidang("archive", "compare", archive, out, "--lang", "vi")
        self.assertIn("có đủ tất cả", text.out)

    def test_what_is_missing_and_what_differs(self):
        archive, out = self.make(), self.path("out")
        self.run_archive("export", archive, out)
        names = self.names(out)
        self.make("other")
        shutil.copy(os.path.join(self.path("other"), names[1]), os.path.join(out, names[1]))
        os.remove(os.path.join(out, names[2]))
        os.truncate(os.path.join(out, names[3]), 200)
        problems, outcome = self.compare(archive, out)
        self.assertEqual(problems, [(names[1], "different"), (names[2], "missing"), (names[3], "different")])
        self.assertEqual((outcome["missing"], outcome["different"]), (1, 2))
        result = self.run_haidang("archive", "compare", archive, out)
        self.assertIn(f"{out}/{names[2]}: missing", result.out)

    def test_what_is_only_there(self):
        archive, out = self.make(), self.path("out")
        self.run_archive("export", archive, out)
        os.remove(self.segments(archive)[0])
        problems, outcome = self.compare(archive, out)
        self.assertEqual((problems, outcome["only_there"]), ([], 1))

    def test_unsigned_ones_are_compared_byte_by_byte(self):
        archive = self.make(key="-")
        other = self.copy(archive, "copy")
        self.assertEqual(self.compare(archive, other)[0], [])
        self.change(self.segments(other)[1], 300)
        self.assertEqual(self.compare(archive, other)[0], [(self.names(other)[1], "different")])

    def test_wrong_input(self):
        result = self.run_haidang("archive", "compare", self.make(), self.path("none"))
        self.assertEqual((result.code, result.out), (STORE, ""))
        self.assertIn("not found", result.err)


class Import(Case):
    def parts(self):
        """Three exports of one archive that follow each other."""
        archive = self.make()
        rows = self.run_haidang("archive", "list", archive, "--json").objects()[:-1]
        third = len(rows) // 3
        for name, some in (("a", rows[:third]), ("b", rows[third:2 * third]), ("c", rows[2 * third:])):
            self.assertEqual(self.run_archive("export", archive, self.path(name), "--since", some[0]["earliest"],
                                              "--until", some[-1]["latest"]).code, OK)
        return archive, *map(self.path, "abc")

    def test_in_any_order_and_what_is_missing_between(self):
        archive, a, b, c = self.parts()
        into = self.path("into")
        problems, _ = self.outcome("import", c, a, "--into", into)
        self.assertEqual({p["problem"] for p in problems}, {"missing", "chain"})
        missing = next(p for p in problems if p["problem"] == "missing")
        self.assertEqual(missing["file"], self.names(c)[0])
        self.assertIn(f"entries {int(self.names(b)[0][:20])} to {int(self.names(c)[0][:20]) - 1} are not here", missing["text"])
        problems, outcome = self.outcome("import", b, "--into", into)
        self.assertEqual((problems, outcome["placed"]), ([], len(self.segments(b))))
        self.assertEqual(self.names(into), self.names(archive)[:-1])
        self.assertEqual(self.verify(into).code, OK)
        _, outcome = self.problems(into)
        self.assertEqual(self.lines_read(into), outcome["lines"])
        problems, outcome = self.outcome("import", a, b, c, "--into", into)
        self.assertEqual((problems, outcome["placed"], outcome["present"]), ([], 0, len(self.segments(into))))

    def test_other_content_is_not_overwritten(self):
        _, a, b, _ = self.parts()
        into = self.path("into")
        self.run_archive("import", a, "--into", into)
        had = self.segments(into)[1]
        self.change(had, 300)
        before = self.sums(into)
        result = self.run_archive("import", a, b, "--into", into)
        self.assertEqual(result.code, PROBLEMS)
        self.assertIn("with other content", result.out)
        self.assertEqual(self.sums(into)[os.path.basename(had)], before[os.path.basename(had)])
        self.assertIn(self.names(b)[0], self.names(into))

    def test_another_journal_is_refused(self):
        _, a, _, _ = self.parts()
        other, into = self.make("other"), self.path("into")
        self.run_archive("import", a, "--into", into)
        before = self.sums(into)
        problems, outcome = self.outcome("import", other, "--into", into)
        self.assertIn("it belongs to another journal", {p["text"] for p in problems})
        self.assertEqual((outcome["placed"], self.sums(into)), (0, before))

    def test_damaged_truncated_and_unknown(self):
        _, a, b, c = self.parts()
        into = self.path("into")
        first, second = self.segments(a)[:2]
        self.change(first, self.entry_offsets(first)[0] + 90)
        os.truncate(second, os.path.getsize(second) - 20)
        result = self.run_archive("import", a, b, "--into", into)
        self.assertEqual(result.code, PROBLEMS)
        self.assertEqual(self.names(into), self.names(a)[2:] + self.names(b))
        problems, outcome = self.outcome("import", c, "--into", into, key=None)
        self.assertIn("key", {p["problem"] for p in problems})
        self.assertEqual(outcome["placed"], 0)

    def test_a_good_file_takes_the_place_of_a_damaged_one(self):
        archive, a, _, _ = self.parts()
        mark = self.read(f"{archive}/mark")
        bad = self.segments(archive)[1]
        self.change(bad, 300)
        os.rename(bad, self.path("evidence"))
        problems, outcome = self.outcome("import", a, "--into", archive)
        self.assertEqual((problems, outcome["placed"]), ([], 1))
        self.assertEqual(self.read(f"{archive}/mark"), mark)
        self.assertEqual(self.verify(archive).code, OK)
        self.make(first=ENTRIES + 1, last=2 * ENTRIES)  # the writer goes on
        self.assertEqual(self.problems(archive)[1]["entries"], 2 * ENTRIES)

    def test_not_beside_a_writer(self):
        archive, a, _, _ = self.parts()
        with open(f"{archive}/lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            result = self.run_archive("import", a, "--into", archive)
        self.assertEqual(result.code, STORE)
        self.assertIn("in use by its writer", result.err)

    def test_a_file_larger_than_a_segment_is_not_copied(self):
        _, a, _, _ = self.parts()
        first = self.segments(a)[0]
        with open(first, "r+b") as file:  # a hole, and the footer behind it
            footer = file.read()[-4096:]
            file.seek(2**30 + 2**23)
            file.write(footer)
        problems, outcome = self.outcome("import", a, "--into", self.path("into"))
        self.assertIn("it is larger than a segment can be", {p["text"] for p in problems})
        self.assertEqual((outcome["placed"], outcome["refused"]), (len(self.segments(a)) - 1, 1))

    def test_stamps_that_lead_elsewhere_are_refused(self):
        _, a, _, _ = self.parts()
        name = self.names(a)[0][:-4]
        secret = self.write("secret", "of somebody")
        os.makedirs(f"{a}/stamps", exist_ok=True)
        os.symlink(secret, f"{a}/stamps/{name}.tsr")
        os.mkfifo(f"{a}/stamps/{self.names(a)[1][:-4]}.tsr")
        problems, outcome = self.outcome("import", a, "--into", self.path("into"))
        self.assertEqual([p["problem"] for p in problems], ["stamp", "stamp"])
        self.assertEqual(outcome["placed"], len(self.segments(a)))
        self.assertFalse(os.path.exists(self.path("into/stamps")))

    def test_what_an_interrupted_one_left_goes(self):
        _, a, _, _ = self.parts()
        into = self.path("into")
        self.write(f"into/.part/{self.names(a)[0]}", "half")
        self.assertEqual(self.run_archive("import", a, "--into", into).code, OK)
        self.assertFalse(os.path.exists(f"{into}/.part"))

    def test_ctrl_c_leaves_whole_files_alone(self):
        _, a, _, _ = self.parts()
        with subprocess.Popen([console.PROGRAM, "archive", "import", *[a] * 900, "--into", self.path("into"), "--key",
                               self.path("seal.key.pub")], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            while not os.path.exists(self.path("into")) or self.names(self.path("into")) != self.names(a):
                self.assertIsNone(run.poll())
            run.send_signal(signal.SIGINT)
            _, err = run.communicate()
        self.assertEqual(run.returncode, -signal.SIGINT)
        self.assertIn(b"stopped", err)
        self.assertFalse(os.path.exists(self.path("into/.part")))

    def test_wrong_input(self):
        archive = self.make()
        for args, code in (((archive,), USAGE), ((self.path("none"), "--into", self.path("into")), STORE), ((), USAGE)):
            result = self.run_archive("import", *args)
            self.assertEqual((result.code, result.out), (code, ""), args)


class Repair(Case):
    def repair(self, archive):
        new = self.path("new")
        shutil.rmtree(new, ignore_errors=True)
        before = self.sums(archive)
        result = self.run_archive("repair", archive, "--into", new, "--json", key=None)
        self.assertEqual(self.sums(archive), before)
        *told, outcome = result.objects()
        lost = [(t["lost_from"], t["lost_to"]) for t in told if "lost_from" in t]
        self.assertEqual(outcome["lost_entries"], sum(b - a + 1 for a, b in lost))
        self.assertEqual(result.code, PROBLEMS if lost else OK)
        self.assertEqual(self.lines_read(new), outcome["lines"])
        return lost, outcome, new

    def first(self, archive, i):
        return int(self.names(archive)[i][:20])

    def test_a_whole_archive_is_copied(self):
        archive = self.make()
        lost, outcome, new = self.repair(archive)
        self.assertEqual((lost, outcome["salvaged"], outcome["entries"]), ([], 0, ENTRIES))
        self.assertEqual(self.verify(new).code, OK)
        old = self.sums(archive)
        self.assertEqual({n: old[n] for n in self.names(archive)}, {n: self.sums(new)[n] for n in self.names(new)})

    def test_one_entry_is_damaged(self):
        archive = self.make()
        bad = self.segments(archive)[2]
        self.change(bad, self.entry_offsets(bad)[1] + 100)
        index = self.first(archive, 2) + 1
        lost, outcome, new = self.repair(archive)
        self.assertEqual((lost, outcome["salvaged"], outcome["lost_lines"]), ([(index, index)], 1, LINES))
        problems, seen = self.problems(new)
        self.assertEqual({p["problem"] for p in problems}, {"missing", "unstated", "chain"})
        self.assertEqual(seen["entries"], ENTRIES - 1)
        text = self.run_archive("repair", archive, "--into", self.path("text"), key=None)
        self.assertIn(f"lost: entries {index} to {index}, after 2026-11-21 ", text.out)
        self.assertIn(f"{bad}: entry {index}, offset ", text.out)

    def test_every_kind_of_harm(self):
        whole = self.make()
        first = [self.first(whole, i) for i in range(len(self.names(whole)))]
        cut = self.entry_offsets(self.segments(whole)[2])[1] + 30
        harms = {
            "cut": (lambda files: os.truncate(files[2], cut), [(first[2] + 1, first[3] - 1)]),
            "header": (lambda files: self.change(files[2], 30), []),
            "footer": (lambda files: self.change(files[2], os.path.getsize(files[2]) - 5), []),
            "emptied": (lambda files: os.truncate(files[2], 0), [(first[2], first[3] - 1)]),
            "taken": (lambda files: os.remove(files[2]), [(first[2], first[3] - 1)]),
            "foreign": (lambda files: shutil.copy(self.segments(other)[2], files[2]), [(first[2], first[3] - 1)]),
            "newest": (lambda files: os.remove(files[-1]), [(first[-1], ENTRIES)]),
            "oldest": (lambda files: self.change(files[0], 64 + 90), [(1, 1)]),
            "no mark": (lambda files: os.remove(os.path.join(os.path.dirname(files[0]), "mark")), []),
        }
        other = self.make("other")
        for name, (harm, want) in harms.items():
            archive = self.copy(whole, name)
            harm(self.segments(archive))
            lost, outcome, _ = self.repair(archive)
            self.assertEqual(lost, want, name)
            self.assertEqual(outcome["entries"] + outcome["lost_entries"], ENTRIES, name)

    def test_a_flipped_bit_costs_one_entry_at_most(self):
        archive = self.make(last=10)
        path = self.segments(archive)[0]
        for at in range(0, os.path.getsize(path), 97):
            self.change(path, at, 1 << at % 8)
            lost, outcome, _ = self.repair(archive)
            self.assertLessEqual(outcome["lost_entries"], 1, at)
            self.assertEqual(outcome["entries"] + outcome["lost_entries"], 10, at)
            self.assertEqual((outcome["whole"] + outcome["salvaged"], len(lost)),
                             (len(self.segments(archive)), outcome["lost_entries"]), at)
            self.assertGreater(outcome["problems"], 0, at)
            self.change(path, at, 1 << at % 8)

    def test_wrong_input(self):
        archive = self.make()
        for args, code, text in (((archive,), USAGE, "--into DIR is missing"),
                                 ((archive, "--into", archive), STORE, "holds segments already"),
                                 ((self.path("none"), "--into", self.path("new")), STORE, "not found")):
            result = self.run_archive("repair", *args, key=None)
            self.assertEqual((result.code, result.out), (code, ""), args)
            self.assertIn(text, result.err)


if __name__ == "__main__":
    console.main()
