#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""haidang rules explain and convert."""
import console
from console import CONFIG, OK, USAGE

DECODER = """
decoder: some
match: {program: [some]}
logsource: [{product: linux, service: some}, {product: linux, category: process_creation}]
"""

RULES = """
title: Odd Shell
id: 5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b11
name: odd_shell
level: high
logsource: {product: linux, category: process_creation}
detection:
  selection:
    Image|endswith: '/BASH'
    CommandLine|windash|contains: ['-c id', 'a\\*b']
  filter:
    - User: root
    - Uid|lt: 1.5
    - Address|cidr: 10.0.0.0/8
    - Parent|re|i: '^/(s?)bin'
    - Parent: null
    - Args|cased: 'X*y?z'
    - Twin|fieldref: User
  words: ['Đăng']
  condition: (selection or words) and not 1 of filter
---
title: Some Other
name: other
logsource: {product: linux}
detection: {selection: {Image|endswith: '/bash'}, condition: selection}
---
title: Unheard Of
id: 5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b13
logsource: {product: mars}
detection: {selection: {a: null}, condition: selection}
---
title: Many
correlation: {type: event_count, rules: [other], group-by: [User], timespan: 1m, condition: {gte: 3}}
"""


class Explain(console.Case):
    def setUp(self):
        super().setUp()
        self.path = self.write("rules.yml", RULES)
        self.write("decoders/some.yml", DECODER)

    def explain(self, *args):
        result = self.run_haidang("rules", "explain", *args, "-d", f"{self.dir}/decoders")
        self.assertEqual((result.code, result.err), (OK, ""))
        return result

    def test_every_comparison_is_told_as_sigma_writes_it(self):
        rule, = self.explain("odd_SHELL", self.path, "--json").objects()
        texts = {step["text"] for step in rule["compiled"] if step["kind"] == "compare"}
        self.assertEqual(texts, {
            "Image|endswith: '/bash'", *(f"CommandLine|contains: '{dash}c id'" for dash in "-/–—―"),
            "CommandLine|contains: 'a\\*b'", "User: 'root'", "Uid|lt: 1.5", "Address|cidr: 10.0.0.0/8",
            "Parent|re|i: '^/(s?)bin'", "Parent: null", "Args|cased: 'X*y?z'", "Twin|fieldref: User",
            "keyword|contains: 'đăng'"})
        shared = [step["rules"] for step in rule["compiled"] if step.get("text") == "Image|endswith: '/bash'"]
        self.assertEqual(shared, [2])
        self.assertEqual([step["kind"] for step in rule["compiled"] if step["depth"] < 2][:1], ["all"])
        self.assertEqual({(way["kind"], way["field"]) for way in rule["access"]},
                         {("literal", "Image"), ("literal", "")})  # one of either side of "or"
        self.assertEqual(rule["classes"], [{"id": rule["classes"][0]["id"], "rules": 2, "sources": [
            "product=linux,service=some", "product=linux,category=process_creation"]}])

    def test_text(self):
        text = self.explain("odd shell", self.path).out
        for part in ("Odd Shell  (high)\n", "rules.yml:2\n", "  compiled to\n    all of\n", "      not\n",
                     "(rules that ask this: 2)", "  looked at when\n", "(2 rules)\n"):
            self.assertIn(part, text)
        self.assertNotIn("\033", text)
        self.assertIn("được dịch thành", self.explain("odd shell", self.path, "--lang", "vi").out)

    def test_rules_without_access_or_source(self):
        text = self.explain("unheard", self.path).out
        self.assertIn("evaluated for every event", text)
        self.assertIn("no decoder gives this log source", text)
        self.assertIn("correlates the hits of\n    other  Some Other\n", self.explain("Many", self.path).out)

    def test_a_file_is_explained_whole(self):
        self.assertEqual([r["title"] for r in self.explain(self.path, "--json").objects()],
                         ["Odd Shell", "Some Other", "Unheard Of", "Many"])

    def test_wrong_input(self):
        result = self.run_haidang("rules", "explain", "nothing like it", self.path)
        self.assertEqual((result.code, result.out), (CONFIG, ""))
        self.assertIn("no rule has 'nothing like it'", result.err)
        self.assertEqual(self.run_haidang("rules", "explain").code, USAGE)
        self.assertEqual(self.run_haidang("rules", "explain", "x", self.dir + "/none").code, CONFIG)


class Convert(console.Case):
    def hashes(self, *paths):
        self.write("decoders/some.yml", DECODER)
        result = self.run_haidang("rules", "list", "--json", "-d", f"{self.dir}/decoders", *paths)
        return {rule["id"]: (rule["hash"], rule["title"], rule["tags"], rule["author"], rule["title_vi"],
                             rule["status"], rule["level"]) for rule in result.objects()}

    def convert(self, *paths):
        result = self.run_haidang("rules", "convert", *paths)
        self.assertEqual((result.code, result.err), (OK, ""))
        return result.out

    def assert_nothing_lost(self, *paths):
        converted = self.convert(*paths)
        names = [self.write(f"converted/{number:06}.yml", text)
                 for number, text in enumerate(converted.split("\n---\n"))]
        before = self.hashes(*paths)
        self.assertEqual(self.hashes(f"{self.dir}/converted"), before)
        self.assertGreater(len(before), 2)
        self.assertEqual(self.convert(f"{self.dir}/converted"), converted)
        return names

    def test_scalars_of_all_kinds(self):
        self.assert_nothing_lost(self.write("odd.yml", r"""
level: low
detection:
  sel: &a
    plain: [1, "1", '1', null, "null", ~, "", '', true, "it's", 'a: b', "#x", "- y", "tab\tin", "\x7f\x85\u2028\ufeff\e"]
    block: |
      two
        lines

      more
    strip: |-
      ends
      here
    keep: |+
      many ends


    fold: >
      this is
      one line
    lead: "  spaces \n  before"
    trail: "space \nbehind"
    "odd: key": [x]
    '*': [y]
    tiếng việt: Đăng
  other: *a
  condition: sel and other
logsource: {category: x}
title: 'Odd: "quotes" and \ backslash'
my own: {empty: {}, none: [], deep: [[1, [2]], {a: [b]}]}
haidang: {title_vi: "Lạ"}
---
title: Second
logsource: {category: x}
detection: {a: ['#keyword', "%x%", '`', '@', '&z', '!t', '|', '>', '{', '[', ', ', '?', ': ', ' ']}
---
title: Third
logsource: {category: x}
detection: {a: [x], condition: a}
""".replace("' ']}", "' '], condition: a}")))

    def test_keys_stand_in_the_order_of_the_specification(self):
        text = self.convert(self.write("a.yml", "zebra: 1\nlevel: low\ntitle: x\ndetection:\n  s: {b: 1, a: 2}\n  condition: s\nid: y\n"))
        self.assertEqual(text, "title: x\nid: y\nlevel: low\ndetection:\n  s:\n    b: 1\n    a: 2\n  condition: s\nzebra: 1\n")

    def test_our_library(self):
        self.assert_nothing_lost(f"{console.SOURCE}/rules/library")

    def test_all_public_rules(self):
        rules = console.shared("sigma")
        if rules is None:
            self.skipTest("no public rules beside the checkout")
        self.assertGreater(len(self.assert_nothing_lost(rules)), 3770)

    def test_wrong_input(self):
        for name, text in (("none", None), ("bad.yml", "a: [b"), ("text.yml", "just text")):
            path = self.write(name, text) if text is not None else f"{self.dir}/{name}"
            result = self.run_haidang("rules", "convert", path)
            self.assertEqual((result.code, result.out), (CONFIG, ""), name)
            self.assertIn(path, result.err)


if __name__ == "__main__":
    console.main()
