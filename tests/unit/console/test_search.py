#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""haidang search on archives made by the code of agent and journal: what it finds, where, and what it says of the rest."""
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import unittest
from random import Random

import console
from console import BUILD

FOUND, NONE, ERROR = 0, 1, 2
SECOND = 1_000_000_000
BEGIN = 1_790_000_000 * SECOND  # 2026-09-21T14:13:20Z
MAKER = f"{BUILD}/tests/unit/console/write_archive"


def utc(seconds):
    return f"2026-09-21T{14 + (13 * 60 + 20 + seconds) // 3600:02}:" \
           f"{(13 * 60 + 20 + seconds) // 60 % 60:02}:{(20 + seconds) % 60:02}Z"


class Search(console.Case):
    def setUp(self):
        super().setUp()
        self.archive = os.path.join(self.dir, "archive")
        self.seq = {}
        self.orders = []

    def batch(self, *lines, agent="agent1", sources=(("web1", "file", "/var/log/app.log", ""),), at=0):
        """Lines: text, or (source, text, flags). A second apart, from `at` seconds on."""
        first = self.seq.get(agent, 1)
        self.seq[agent] = first + len(lines)
        self.orders.append(f"batch\t{agent}\t{first}")
        self.orders += ["\t".join(("source", *source)) for source in sources]
        for i, line in enumerate(lines):
            source, text, flags = line if isinstance(line, tuple) else (0, line, "-")
            text = text if isinstance(text, bytes) else text.encode()
            self.orders.append(f"line\t{BEGIN + (at + i) * SECOND}\t{source}\t{flags}\t{text.hex()}")
        self.orders.append("end")

    def make(self, segment_bytes=0):
        orders = "".join(order + "\n" for order in self.orders).encode()
        self.orders = []
        subprocess.run([MAKER, self.archive, str(segment_bytes)], input=orders, check=True, timeout=600)

    def search(self, *args, archive=None):
        return self.run_haidang("search", "--utc", *args, archive or self.archive)

    def lines(self, *args, **kwargs):
        """Texts found, without time and host."""
        result = self.search(*args, **kwargs)
        self.assertEqual(result.err, "")
        self.assertEqual(result.code, FOUND if result.out else NONE)
        return [re.sub(r"^[-0-9]+ [0-9:]+ \S+?([-:]) ", lambda m: "" if m[1] == ":" else "- ", line)
                for line in result.out.splitlines()]

    def segments(self):
        return sorted(os.path.join(self.archive, name) for name in os.listdir(self.archive) if name.endswith(".zst"))


class Patterns(Search):
    def test_a_line_is_shown_with_time_and_host(self):
        self.batch("first line", "second line")
        self.make()
        result = self.search("second")
        self.assertEqual((result.code, result.out), (FOUND, "2026-09-21 14:13:21 web1: second line\n"))
        self.assertEqual(self.run_haidang("search", "second", self.archive).out,
                         "2026-09-21 21:13:21 web1: second line\n")
        result = self.search("third")
        self.assertEqual((result.code, result.out, result.err), (NONE, "", ""))

    def test_what_stands_before_a_line_in_a_record_does_not_match(self):
        self.batch("abc", "17900 in the line", "", "0 e")
        self.make()
        self.assertEqual(self.lines("17900"), ["17900 in the line"])
        self.assertEqual(self.lines(r"\d{6} 0"), [])
        self.assertEqual(self.lines("^a"), ["abc"])
        self.assertEqual(self.lines("^0 e$"), ["0 e"])
        self.assertEqual(self.lines("^$"), [""])
        self.assertEqual(self.lines(r"\A17"), ["17900 in the line"])
        self.assertEqual(self.lines("agent1"), [])  # nor does the batch's own header

    def test_patterns_mean_what_they_mean_to_pcre(self):
        lines = ["alpha beta", "beta alpha", "betamax", "x\\y", "a.c", "abc", "a^c", "Công an tỉnh", "CÔNG AN TỈNH",
                 "đăng nhập", "cửt", "dấu é", "]", "tab\there", "foo  bar", "", "ends with e"]
        self.batch(*lines)
        self.make()
        for pattern in ("beta", "^beta", "beta$", r"^beta\b", r"(?<=alpha )beta", r"(\w)\1", r"a\.c", "a[.^]c", "a.c",
                        r"x\\y", r"\Qa.c\E", "(?i)ALPHA", "(?x) a l p h a", "^", "$", "", "x*", "[^a-z ]", r"\bđăng\b",
                        "c.t", "c..t", r"\w+ an", r"\t", r"a\Wc", "foo +bar", "(?:^|x)b", "e$|^a", r"[[:alpha:]]max",
                        r"\x61lpha", r"\x{111}", r"\xe9", "[[:alpha:]x]+]?$", "[]]", r"[^\w]$", r"[\x{e0}-ỹ]", "đ+ă", "[đ]", r"(?<!^)alpha", r"alpha\z", "(^b|^a)l?"):
            python = pattern.replace("[:alpha:]", "a-zA-ZÀ-ỹ").replace(r"\z", r"\Z").replace(r"\x{111}", "đ")
            python = python.replace(r"\Qa.c\E", r"a\.c").replace(r"\x{e0}", "à")
            expected = [line for line in lines if re.search(python, line)]
            self.assertEqual(self.lines("--", pattern), expected, pattern)
            self.assertEqual(self.lines("-v", "--", pattern), [line for line in lines if line not in expected], pattern)

    def test_seeking_finds_what_looking_at_each_line_finds(self):
        """-v looks at each line: together they must have all lines, whatever the pattern."""
        random = Random(4711)
        words = ["root", "0", "e", "Đăng", "nhập", " ", "  ", "-", ".", "\\", "1790", "\n", "x", "\t", "ô", "t 1"]
        lines = ["".join(random.choices(words, k=random.randrange(6))) for _ in range(300)]
        self.batch(*lines)
        self.make()
        atoms = ["root", "0", "e", "Đ", "ă?", ".", "\\s", "\\w", "\\W", "[0e]", "[^r]", "ô+", " ", "\\\\", "\\n", "\\d", "x*",
                 "\\b", "^", "$", "(?:0|^)", "(?=o)", ".*", ".{2}", "(?<! )", "[ -ă]", "\\.", "n", "[[:space:]]"]
        for _ in range(80):
            pattern = "".join(random.choices(atoms, k=random.randrange(1, 5)))
            case = random.choice((["-c"], ["-c", "-i"]))
            found = int(self.search(*case, "--", pattern).out)
            others = int(self.search(*case, "-v", "--", pattern).out)
            self.assertEqual(found + others, len(lines), (case, pattern))

    def test_fixed_strings_are_no_patterns(self):
        self.batch("a.c", "abc", r"C:\Users\an", "[x]", "100%")
        self.make()
        self.assertEqual(self.lines("-F", "a.c"), ["a.c"])
        self.assertEqual(self.lines("-F", "C:\\Users"), [r"C:\Users\an"])
        self.assertEqual(self.lines("-F", "[x]"), ["[x]"])
        self.assertEqual(self.lines("-F", "^a"), [])

    def test_case_is_ignored_for_vietnamese_letters_too(self):
        lines = ["ĐĂNG NHẬP thất bại", "Đăng nhập Thất Bại", "dang nhap", "LOGIN failed", b"\xff\xfe Login"]
        self.batch(*lines)
        self.make()
        both = ["ĐĂNG NHẬP thất bại", "Đăng nhập Thất Bại"]
        self.assertEqual(self.lines("-i", "đăng nhập"), both)
        self.assertEqual(self.lines("-i", "-F", "THẤT BẠI"), both)
        self.assertEqual(self.lines("-i", "[đ]ăng .* bại$"), both)
        self.assertEqual(self.lines("Đăng nhập"), ["Đăng nhập Thất Bại"])
        self.assertEqual(self.lines("-i", "-c", "login"), ["2"])

    def test_escaped_records_match_as_the_lines_they_were(self):
        multi = "one\\two\nthree"
        self.batch("before", multi, "after", r"not \n escaped")
        self.make()
        shown = "one\\two\\nthree"
        for pattern in (r"one\\two", r"two\nthree", "two.three", r"two\sthree", "three$", "^one"):
            self.assertEqual(self.lines(pattern), [shown], pattern)
        self.assertEqual(self.lines("-F", "one\\two"), [shown])
        self.assertEqual(self.lines("-F", "\\\\"), [])
        self.assertEqual(self.search("--json", "three").objects()[0]["line"], multi)

    def test_bytes_that_are_no_text_are_given_out_as_they_came(self):
        self.batch(b"caf\xe9 \xff ok", "fine ô")
        self.make()
        run = subprocess.run([console.PROGRAM, "search", "caf", self.archive], capture_output=True, check=True)
        self.assertTrue(run.stdout.endswith(b"web1: caf\xe9 \xff ok\n"))
        self.assertEqual(self.lines("ô$"), ["fine ô"])  # a batch that is not all UTF-8
        self.assertEqual(self.search("--json", "ok$").objects()[0]["line"], "caf\ufffd \ufffd ok")

    def test_patterns_that_take_long_are_given_up(self):
        self.batch("ab" * 2000 + "x", "a" * 40 + "!", "ok")
        self.make()
        self.assertEqual(self.lines("-c", "(a|b)*x$"), ["1"])
        result = self.search("(?x) ^(a+)+$ | ok")
        self.assertEqual((result.code, result.out.count("ok")), (ERROR, 1))
        self.assertIn("1 lines were given up: the pattern takes too long on them", result.err)

    def test_a_wrong_pattern_says_where(self):
        self.make()
        result = self.search("ab(c")
        self.assertEqual((result.code, result.out), (ERROR, ""))
        self.assertIn("the pattern is wrong at byte 5: missing closing parenthesis\n  ab(c\n      ^", result.err)
        self.assertIn("wrong at byte 1", self.search("--", "*a").err)


class Where(Search):
    def setUp(self):
        super().setUp()
        two = (("web1", "file", "/var/log/a.log", ""), ("fw", "syslog-udp", ":514", "192.0.2.7"))
        self.batch((0, "x one", "-"), (1, "x two", "t"), sources=two, at=0)
        self.batch("x three", agent="agent2", sources=(("WEB2", "file", "/srv/b.log", ""),), at=100)
        self.batch("x four", "x five", at=200)
        self.make()

    def test_hosts_agents_and_sources(self):
        self.assertEqual(self.lines("--host", "web1", "x"), ["x one", "x four", "x five"])
        self.assertEqual(self.lines("--host", "192.0.2.7", "x"), ["x two"])
        self.assertEqual(self.lines("--host", "web?", "--source", "/var/*", "x"), ["x one", "x four", "x five"])
        self.assertEqual(self.lines("--host", "fw", "--host", "web2", "x"), ["x two", "x three"])
        self.assertEqual(self.lines("--agent", "AGENT2", "x"), ["x three"])
        self.assertEqual(self.lines("--source", ":514", "x"), ["x two"])
        self.assertEqual(self.lines("--source", ":514", "--host", "web1", "x"), [])

    def test_information_systems(self):
        path = self.write("inventory.csv", "id,name,agency,level,hosts,networks\n"
                          "portal,Cổng dịch vụ công,Văn phòng UBND tỉnh,3,web1 agent2,\n"
                          "edge,Tường lửa,Sở TTTT,2,,192.0.2.0/28\n")

        def of(*args):
            return self.lines("--inventory", path, *args, "x")
        self.assertEqual(of("--system", "portal"), ["x one", "x three", "x four", "x five"])
        self.assertEqual(of("-S", "cổng*", "--host", "web1"), ["x one", "x four", "x five"])
        self.assertEqual(of("-S", "EDGE"), ["x two"])
        self.assertEqual(of("--agency", "sở*"), ["x two"])
        self.assertEqual(of("--level", "3"), ["x one", "x three", "x four", "x five"])
        self.assertEqual(len(of("--level", "2")), 5)
        self.assertEqual(len(of("-S", "edge", "-S", "portal")), 5)
        for args, words in ((("-S", "protal"), "is called 'protal'; did you mean \"portal\"?"),
                            (("-S", "edge", "--level", "3"), "of that agency and level"),
                            (("--level", "6"), "--level is a number from 1 to 5"),
                            (("-S", "edge", "--inventory", path + ".none.csv"), "cannot load the inventory")):
            result = self.search("--inventory", path, *args, "x")
            self.assertEqual((result.code, result.out), (ERROR, ""))
            self.assertIn(words, result.err)

    def test_times(self):
        self.assertEqual(self.lines("--since", utc(1), "x"), ["x two", "x three", "x four", "x five"])
        self.assertEqual(self.lines("--since", utc(1), "--until", utc(201), "x"), ["x two", "x three", "x four"])
        self.assertEqual(self.lines("--until", utc(0), "x"), [])
        self.assertEqual(self.search("--since", utc(5), "--until", utc(5), "x").code, ERROR)
        self.assertIn("--since is a duration", self.search("--since", "soon", "x").err)

    def test_json_says_where_a_line_is(self):
        one, two = self.search("--json", "--until", utc(2), "x").objects()
        size = os.path.getsize(self.segments()[0])
        self.assertTrue(64 <= one["offset"] < size)
        self.assertEqual(one, {"time": "2026-09-21T14:13:20.000000Z", "host": "web1", "agent": "agent1", "boot": one["boot"],
                               "seq": 1, "source": "/var/log/a.log", "kind": "file", "line": "x one", "entry": 1,
                               "segment": "00000000000000000001.zst", "offset": 64})
        self.assertEqual((two["seq"], two["peer"], two["truncated"]), (2, "192.0.2.7", True))
        third, fourth, fifth = self.search("--json", "--since", utc(2), "x").objects()
        self.assertEqual([e["entry"] for e in (third, fourth, fifth)], [2, 3, 3])
        self.assertEqual([e["seq"] for e in (third, fourth, fifth)], [1, 3, 4])
        with open(self.segments()[0], "rb") as segment:
            segment.seek(fourth["offset"] + 16)  # of the index in an entry's header
            self.assertEqual(int.from_bytes(segment.read(8), "little"), 3)

    def test_counts(self):
        self.assertEqual(self.search("-c", "x").out, "5\n")
        self.assertEqual(self.search("-c", "-m", "4", "x").out, "4\n")
        result = self.search("-c", "nothing")
        self.assertEqual((result.code, result.out), (NONE, "0\n"))
        self.assertEqual(self.search("--by", "host", "x").out.split(), ["3", "web1", "1", "WEB2", "1", "fw"])
        self.assertEqual(self.search("--by", "host", "--json", "o").objects(),
                         [{"host": "web1", "count": 2}, {"host": "fw", "count": 1}])
        self.assertEqual(self.search("--count", "--json", "x").objects(), [{"count": 5}])
        self.assertEqual(self.search("--by", "week", "x").code, ERROR)

    def test_the_first_lines_are_enough(self):
        self.assertEqual(self.lines("-m", "3", "x"), ["x one", "x two", "x three"])
        self.assertEqual(self.lines("-m", "1", "x"), ["x one"])
        self.assertEqual(self.lines("-m", "3", "--jobs", "1", "x"), ["x one", "x two", "x three"])

    def test_names_that_nobody_has_are_told(self):
        result = self.search("--host", "wbe1", "x")
        self.assertEqual((result.code, result.out), (NONE, ""))
        self.assertIn("nothing was received from a host 'wbe1'; did you mean \"web1\"?", result.err)
        result = self.search("--agent", "agnet2", "--lang", "vi", "x")
        self.assertIn("không có dữ liệu nhận từ tác tử 'agnet2'; did you mean \"agent2\"?", result.err)
        for known in "web1", "192.0.2.7":
            self.assertEqual(self.search("--host", known, "nothing").err, "")


class Fields(Search):
    def setUp(self):
        super().setUp()
        ssh = (("web1", "file", "/var/log/auth.log", ""),)
        self.batch("Sep 21 14:13:20 web1 sshd[812]: Failed password for root from 203.0.113.9 port 4022 ssh2",
                   "Sep 21 14:13:21 web1 sshd[812]: Accepted password for an from 203.0.113.10 port 4022 ssh2",
                   '{"user":{"name":"root"},"Công":"Tỉnh"}', sources=ssh)
        self.make()

    def test_decoded_fields(self):
        args = ("--decoders", f"{console.SOURCE}/rules/decoders", "-c")
        self.assertEqual(self.lines(*args, "--field", "user.name=ROOT", "sshd"), ["1"])
        self.assertEqual(self.lines(*args, "--field", "source.ip=203.0.113.*", ""), ["2"])
        self.assertEqual(self.lines(*args, "-f", "source.ip=*", "-f", "event.outcome=failure", ""), ["1"])
        self.assertEqual(self.lines(*args, "--field", "user.name=r*t", ""), ["2"])
        self.assertEqual(self.lines(*args, "--field", "Công=tỉnh", ""), ["1"])
        self.assertEqual(self.search(*args, "--field", "user.name", "").code, ERROR)
        result = self.search(*args, "--field", "usr.name=root", "")
        self.assertEqual(result.code, NONE)
        self.assertIn("has a field 'usr.name'; did you mean \"user.name\"?", result.err)


class Context(Search):
    def setUp(self):
        super().setUp()
        two = (("a", "file", "/a", ""), ("b", "file", "/b", ""))
        self.batch(*[(0, f"a{i}{'!' if i in (2, 4, 9) else ''}", "-") for i in range(12)],
                   (1, "b0", "-"), (1, "b1!", "-"), (0, "a12", "-"), (1, "b2", "-"), sources=two)
        self.batch("a13!", "a14", sources=(two[0],), at=100)
        self.make()

    def test_lines_of_the_same_source_around(self):
        self.assertEqual(self.lines("-A", "1", "!"), ["a2!", "- a3", "a4!", "- a5", "--", "a9!", "- a10", "--", "b1!", "- b2",
                                                      "--", "a13!", "- a14"])
        self.assertEqual(self.lines("-B", "1", "!"), ["- a1", "a2!", "- a3", "a4!", "--", "- a8", "a9!", "--", "- b0", "b1!",
                                                      "--", "a13!"])
        self.assertEqual(self.lines("-C", "2", "[49]!|b1"), ["- a2!", "- a3", "a4!", "- a5", "- a6", "- a7", "- a8", "a9!",
                                                             "- a10", "- a11", "--", "- b0", "b1!", "- b2"])
        self.assertEqual(self.lines("-C", "0", "a[24]!"), ["a2!", "a4!"])

    def test_context_ends_with_the_batch(self):
        self.assertEqual(self.lines("-C", "9", "13!"), ["a13!", "- a14"])
        self.assertEqual(self.lines("-A", "9", "a11"), ["a11", "- a12"])

    def test_context_passes_over_other_sources(self):
        self.assertEqual(self.lines("-C", "1", "a12"), ["- a11", "a12"])
        self.assertEqual(self.lines("-A", "2", "b0"), ["b0", "- b1!", "- b2"])

    def test_the_last_line_asked_for_has_its_context(self):
        self.assertEqual(self.lines("-m", "1", "-A", "2", "!"), ["a2!", "- a3", "- a4!"])
        objects = self.search("--json", "-m", "1", "-C", "1", "!").objects()
        self.assertEqual([(o["line"], o["seq"], o.get("context", False)) for o in objects],
                         [("a1", 2, True), ("a2!", 3, False), ("a3", 4, True)])


class Archives(Search):
    def fill(self, n=40, size=3000):
        """Batches that do not compress, several a segment."""
        for i in range(n):
            self.batch(f"needle {i} " + os.urandom(size // 2).hex(), at=i)
        self.make(segment_bytes=16384)
        self.assertGreater(len(self.segments()), 4)

    def numbers(self, result):
        return [int(n) for n in re.findall(r"needle (\d+) ", result.out)]

    def test_order_does_not_depend_on_threads(self):
        self.fill()
        for jobs in "1", "2", "7":
            self.assertEqual(self.numbers(self.search("--jobs", jobs, "needle")), list(range(40)))
        self.assertEqual(self.numbers(self.search("--since", utc(17), "--until", utc(19), "needle")), [17, 18])

    def test_segments_without_a_mark_are_searched_too(self):
        self.fill()
        copy = os.path.join(self.dir, "copy")
        os.mkdir(copy)
        for path in self.segments()[1:]:
            shutil.copy(path, copy)
        first = int(os.path.basename(self.segments()[1])[:-4])
        self.assertEqual(self.numbers(self.search("needle", archive=copy)), list(range(first - 1, 40)))
        os.remove(os.path.join(copy, os.path.basename(self.segments()[3])))
        result = self.search("needle", archive=copy)
        self.assertEqual(result.code, FOUND)
        self.assertIn("1 times entries were missing", result.err)
        last = self.segments()[-1]
        with open(os.path.join(copy, os.path.basename(last)), "r+b") as cut:
            cut.truncate(os.path.getsize(last) - 100)
        self.assertEqual(self.numbers(self.search("needle", archive=copy))[-1], 38)

    def test_damage_is_told_and_passed_over(self):
        self.fill()
        at = self.search("--json", "needle 5 ").objects()[0]
        path = os.path.join(self.archive, at["segment"])
        with open(path, "r+b") as segment:
            segment.seek(at["offset"] + 200)
            segment.write(b"\0damage\0")
        result = self.search("needle")
        self.assertEqual(result.code, ERROR)
        self.assertEqual(self.numbers(result), [i for i in range(40) if i != 5])
        self.assertIn("1 places of the archive do not verify and were passed over", result.err)
        with open(path, "r+b") as segment:
            segment.truncate(30)  # a sealed one cut within its header
        result = self.search("needle")
        self.assertEqual(result.code, ERROR)
        self.assertEqual(self.numbers(result)[-1], 39)

    def test_what_is_no_batch_is_told(self):
        self.batch("needle")
        self.orders.append("raw\t28b52ffd200109000078")  # a zstd frame of an "x"
        self.batch("needle too")
        self.make()
        result = self.search("needle")
        self.assertEqual((result.code, result.out.count("needle")), (ERROR, 2))
        self.assertIn("1 places of the archive do not verify", result.err)

    def test_nothing_beyond_the_mark(self):
        self.batch("needle 1 ")
        self.orders.append("commit")
        self.batch("needle 2 ")
        self.orders.append("abandon")
        self.make()
        self.assertEqual(self.numbers(self.search("needle")), [1])

    def test_retention_may_be_faster(self):
        self.fill()
        os.remove(self.segments()[0])
        result = self.search("needle")
        self.assertEqual((result.code, result.err), (FOUND, ""))
        self.assertEqual(self.numbers(result)[-1], 39)

    def test_no_archive_and_an_empty_one(self):
        result = self.search("x", archive=f"{self.dir}/nowhere")
        self.assertEqual(result.code, ERROR)
        self.assertIn("cannot read the archive", result.err)
        self.assertIn("is no archive", self.search("x", archive=self.dir).err)
        self.assertEqual(self.search("x", archive=self.dir).code, ERROR)
        self.make()
        result = self.search("x")
        self.assertEqual((result.code, result.out), (NONE, ""))
        self.assertIn("nothing was archived yet", result.err)
        self.assertEqual(self.run_haidang("search").code, ERROR)


class Terminal(Search):
    def on_terminal(self, *args):
        """What a terminal on both outputs gets."""
        main, side = pty.openpty()
        with subprocess.Popen([console.PROGRAM, "search", "--utc", *args, self.archive], stdout=side, stderr=side,
                              env={**os.environ, "LC_ALL": "C", "TERM": "xterm"}) as run:
            os.close(side)
            got = b""
            while True:
                try:
                    part = os.read(main, 65536)
                except OSError:  # the other side is closed
                    break
                got += part
            run.wait(timeout=60)
        os.close(main)
        return got.decode()

    def test_matches_are_coloured_and_lines_are_harmless(self):
        self.batch("say hello\tand hello \033[2Jagain", "other")
        self.make()
        got = self.on_terminal("hello")
        self.assertIn("\033[32m2026-09-21 14:13:20\033[0m \033[35mweb1\033[0m: say \033[1;31mhello\033[0m\tand "
                      "\033[1;31mhello\033[0m \\x1b[2Jagain", got)
        self.assertNotIn("\033[2J", got)

    def test_the_bar_is_gone_at_the_end(self):
        self.batch("hello")
        self.make()
        self.assertTrue(self.on_terminal("nothing").endswith("\r\033[K"))

    def test_ends_at_once_on_control_c(self):
        self.batch(*[f"needle {i} " + "x" * 200 for i in range(2000)])
        self.make()
        with subprocess.Popen([console.PROGRAM, "search", "needle", self.archive], stdout=subprocess.PIPE) as run:
            run.stdout.read(10)  # now it waits: the pipe does not hold the rest
            run.send_signal(signal.SIGINT)
            self.assertEqual(run.wait(timeout=60), -signal.SIGINT)


if __name__ == "__main__":
    console.main()
