#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""haidang rules check and list."""
import os

import console
from console import CONFIG, OK, USAGE

BAD = """title: Bad
level: highest
status: tset
logsource: {product: windows, foo: bar}
detection:
  sel:
    Image|nosuch: a
    B|re: '(('
    C|cidr: 1.2.3.4/33
  other:
    - D|lt: abc
    - []
  condition: sel and other and (nothing or
---
title: Good
logsource: {product: linux}
detection: {a: {f: 1}, condition: a}
---
title: Bad Name
logsource: {product: linux}
detection: {a: [1], condition: a and b}
"""
WANTED = [(2, 8), (3, 9), (4, 31), (7, 5), (8, 11), (9, 13), (11, 13), (12, 7), (13, 43), (21, 38)]

LISTED = """
title: One
id: 5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b11
level: high
status: stable
tags: [attack.execution, attack.t1059.001]
logsource: {product: windows, category: process_creation}
detection: {a: {f: 1}, condition: a}
haidang: {title_vi: "Một"}
---
title: Two
id: 5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b12
level: low
status: test
tags: [attack.t10590]
logsource: {product: linux, service: sshd}
detection: {a: {f: 1}, condition: a}
---
title: Three
id: 5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b13
logsource: {product: windows}
detection: {a: {f: 1}, condition: a}
"""


COUNTED = """title: Counted
name: counted
status: test
logsource: {product: linux}
detection: {a: {f: 1}, condition: a}
"""
CORRELATION = """---
title: Of {name}
name: {name}
status: test
correlation: {{type: event_count, rules: [counted], group-by: [{group}], timespan: 5m, condition: {{gte: {least}}}}}
"""

class Check(console.Case):
    def test_every_problem_is_told_with_its_place(self):
        path = self.write("bad.yml", BAD)
        result = self.run_haidang("rules", "check", path)
        places = sorted(tuple(map(int, line.split(":")[1:3])) for line in result.err.splitlines())
        self.assertEqual(places, WANTED)
        self.assertEqual(result.code, CONFIG)
        self.assertRegex(result.out, r"^1 rules, 10 errors, 0 warnings, \d+ ms\n$")

    def test_as_json(self):
        path = self.write("bad.yml", BAD)
        result = self.run_haidang("rules", "check", "--json", path)
        *problems, summary = result.objects()
        self.assertEqual(sorted((p["line"], p["column"]) for p in problems), WANTED)
        self.assertEqual({(p["level"], p["file"]) for p in problems}, {("error", path)})
        self.assertEqual((summary["rules"], summary["errors"], summary["warnings"]), (1, 10, 0))
        self.assertEqual((result.code, result.err), (CONFIG, ""))

    def test_a_good_set(self):
        result = self.run_haidang("rules", "check", self.write("good.yml", LISTED))
        self.assertEqual((result.code, result.err), (OK, ""))
        self.assertIn("3 rules, 0 errors", result.out)

    def test_what_is_not_there_or_no_rule(self):
        for name, text in (("none.yml", None), ("text.yml", "just text"), ("bytes.yml", b"\xff\0\x01"), ("tab.yml", "a:\n\t- b")):
            path = self.write(name, text) if text is not None else f"{self.dir}/{name}"
            result = self.run_haidang("rules", "check", path)
            self.assertEqual(result.code, CONFIG, name)
            self.assertIn(f"{path}:", result.err)

    def test_what_holds_no_rules_is_no_success(self):
        os.mkdir(f"{self.dir}/nothing")
        self.write("empty.yml", "")
        for path, text in ((f"{self.dir}/nothing", "holds no rules"), (f"{self.dir}/empty.yml", "holds no rules"),
                           ("/dev/null", "is neither a file nor a directory")):
            for command in ("check", "list"):
                result = self.run_haidang("rules", command, path)
                self.assertEqual(result.code, CONFIG, result.err)
                self.assertIn(f"{path}: error: {text}", result.err)
        result = self.run_haidang("rules", "check", self.write("good.yml", LISTED), "--min-level", "critical")
        self.assertEqual((result.code, result.err), (OK, "")) # they were left out on purpose

    def test_the_sum_in_vietnamese(self):
        result = self.run_haidang("rules", "check", self.write("good.yml", LISTED), env={"LC_ALL": "vi_VN.UTF-8"})
        self.assertRegex(result.out, r"^3 luật, 0 lỗi, 0 cảnh báo, \d+ ms\n$")

    def test_what_a_reload_does_to_correlations(self):
        def rules(name, *changes):
            text = COUNTED + "".join(
                CORRELATION.format(name=n, group=group, least=least) for n, group, least in changes)
            return self.write(name, text)
        old = rules("old.yml", ("same", "user.name", 3), ("more", "user.name", 3), ("other", "user.name", 3),
                    ("lost", "user.name", 3))
        new = rules("new.yml", ("same", "user.name", 3), ("more", "user.name", 4), ("other", "source.ip", 3))
        result = self.run_haidang("rules", "check", new, "--against", old)
        self.assertEqual((result.code, result.err), (OK, ""))
        self.assertEqual(result.out.splitlines()[:-1], [
            "Of more (more): changed, keeps its groups",
            "Of other (other): begins anew: group-by changed",
            "Of lost (lost): is gone, with its groups"])
        result = self.run_haidang("rules", "check", new, "--against", old, env={"LC_ALL": "vi_VN.UTF-8"})
        self.assertIn("Of other (other): đếm lại từ đầu: đổi group-by\n", result.out)
        *changes, _ = self.run_haidang("rules", "check", "--json", new, "--against", old).objects()
        self.assertEqual([(c["correlation"], c["changed"], c["kept"]) for c in changes],
                         [("more", "kept", True), ("other", "group-by", False), ("lost", "gone", False)])
        result = self.run_haidang("rules", "check", new, "--against", new)
        self.assertEqual(result.out.splitlines()[0], "no correlation changes its meaning")
        result = self.run_haidang("rules", "check", new, "--against", f"{self.dir}/none.yml")
        self.assertEqual(result.code, CONFIG)

    def test_explain_of_a_file_that_is_not_there(self):
        result = self.run_haidang("rules", "explain", f"{self.dir}/none.yml")
        self.assertEqual((result.code, result.err), (CONFIG, f"haidang: {self.dir}/none.yml cannot be found\n"))

    def test_every_public_rule_that_is_refused_has_a_reason(self):
        rules = console.shared("sigma")
        if rules is None:
            self.skipTest("no public rules beside the checkout")
        *problems, summary = self.run_haidang("rules", "check", "--json", rules).objects()
        self.assertGreater(summary["rules"], 3740)
        refused = {p["file"] for p in problems if p["level"] == "error" and p["line"] > 0 and p["column"] > 0}
        self.assertLessEqual(len(refused), 25)
        self.assertGreaterEqual(summary["rules"] + len(refused), 3780)


class List(console.Case):
    def titles(self, *args):
        result = self.run_haidang("rules", "list", "--json", self.write("rules.yml", LISTED), *args)
        self.assertEqual((result.code, result.err), (OK, ""))
        return [rule["title"] for rule in result.objects()]

    def test_filters(self):
        for args, titles in (
                ((), ["One", "Two", "Three"]),
                (("--level", "medium"), ["One", "Three"]),
                (("--status", "test"), ["Two"]),
                (("--logsource", "product=windows"), ["One", "Three"]),
                (("-L", "product=Windows,category=process_creation"), ["One"]),
                (("-L", "service=sshd", "-L", "category=process_creation"), ["One", "Two"]),
                (("--tag", "attack.t1059"), ["One"]),
                (("--min-level", "medium", "--statuses", "stable"), ["One", "Three"]),
                (("--statuses", "test,deprecated"), ["Two", "Three"]),
                (("--tag", "attack.t1059.001", "--level", "critical"), [])):
            with self.subTest(args=args):
                self.assertEqual(self.titles(*args), titles)

    def test_texts_and_json(self):
        path = self.write("rules.yml", LISTED)
        self.assertIn("high           Một\n", self.run_haidang("rules", "list", path, "--lang", "vi").out)
        self.assertIn("high           Một\n", self.run_haidang("rules", "list", path, env={"LC_ALL": "vi_VN.UTF-8"}).out)
        rule = self.run_haidang("rules", "list", path, "--json").objects()[0]
        self.assertEqual((rule["status"], rule["logsource"], rule["tags"]),
                         ("stable", {"product": "windows", "category": "process_creation", "service": ""},
                          ["attack.execution", "attack.t1059.001"]))

    def test_wrong_usage(self):
        for args, text in ((("--level", "hihg"), 'did you mean "high"'), (("-L", "linux"), "product=WORD")):
            result = self.run_haidang("rules", "list", *args)
            self.assertEqual((result.code, result.out), (USAGE, ""))
            self.assertIn(text, result.err)


if __name__ == "__main__":
    console.main()
