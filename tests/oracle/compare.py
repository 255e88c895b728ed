#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the engine with the other reading of the specification on many events.

usage: compare.py PROGRAM DATA [--events N] [--seed S] [--decode HAIDANG DECODERS]

DATA holds sigma/, windows-events/ and loghub/. HD_ORACLE_EVENTS is another way to say how
many events; 100,000 take some minutes.
"""
import argparse
import glob
import json
import os
import subprocess
import sys
import time
import zipfile

import sigma
from engine import SOURCE, Engine
from event import Event
from make_events import Maker

BATCH = 5000
RULES_MIN = 3700
SHOWN = 5

SYSMON = {1: "process_creation", 3: "network_connection", 5: "process_termination",
          6: "driver_load", 7: "image_load", 8: "create_remote_thread", 10: "process_access",
          11: "file_event", 12: "registry_event", 13: "registry_set", 15: "create_stream_hash",
          17: "pipe_created", 18: "pipe_created", 22: "dns_query", 23: "file_delete"}
CHANNELS = {"Security": "security", "System": "system", "Application": "application",
            "Windows PowerShell": "powershell-classic",
            "Microsoft-Windows-WMI-Activity/Operational": "wmi",
            "Microsoft-Windows-TaskScheduler/Operational": "taskscheduler"}
DECODERS = {"sshd": ("linux", "", "sshd"), "apache-error": ("apache", "", ""),
            "sudo": ("linux", "", "sudo"), "cron": ("linux", "", "cron"),
            "pam": ("linux", "", "auth")}


def logsource_of(event):
    """Sigma's log source of a Windows event (the usual mapping)."""
    number = int(event.get("EventID", 0))
    channel = str(event.get("Channel", ""))
    if "Sysmon" in channel and number in SYSMON:
        return ("windows", SYSMON[number], "")
    if channel == "Security" and number == 4688:
        return ("windows", "process_creation", "")
    if channel == "Microsoft-Windows-PowerShell/Operational":
        return ("windows", "ps_script" if number == 4104 else "ps_module", "")
    return ("windows", "", CHANNELS.get(channel, "security"))


def windows_events(directory):
    for path in sorted(glob.glob(os.path.join(directory, "*.zip"))):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                for line in filter(None, archive.read(name).splitlines()):
                    fields = json.loads(line)
                    yield fields, logsource_of(fields)


def decoded_events(directory, haidang, decoders):
    """What `haidang decode` makes of the lines of real logs."""
    paths = sorted(glob.glob(os.path.join(directory, "*.log")))
    for path in paths:
        done = subprocess.run([haidang, "decode", "-d", decoders, path], check=True,
                              capture_output=True)
        for line in done.stdout.splitlines():
            event = json.loads(line)
            logsource = DECODERS.get(event["decoder"], ("linux", "", ""))
            yield event["fields"], logsource


class Comparison:
    def __init__(self, rules, logsources, engine):
        self.logsources = logsources
        self.engine = engine
        self.by_source = [[r for r in rules if r.covers(s)] for s in logsources]
        self.events = self.hits = self.differences = 0
        self.fired = set()

    def oracle(self, line):
        event = Event(line.decode("utf-8", "surrogateescape"))
        event.fields.setdefault("message", [event.line])
        number = int(event.fields[SOURCE][0])
        return {r.id for r in self.by_source[number] if r.matches(event)}

    def run(self, lines):
        for line, engine_says in zip(lines, self.engine.match(lines)):
            oracle_says = self.oracle(line)
            self.events += 1
            self.hits += len(oracle_says)
            self.fired |= oracle_says
            if oracle_says != engine_says:
                self.report(line, oracle_says, engine_says)

    def report(self, line, oracle_says, engine_says):
        self.differences += 1
        if self.differences <= SHOWN:
            print(line.decode("utf-8", "backslashreplace"))
            print("  only the oracle: ", *sorted(oracle_says - engine_says))
            print("  only the engine: ", *sorted(engine_says - oracle_says))


def lines_to_compare(maker, real, count):
    """Real events as they are, a third at most; then made ones of both kinds in turn."""
    as_they_are = maker.dice.sample(real, min(len(real), count // 3))
    for fields, logsource in as_they_are:
        yield maker.line(fields, logsource)
    for n in range(count - len(as_they_are)):
        if real and n % 2 == 0:
            yield maker.of_event(*maker.dice.choice(real))
        else:
            yield maker.of_rules()


def batches(lines):
    batch = []
    for line in lines:
        batch.append(line)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("data")
    parser.add_argument("--events", type=int,
                        default=int(os.environ.get("HD_ORACLE_EVENTS", 8000)))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--decode", nargs=2, metavar=("HAIDANG", "DECODERS"))
    args = parser.parse_args()
    if "HD_SHARED_DIR" in os.environ:
        args.data = os.path.join(os.environ["HD_SHARED_DIR"], "data")
    return args


def real_events(args):
    events = list(windows_events(os.path.join(args.data, "windows-events")))
    if args.decode:
        events += decoded_events(os.path.join(args.data, "loghub"), *args.decode)
    return events


def compare_all(args, rules):
    logsources = sorted({r.logsource for r in rules} | set(DECODERS.values()) |
                        {("windows", "", s) for s in CHANNELS.values()} |
                        {("windows", c, "") for c in SYSMON.values()} | {("linux", "", "")})
    directory = os.path.join(args.data, "sigma")
    comparison = Comparison(rules, logsources, Engine(args.program, logsources, [directory]))
    real = real_events(args)
    start = time.process_time()
    for batch in batches(lines_to_compare(Maker(rules, logsources, args.seed), real,
                                          args.events)):
        comparison.run(batch)
        print("%d events, %d hits of %d rules, %d differences, %.0f s" %
              (comparison.events, comparison.hits, len(comparison.fired),
               comparison.differences, time.process_time() - start), flush=True)
    return comparison


def main():
    args = arguments()
    if not os.path.isdir(os.path.join(args.data, "sigma")):
        print("SKIPPED: no public rules")
        return 77
    refused = []
    paths = sorted(glob.glob(os.path.join(args.data, "sigma", "**", "*.yml"), recursive=True))
    rules = sigma.load_rules(paths, lambda path, why: refused.append((path, why)))
    comparison = compare_all(args, rules)
    print("%d rules, %d refused" % (len(rules), len(refused)))
    too_few = len(rules) < RULES_MIN or len(comparison.fired) < len(rules) // 10
    return 1 if comparison.differences or too_few else 0


if __name__ == "__main__":
    sys.exit(main())
