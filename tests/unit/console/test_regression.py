#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every recording of the public regression data must fire its rule, through `haidang rules match`, told by its shape alone.
Prints the other rules that each fires; HD_REGRESSION_REPORT=FILE writes them there."""
import collections
import glob
import json
import os

import console
from console import OK


class Regression(console.Case):
    def test_each_event_fires_its_rule(self):
        data, rules = console.shared("sigma-regression"), console.shared("sigma")
        if data is None or rules is None:
            self.skipTest("no public rules and events beside the checkout")
        cases = [json.loads(line) for path in sorted(glob.glob(f"{data}/*.jsonl")) for line in open(path, encoding="utf-8")]
        events = self.write("events.jsonl", "".join(json.dumps(case["event"]) + "\n" for case in cases))
        result = self.run_haidang("rules", "match", rules, "--events", events)
        self.assertEqual(result.code, OK, result.err)
        fired = collections.defaultdict(dict)
        for hit in result.objects():
            fired[hit["event"]][hit["rule"]["id"]] = hit["rule"]["title"]
        self.report(cases, fired)
        wanted = {case["rule"] for case in cases}
        good = [number for number, case in enumerate(cases, 1) if case["rule"] in fired[number]]
        self.assertEqual(wanted - {cases[number - 1]["rule"] for number in good}, set())
        self.assertGreaterEqual(len(wanted), 59)
        # recordings of several events hold companions, such as the Zone.Identifier of a download
        self.assertEqual(len(cases) - len(good), 10)

    @staticmethod
    def report(cases, fired):
        lines = []
        for number, case in enumerate(cases, 1):
            others = [f"{title} ({rule})" for rule, title in fired[number].items() if rule != case["rule"]]
            own = fired[number].get(case["rule"], "DOES NOT FIRE")
            lines.append(f"event {number}: {own} ({case['rule']})" + "".join(f"\n    also {other}" for other in others))
        text = "\n".join(lines)
        print(text)
        if "HD_REGRESSION_REPORT" in os.environ:
            with open(os.environ["HD_REGRESSION_REPORT"], "w", encoding="utf-8") as out:
                out.write(text + "\n")


if __name__ == "__main__":
    console.main()
