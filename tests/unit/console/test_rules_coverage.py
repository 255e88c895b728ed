#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""haidang rules coverage and bench."""
import json

import console
from console import CONFIG, OK, RUNTIME, USAGE

RULES = """
title: Can Fire
id: 5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b11
name: can
tags: [attack.execution, attack.t1059, attack.ds0001, other.tag]
logsource: {product: windows, category: process_creation}
detection: {selection: {Image|endswith: '.exe'}, condition: selection}
---
title: Wants Much
id: 5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b12
tags: [attack.execution, attack.impact]
logsource: {product: windows}
detection: {selection: {Image: x, Hashes|contains: y, Other: z}, condition: selection}
---
title: Elsewhere
id: 5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b13
tags: [attack.impact, attack.brand-new]
logsource: {product: mars}
detection: {selection: {Image: x}, condition: selection}
---
title: Many
id: 5f0b6f0e-2f3c-4c55-9a53-0f8f0a3d2b14
tags: [attack.impact]
correlation: {type: event_count, rules: [can], group-by: [User], timespan: 1m, condition: {gte: 3}}
"""
WINDOWS = ("-L", "product=windows,category=process_creation")
EVENT = json.dumps({"Image": "a.exe", "Hashes": "1"}) + "\n"


class Coverage(console.Case):
    def setUp(self):
        super().setUp()
        self.path = self.write("rules.yml", RULES)

    def cover(self, *args, stdin=""):
        result = self.run_haidang("rules", "coverage", self.path, *args, stdin=stdin)
        self.assertEqual((result.code, result.err), (OK, ""))
        return result

    def test_by_what_decoders_give(self):
        told = self.cover("--json", "--missing").objects()[0]
        self.assertEqual((told["rules"], told["can_fire"], told["no_source"]), (4, 3, 1))
        self.assertEqual([(m["title"], m["reason"]) for m in told["missing"]], [("Elsewhere", "no-source")])
        self.assertEqual([(s["logsource"], s["rules"], s["can_fire"]) for s in told["sources"]],
                         [("product=windows,category=process_creation", 1, 1), ("product=windows", 1, 1), ("product=mars", 1, 0)])
        self.assertEqual([(t["tactic"], t["rules"], t["can_fire"]) for t in told["tactics"]],
                         [("execution", 2, 2), ("impact", 3, 2), ("brand-new", 1, 0)])

    def test_by_what_came(self):
        told = self.cover("--json", "--missing", "-e", "-", *WINDOWS, stdin=EVENT).objects()[0]
        self.assertEqual((told["can_fire"], told["no_fields"], told["no_source"], told["events"], told["unknown"]), (2, 1, 1, 1, 0))
        self.assertEqual([(m["title"], m["reason"], m["fields"]) for m in told["missing"]],
                         [("Wants Much", "no-fields", ["Other"]), ("Elsewhere", "no-source", [])])
        told = self.cover("--json", "--missing", "-e", "-", stdin="who knows\n").objects()[0]
        self.assertEqual((told["can_fire"], told["not_seen"], told["unknown"]), (0, 3, 1))
        self.assertEqual([m["reason"] for m in told["missing"]], ["not-seen", "not-seen", "no-source", "not-seen"])

    def test_text_for_people(self):
        text = self.cover().out
        self.assertIn("4 rules: 3 can fire, 1 have a log source that no decoder gives\n", text)
        self.assertRegex(text, r"\n  product=windows,category=process_creation +1 +1  100 %\n")
        self.assertRegex(text, r"\n  impact +3 +2   66 %\n")
        self.assertRegex(self.cover("--lang", "vi").out, "^4 luật: 3 có thể khớp")
        self.assertIn("no-fields  Wants Much : Other\n", self.cover("-m", "-e", "-", *WINDOWS, stdin=EVENT).out)

    def test_wrong_usage(self):
        for args, code, text in (
                (("-e", "-", "--archive", self.dir), USAGE, "not both"),
                (("--archive", self.dir, "--since", "yesterday"), USAGE, "not a duration"),
                (("--archive", self.dir + "/none"), 6, "none cannot be read: not found"),
                (("-e", self.dir + "/none"), RUNTIME, "cannot be read"),
                (("-d", self.dir), CONFIG, "decoder")):
            result = self.run_haidang("rules", "coverage", self.path, *args)
            self.assertEqual((result.code, result.out), (code, ""), args)
            self.assertIn(text, result.err)


class Bench(console.Case):
    def bench(self, *args, stdin=EVENT * 100):
        path = self.write("rules.yml", RULES)
        return self.run_haidang("rules", "bench", path, "-e", "-", "-t", "10ms", *args, stdin=stdin)

    def test_rates_and_costs(self):
        result = self.bench("--json", *WINDOWS)
        self.assertEqual((result.code, result.err), (OK, ""))
        told = result.objects()[0]
        self.assertEqual((told["rules"], told["events"], told["hits"], told["bytes"]), (4, 100, 100, 100 * (len(EVENT) - 1)))
        self.assertGreater(told["events_per_s"], 1000)
        self.assertGreater(told["both_ns"], 0)
        can = next(c for c in told["costs"] if c["title"] == "Can Fire")
        self.assertEqual((can["looked_at"], can["holds"]), (1, 1))
        self.assertEqual(self.bench("--json", "-n", "0", *WINDOWS).objects()[0]["costs"], [])

    def test_text_for_people(self):
        text = self.bench(*WINDOWS).out
        for part in ("4 rules, 100 events, ", "  both  ", "1.000 hits an event", "100.00 %  100.00 %  Can Fire (5f0b6f0e"):
            self.assertIn(part, text)

    def test_wrong_usage(self):
        path = self.write("rules.yml", RULES)
        for args, code, text in (
                ((path,), USAGE, "--events FILE is missing"),
                ((path, "-e", "-", "--top", "x"), USAGE, "--top: 'x' is not a number"),
                ((path, "-e", "-", "--time", "x"), USAGE, "--time: 'x' is not a duration"),
                ((path, "-e", "-", "-L", "x"), USAGE, "product=WORD"),
                ((path, "-e", "-"), CONFIG, "holds no events"),
                ((self.dir + "/none", "-e", "-"), CONFIG, "cannot be found")):
            result = self.run_haidang("rules", "bench", *args)
            self.assertEqual((result.code, result.out), (code, ""), args)
            self.assertIn(text, result.err)


if __name__ == "__main__":
    console.main()
