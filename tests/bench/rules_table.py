#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of docs/rule-engine.md: lines per CPU second through decode and match, by data set and
number of rules, one core.
usage: tests/bench/rules_table.py [-b BENCH_MATCH] [-d DECODERS] [-s SECONDS] [COUNT...]
BENCH_MATCH is the program to measure (default: build/dev), DECODERS the directory of decoders.
COUNT: how many rules; 0 = all public ones, once (default: 100 1000 3000 0 10000 30000)."""
import argparse
import os
import subprocess
import tempfile

import rules_data

DEFAULT_COUNTS = [100, 1000, 3000, 0, 10000, 30000]
BENCH = os.path.join(rules_data.ROOT, "build", "dev", "tests", "bench", "bench_match")


def measure(args, rules, form, path):
    command = [args.bench, "-t", "-s", str(args.seconds), "-f", form, "-r", rules]
    command += ["-d", args.decoders] if args.decoders else []
    row = subprocess.run(command + [path], check=True, capture_output=True, text=True).stdout.split("\t")
    return {"rules": int(row[0]), "load": float(row[1]), "memory": float(row[2]), "decode": float(row[3]),
            "match": float(row[4]), "both": float(row[5]), "hits": int(row[7]) / int(row[6])}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-b", "--bench", default=BENCH)
    parser.add_argument("-d", "--decoders")
    parser.add_argument("-s", "--seconds", type=float, default=1)
    parser.add_argument("counts", nargs="*", type=int, default=DEFAULT_COUNTS)
    args = parser.parse_args()
    total = len(rules_data.public_rules())
    with tempfile.TemporaryDirectory() as directory:
        events = rules_data.write_events(directory)
        print("| data | rules | load s | resident MiB | decode /s | match /s | decode + match /s | hits a line |")
        print("|---|---|---|---|---|---|---|---|")
        rules = {n: rules_data.write_rules(os.path.join(directory, f"rules-{n}"), n or total) for n in args.counts}
        for name, (form, path) in events.items():
            for n in args.counts:
                r = measure(args, rules[n], form, path)
                print(f"| {name} | {r['rules']:,} | {r['load']:.2f} | {r['memory']:.0f} | {r['decode']:,.0f} | "
                      f"{r['match']:,.0f} | {r['both']:,.0f} | {r['hits']:.3f} |", flush=True)


if __name__ == "__main__":
    main()
