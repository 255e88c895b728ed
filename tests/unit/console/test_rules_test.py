#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""haidang rules test: examples, and rules against events."""
import json

import console
from console import CONFIG, OK, RUNTIME, USAGE

RULES = """
title: Shell
id: 5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b11
logsource: {product: windows, category: process_creation}
detection:
  selection:
    Image|endswith: ['\\cmd.exe', '\\sh.exe']
    Parent.Pid: 7
  filter_root: {User: root}
  _words: [hello]
  condition: (selection or _words) and not 1 of filter_*
---
title: Elsewhere
id: 5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b12
logsource: {product: linux}
detection:
  list:
    - {a: 1, b: 2}
    - {c|re: '^x+$'}
  condition: [list]
---
title: Kept Out
id: 5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b13
logsource: {product: windows}
filter:
  rules: [5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b11]
  selection: {Host: test}
  condition: not selection
"""
WINDOWS = ("-L", "product=windows,category=process_creation")
FIRES = {"Image": "C:\\CMD.exe", "Parent": {"Pid": 7}}

EXAMPLES = """
title: Example
logsource: {product: linux, service: sshd}
detection: {a: {user.name: root}, condition: a}
haidang:
  examples:
    match: ['Nov 21 14:50:37 web1 sshd[812]: Failed password for %s from 203.0.113.9 port 50123 ssh2']
"""


class Events(console.Case):
    def run_test(self, events, *args, rules=RULES):
        path = self.write("rules.yml", rules)
        return self.run_haidang("rules", "test", path, "--events", "-", *args,
                                stdin="".join(e if isinstance(e, str) else json.dumps(e) + "\n" for e in events))

    def parts(self, event, *args):
        result = self.run_test([event], "--json", *(args or WINDOWS))
        self.assertEqual((result.code, result.err), (OK, ""))
        shell, elsewhere = result.objects()
        return shell, elsewhere

    def test_parts_are_those_of_the_rule(self):
        shell, elsewhere = self.parts(FIRES)
        self.assertEqual((shell["event"], shell["rule"]["title"], shell["meets"], shell["fires"]), (1, "Shell", True, True))
        self.assertEqual(shell["condition"], "(selection or _words) and not 1 of filter_*")
        self.assertEqual({p["name"]: p["holds"] for p in shell["parts"]},
                         {"selection": True, "filter_root": False, "_words": False})
        self.assertEqual((elsewhere["meets"], elsewhere["fires"], elsewhere["parts"]), (False, False, []))
        steps = {s["text"]: (s["holds"], s["value"]) for s in shell["parts"][0]["steps"] if s["kind"] == "compare"}
        self.assertEqual(steps, {"Image|endswith: '\\cmd.exe'": (True, "C:\\CMD.exe"),
                                 "Image|endswith: '\\sh.exe'": (False, "C:\\CMD.exe"), "Parent.Pid: '7'": (True, "7")})
        self.assertEqual(shell["parts"][1]["steps"], [
            {"depth": 0, "kind": "compare", "holds": False, "text": "User: 'root'", "value": None}])

    def test_what_held_and_what_did_not(self):
        for event, fires, holds in (
                ({**FIRES, "User": "ROOT"}, False, (True, True, False)),
                ({"Image": "x"}, False, (False, False, False)),
                ("hello\n", True, (False, False, True)),
                ({**FIRES, "Host": "test"}, False, (True, False, False))):  # the set's filter
            shell, _ = self.parts(event)
            self.assertEqual((shell["fires"], tuple(p["holds"] for p in shell["parts"])), (fires, holds), event)
        _, elsewhere = self.parts({"c": "xxx", "a": 1}, "-L", "product=linux")
        self.assertEqual([s["holds"] for s in elsewhere["parts"][0]["steps"] if s["kind"] == "compare"],
                         [s["text"].startswith(("c|", "a")) for s in elsewhere["parts"][0]["steps"] if s["kind"] == "compare"])

    def test_text_for_people(self):
        result = self.run_test([FIRES, {"Image": "x\033[2J"}], *WINDOWS)
        for part in ("event 1, Shell: fires\n", "  selection: holds\n", "\\cmd.exe'   <- \"C:\\\\CMD.exe\"\n",
                     "<- no such field\n", "  condition: (selection or _words)", "\nShell: events 2, of its log source 2, fired on 1\n",
                     "its log source is product=windows,category=process_creation, the rule wants product=linux\n"):
            self.assertIn(part, result.out)
        self.assertNotIn("\033", result.out)
        self.assertIn("sự kiện 1, Shell: khớp\n", self.run_test([FIRES], *WINDOWS, "--lang", "vi").out)

    def test_events_above_the_limit_are_counted(self):
        result = self.run_test([FIRES] * 50, *WINDOWS)
        self.assertEqual(result.out.count(", Shell: fires"), 20)
        self.assertIn("events 50, of its log source 50, fired on 50\n", result.out)
        self.assertEqual(self.run_test([FIRES] * 50, *WINDOWS, "-n", "0").out.count(", Shell: fires"), 50)
        self.assertEqual(self.run_test([FIRES] * 3, *WINDOWS, "-n", "1").out.count(", Shell: fires"), 1)

    def test_events_that_no_decoder_knows(self):
        result = self.run_test(["what is this\n"])
        self.assertIn("not known to any decoder, the rule wants product=windows,category=process_creation\n", result.out)

    def test_wrong_usage(self):
        path = self.write("rules.yml", RULES)
        many = self.write("many.yml", "---".join(RULES.replace("-9a53", f"-{n}") for n in range(1000, 1009)))
        for args, code, text in (
                (("--events", "-"), USAGE, "name 1 to 16 rule files"),
                ((path, "--events", "-", "-n", "many"), USAGE, "--limit: 'many' is not a number"),
                ((many, "--events", "-"), USAGE, "more than 16 rules"),
                ((path, "--events", self.dir), RUNTIME, "is a directory"),
                ((self.dir + "/none", "--events", "-"), CONFIG, "cannot be"),
                ((self.write("bad.yml", "title: [a"), "--events", "-"), CONFIG, "bad.yml:2")):
            result = self.run_haidang("rules", "test", *args)
            self.assertEqual((result.code, result.out), (code, ""), args)
            self.assertIn(text, result.err)
        refused = self.run_test([FIRES], *WINDOWS, rules=RULES.replace("endswith", "nowhere"))
        self.assertEqual(refused.code, CONFIG)
        self.assertIn("nowhere", refused.err)


class Examples(console.Case):
    def test_examples_that_hold_and_that_do_not(self):
        for user, code, failed in (("root", OK, 0), ("an", CONFIG, 1)):
            path = self.write("example.yml", EXAMPLES % user)
            result = self.run_haidang("rules", "test", path)
            self.assertEqual((result.code, result.out), (code, f"1 examples, {failed} failed\n"))
            self.assertEqual("does not fire it" in result.err, failed == 1)
            self.assertEqual(self.run_haidang("rules", "test", path, "--json").objects(), [{"examples": 1, "failed": failed}])


if __name__ == "__main__":
    console.main()
