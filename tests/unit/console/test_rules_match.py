#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""haidang rules match, as scripts drive it."""
import json
import os
import subprocess

import console
from console import CONFIG, OK, RUNTIME, USAGE

PROCESS = """
title: Shell
id: 5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b11
level: high
logsource: {product: windows, category: process_creation}
detection:
  selection:
    Image|endswith: '\\cmd.exe'
    Parent.Pid: 7
  filter:
    User|contains: system
  condition: selection and not filter
---
title: Any Windows
id: 5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b12
level: low
logsource: {product: windows}
detection: {selection: {Image|exists: true}, condition: selection}
---
title: Other
id: 5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b13
logsource: {product: linux}
detection: {selection: {Image|exists: true}, condition: selection}
"""
WINDOWS = ("--logsource", "product=windows,category=process_creation")

COUNTING = """
title: Failed
name: failed
logsource: {category: login}
detection: {selection: {action: failed}, condition: selection}
---
title: Guessing
id: 5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b21
level: medium
correlation:
  type: event_count
  rules: [failed]
  group-by: [user]
  timespan: 1m
  condition: {gte: 3}
---
title: Few
id: 5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b22
correlation:
  type: event_count
  rules: [failed]
  group-by: [user]
  timespan: 1m
  condition: {eq: 1}
"""

TWO_RULES = """
title: A
name: a
logsource: {category: login}
detection: {selection: {x|contains: a}, condition: selection}
---
title: B
name: b
logsource: {category: login}
detection: {selection: {x|contains: b}, condition: selection}
---
title: Both
correlation: {type: %s, rules: [a, b], timespan: 1m%s}
"""


def event(**fields):
    return json.dumps(fields) + "\n"


def login(second, user, action="failed"):
    return event(time=f"2020-05-01T10:{second // 60:02}:{second % 60:02}Z", user=user, action=action)


class Match(console.Case):
    def match(self, rules, events, *args):
        path = self.write("rules.yml", rules)
        return self.run_haidang("rules", "match", path, "--events", "-", *args, stdin=events)

    def hits(self, rules, events, *args):
        result = self.match(rules, events, *args)
        self.assertEqual((result.code, result.err), (OK, ""))
        return result.objects()

    def test_a_hit_is_one_line_of_json(self):
        events = (event(Image="C:\\cmd.exe", Parent={"Pid": 7}, User="An") + "\n" +
                  event(Image="C:\\cmd.exe", Parent={"Pid": 8}, User="An") +
                  event(Image="C:\\CMD.EXE", Parent={"Pid": 7}, User="LocalSystem"))
        result = self.match(PROCESS, events, *WINDOWS)
        self.assertEqual(result.out.splitlines()[0],
                         '{"event":1,"rule":{"id":"5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b11","title":"Shell",'
                         '"level":"high"},"fields":{"Image":"C:\\\\cmd.exe","Parent.Pid":"7"}}')
        self.assertEqual([(h["event"], h["rule"]["title"]) for h in result.objects()],
                         [(1, "Shell"), (1, "Any Windows"), (3, "Any Windows"), (4, "Any Windows")])

    def test_the_log_source_is_what_was_declared(self):
        line = event(Image="C:\\cmd.exe", Parent={"Pid": 7})
        titles = lambda *args: [h["rule"]["title"] for h in self.hits(PROCESS, line, *args)]
        self.assertEqual(titles("-L", "product=Windows"), ["Any Windows"])
        self.assertEqual(titles("-L", "product=linux, service=auditd"), ["Other"])
        self.assertEqual(titles("-L", "category=process_creation"), [])
        self.assertEqual(titles(*WINDOWS, "-L", "product=linux"), ["Shell", "Any Windows", "Other"])

    def test_text_lines_meet_keywords(self):
        rules = """
title: Words
logsource: {product: linux}
detection: {keywords: ['segfault', 'stack*smash'], condition: keywords}
"""
        hits = self.hits(rules, "all is well\nSegfault at 0\nstack was smashed\nkhông sao\n", "-L", "product=linux")
        self.assertEqual([(h["event"], h["fields"]) for h in hits], [(2, {}), (3, {})])
        broken = self.match(rules, '{"a": "segfault"\n', "-L", "product=linux")
        self.assertEqual([h["event"] for h in broken.objects()], [1])

    def test_the_decoders_tell_what_a_line_is(self):
        rules = """
title: Root Refused
logsource: {product: linux, service: sshd}
detection: {selection: {user.name: root, event.outcome: failure}, condition: selection}
"""
        line = "Nov 21 14:50:37 web1 sshd[812]: Failed password for root from 203.0.113.9 port 50123 ssh2\n"
        hits = self.hits(rules, line, "-d", f"{console.SOURCE}/rules/decoders")
        self.assertEqual([h["fields"] for h in hits], [{"user.name": "root", "event.outcome": "failure"}])

    def test_correlations_fire_by_the_time_of_events(self):
        events = (login(0, "an") + login(10, "binh") + login(20, "an") + login(30, "an", "opened") + login(50, "an") +
                  login(200, "an"))
        hits = self.hits(COUNTING, events, "-L", "category=login")
        guessing = [h for h in hits if h["rule"]["title"] == "Guessing"]
        self.assertEqual(guessing, [{
            "event": 5, "rule": {"id": "5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b21", "title": "Guessing", "level": "medium"},
            "fields": {"user": "an"},
            "correlation": {"count": 3, "suppressed": 0, "first_event": 1, "first": "2020-05-01T10:00:00.000000Z",
                            "last": "2020-05-01T10:00:50.000000Z"}}])
        few = [(h["event"], h["fields"]["user"]) for h in hits if h["rule"]["title"] == "Few"]
        self.assertEqual(few, [(2, "binh"), (6, "an")])  # at the end of their minute

    def test_times_to_come_count_as_they_are(self):
        events = "".join(event(time=f"2099-05-01T10:0{minute}:00Z", user="an", action="failed") for minute in (0, 2, 4))
        hits = self.hits(COUNTING, events, "-L", "category=login")
        self.assertEqual([(h["event"], h["rule"]["title"]) for h in hits], [(1, "Few"), (2, "Few"), (3, "Few")])

    def test_rules_that_only_feed_are_shown_on_request(self):
        events = login(0, "an")
        quiet = [h["rule"]["title"] for h in self.hits(COUNTING, events, "-L", "category=login")]
        loud = [h["rule"]["title"] for h in self.hits(COUNTING, events, "-L", "category=login", "--all")]
        self.assertEqual((quiet, loud), (["Few"], ["Failed", "Few"]))

    def test_an_event_that_two_rules_match_counts_once(self):
        rules = TWO_RULES % ("event_count", ", condition: {gte: 3}")
        crowd = "".join(event(time="2020-05-01T10:00:00Z", x="a") for _ in range(66000))
        late = "".join(event(time=f"2020-05-01T11:00:0{n}Z", x="ab") for n in range(3))
        hits = self.hits(rules, crowd + late, "-L", "category=login")
        self.assertEqual([h["event"] for h in hits], [3, 66003])

    def test_lines_of_one_time_are_in_order(self):
        rules = TWO_RULES % ("temporal_ordered", "")
        for values, expected in (("ab", [2]), ("ba", [])):
            events = "".join(event(time="2020-05-01T10:00:00Z", x=x) for x in values)
            hits = self.hits(rules, events, "-L", "category=login")
            self.assertEqual([h["event"] for h in hits], expected)

    def test_wrong_lines_are_named(self):
        events = '{"Image": "a"}\n{"Image": "b"\n\n[{"Image": "c"}]\n{"Image": "' + "x" * 300000 + '"}\n{"Image": "d"}\n'
        result = self.match(PROCESS, events, *WINDOWS)
        self.assertEqual([h["event"] for h in result.objects()], [1, 6])
        self.assertEqual(result.code, OK)
        self.assertRegex(result.err, "standard input:2: begins like a JSON object")
        self.assertRegex(result.err, "standard input:4: looks like a JSON array")
        self.assertRegex(result.err, "standard input:5: line is longer")
        self.assertEqual(self.match(PROCESS, events, *WINDOWS, "--strict").code, CONFIG)
        self.assertEqual(self.match(PROCESS, event(Image="a"), *WINDOWS, "--strict").code, OK)

    def test_a_bad_rule_does_not_stop_the_others(self):
        broken = PROCESS + "---\ntitle: Broken\nlogsource: {product: windows}\ndetection: {a: {b|nonsense: 1}, condition: a}\n"
        result = self.match(broken, event(Image="a"), *WINDOWS)
        self.assertEqual([h["rule"]["title"] for h in result.objects()], ["Any Windows"])
        self.assertEqual(result.code, OK)
        self.assertRegex(result.err, r"rules.yml:\d+:\d+: error: .*nonsense")
        self.assertEqual(self.match(broken, "", *WINDOWS, "--strict").code, CONFIG)

    def test_what_filters_hold_back_is_said(self):
        filtered = PROCESS + """---
title: Not An
logsource: {product: windows}
filter: {rules: any, selection: {User: an}, condition: not selection}
"""
        result = self.match(filtered, event(Image="a", User="An") + event(Image="a", User="Binh"), *WINDOWS, "--strict")
        self.assertEqual([h["event"] for h in result.objects()], [2])
        self.assertEqual((result.code, result.err), (OK, "haidang: 1 hits were held back by filters\n"))

    def test_wrong_usage(self):
        path = self.write("rules.yml", PROCESS)
        cases = [
            ((path,), USAGE, "--events FILE is missing"),
            ((path, "-e", "-", "-L", "prodct=x"), USAGE, 'did you mean "product"'),
            ((path, "-e", "-", "-L", "product=a,product=b"), USAGE, "each once"),
            ((path, "-e", "-", "-L", "windows"), USAGE, "product=WORD"),
            ((path, "-e", self.dir, *WINDOWS), RUNTIME, "is a directory"),
            ((path, "-e", self.dir + "/none", *WINDOWS), RUNTIME, "none cannot be read: not found"),
            ((self.dir + "/none", "-e", "-", *WINDOWS), CONFIG, "none: error: cannot be found"),
            ((self.write("empty.yml", ""), "-e", "-", *WINDOWS), CONFIG, "no rule could be loaded"),
            ((path, "-e", "-", "-d", self.dir + "/none"), CONFIG, "name them with --decoders"),
            ((path, "-e", self.write("a.gz", b"\x1f\x8b\x08")), CONFIG, "is compressed: zcat"),
            ((path, "-e", self.write("a.txt", b"\xff\xfea\0")), CONFIG, "is UTF-16"),
        ]
        for args, code, text in cases:
            with self.subTest(args=args):
                result = self.run_haidang("rules", "match", *args)
                self.assertEqual((result.code, result.out), (code, ""))
                self.assertIn(text, result.err)

    def test_odd_bytes(self):
        rules = "title: T\nlogsource: {product: x}\ndetection: {a: {f|startswith: 'a'}, condition: a}\n"
        events = b'\xef\xbb\xbf{"f": "a\\u0000\\ud800b"}\r\n{"f": "a\xff\xfe"}\r\n{"f": "Ad\xcc\xa3"}'
        hits = self.hits(rules, events, "-L", "product=x")
        self.assertEqual([(h["event"], h["fields"]["f"]) for h in hits],
                         [(1, "a\0\ufffdb"), (2, "a\ufffd\ufffd"), (3, "Ad\u0323")])

    def test_hits_come_while_events_still_do(self):
        path = self.write("rules.yml", PROCESS)
        child = subprocess.Popen([console.PROGRAM, "rules", "match", path, "-e", "-", *WINDOWS],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with child:
            for number in (1, 2):
                child.stdin.write(event(Image="a").encode())
                child.stdin.flush()
                self.assertEqual(json.loads(child.stdout.readline())["event"], number)
            child.stdin.close()
        self.assertEqual(child.returncode, OK)

    def test_memory_does_not_grow_with_the_input(self):
        path, lines = self.write("rules.yml", PROCESS), event(Image="a" * 1000).encode() * 1000
        peak = {}
        for rounds in (2, 60):
            with subprocess.Popen([console.PROGRAM, "rules", "match", path, "-e", "-", *WINDOWS],
                                  stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
                for _ in range(rounds):
                    child.stdin.write(lines)
                child.stdin.close()
                peak[rounds] = os.wait4(child.pid, 0)[2].ru_maxrss
                child.returncode = 0
        self.assertLess(peak[60], peak[2] + 4096)

    def test_hits_that_cannot_be_written(self):
        path = self.write("rules.yml", PROCESS)
        with open("/dev/full", "wb") as full:
            run = subprocess.run([console.PROGRAM, "rules", "match", path, "-e", "-", *WINDOWS], stdout=full,
                                 input=event(Image="a").encode(), stderr=subprocess.PIPE, check=False)
        self.assertEqual(run.returncode, RUNTIME)
        self.assertIn(b"cannot be written", run.stderr)


if __name__ == "__main__":
    console.main()
