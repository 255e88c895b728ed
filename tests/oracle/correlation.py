#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Correlations against a reference that looks at every window anew.

The reference keeps all events and answers from the definitions of docs/correlation.md, with
exact fractions and without any structure of its own. Streams are random: equal times, late
events, several groups and rules.

usage: correlation.py HAIDANG [--streams N] [--seed S]
"""
import argparse
import datetime
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import namedtuple
from fractions import Fraction
from itertools import product

LATENESS = 30
START = 1790000000  # seconds
RULES = ("first", "second", "third")
GROUPS = ("a", "b", "c")

Event = namedtuple("Event", "number time rules group value amount")
Detection = namedtuple("Detection", "event rule group count suppressed first last")
# begins: of conditions over rules that wait for the end, the rules whose events begin a window
Spec = namedtuple("Spec", "type span bounds percentile expression rules begins", defaults=((),))

COMPARE = {"gt": lambda a, b: a > b, "gte": lambda a, b: a >= b, "lt": lambda a, b: a < b,
           "lte": lambda a, b: a <= b, "eq": lambda a, b: a == b, "neq": lambda a, b: a != b}
COUNTING_UP = {"gt", "gte"}


# ---- what a window holds ----

def order(event):
    """All events of a stream come from one agent: equal times follow its sequence."""
    return event.time, event.number


def measure(spec, events):
    """What the condition is about; None when nothing can be said."""
    if spec.type == "event_count":
        return len(events)
    if spec.type == "value_count":
        return len({e.value for e in events})
    if spec.type == "temporal":
        return len({r for e in events for r in e.rules if r in spec.rules})
    if not events:
        return None
    numbers = sorted(Fraction(e.amount) for e in events)
    if spec.type == "value_sum":
        return sum(numbers)
    if spec.type == "value_avg":
        return sum(numbers) / len(numbers)
    rank = -(-spec.percentile * len(numbers) // 100)
    return numbers[rank - 1]


def in_order(events, rules):
    """Is there one event for each rule, each behind the one before?"""
    ways = [[e for e in events if r in e.rules] for r in rules]
    return any(all(order(a) < order(b) for a, b in zip(way, way[1:])) for way in product(*ways))


def holds(spec, events):
    if spec.type == "temporal_ordered":
        return in_order(sorted(events, key=order), spec.rules)
    if spec.expression:
        seen = {r for e in events for r in e.rules}
        return spec.expression(seen)
    value = measure(spec, events)
    return value is not None and all(COMPARE[op](value, bound)
                                     for op, bound in spec.bounds.items())


def waits(spec):
    """Is the condition tested only when a window has ended?"""
    return bool(spec.begins) or not COUNTING_UP >= set(spec.bounds)


# ---- over time ----

class Group:
    def __init__(self):
        self.events = []
        self.newest = None
        self.armed = True
        self.fired = None
        self.suppressed = 0
        self.tested = 0


class Reference:
    """One correlation rule over one stream."""

    def __init__(self, spec):
        self.spec = spec
        self.groups = {}
        self.seen = None
        self.closed = None
        self.detections = []

    def is_late(self, event):
        self.seen = event.time if self.seen is None else max(self.seen, event.time)
        return event.time < self.seen - LATENESS

    def take(self, event):
        """Sequences take each rule that an event matches as an event of its own."""
        if self.spec.type.startswith("temporal"):
            for rule in event.rules or ("none",):
                self.take_hits(event._replace(rules=(rule,)))
        else:
            self.take_hits(event)

    def take_hits(self, event):
        late = self.is_late(event)
        if waits(self.spec):
            self.close(event.number, self.seen - LATENESS)
        if late or not set(event.rules) & set(self.spec.rules):
            return
        group = self.groups.setdefault(event.group, Group())
        if waits(self.spec):
            group.events.append(event)
        else:
            self.slide(group, event)

    def window(self, group, end):
        """Windows only move on: what is behind this one is forgotten."""
        group.events = [e for e in group.events if end - self.spec.span < e.time]
        return group.events

    def slide(self, group, event):
        group.newest = event.time if group.newest is None else max(group.newest, event.time)
        held = holds(self.spec, self.window(group, group.newest))
        if not held:
            group.armed, group.suppressed = True, 0
        elif group.fired is not None and group.newest - group.fired >= self.spec.span:
            group.armed = True
        group.events.append(event)
        if not holds(self.spec, self.window(group, group.newest)):
            return
        if not group.armed:
            group.suppressed += 1
            return
        self.fire(event, group, self.window(group, group.newest), group.newest)
        group.armed, group.fired, group.suppressed = False, group.newest, 0

    def fire(self, event, group, window, last):
        count, first = self.told(window)
        self.detections.append(Detection(event.number, "corr", event.group, count,
                                         group.suppressed, first, last))

    def told(self, window):
        """The count and the first event that a detection tells of."""
        window = sorted(window, key=order)
        if self.spec.type == "event_count":
            needed = self.needed()
            return needed, window[-needed].time
        if self.spec.type == "value_count":
            latest = sorted({e.value: order(e) for e in window}.values())
            needed = self.needed()
            return needed, latest[-needed][0]
        return len(window), None

    def needed(self):
        return max(bound + (op == "gt") for op, bound in self.spec.bounds.items())

    def close(self, number, watermark):
        """Tests the windows that have ended: from each beginning, or else aligned ones."""
        if self.spec.begins:
            for name, group in self.groups.items():
                self.close_begun(name, group, watermark)
            return
        span = self.spec.span
        for name, group in self.groups.items():
            for index in sorted({e.time // span for e in group.events}):
                if (index + 1) * span > watermark:
                    continue
                window = [e for e in group.events if e.time // span == index]
                group.events = [e for e in group.events if e.time // span != index]
                if holds(self.spec, window):
                    self.told_at_end(number, name, window)

    def close_begun(self, name, group, watermark):
        span = self.spec.span
        begun = sorted({e.time for e in group.events if set(e.rules) & set(self.spec.begins)})
        for start in begun:
            if start + span > watermark or start <= group.tested:
                continue
            if start - group.tested >= span:  # no window was open
                group.armed, group.suppressed = True, 0
            group.tested = start
            if not holds(self.spec, [e for e in group.events if start <= e.time < start + span]):
                group.armed, group.suppressed = True, 0
            elif group.armed or start - group.fired >= span:
                self.detections.append(Detection(0, "corr", name, 0, group.suppressed, start, 0))
                group.armed, group.fired, group.suppressed = False, start, 0
            else:
                group.suppressed += 1

    def told_at_end(self, number, name, window):
        window = sorted(window, key=order)
        count = measure(self.spec, window) if self.spec.type.endswith("count") else len(window)
        self.detections.append(Detection(number, "corr", name, count, 0, window[0].time,
                                         window[-1].time))


# ---- streams and rules ----

def make_stream(dice, length):
    now, events = START, []
    for number in range(1, length + 1):
        now += dice.choice([0, 0, 0, 0, dice.randrange(12)])
        behind = dice.choice([0] * 14 + [dice.randrange(31)] * 5 + [dice.randrange(60)])
        rules = tuple(r for r in RULES if dice.random() < 0.4)
        events.append(Event(number, now - behind, rules, dice.choice(GROUPS),
                            "v%d" % dice.randrange(7), str(dice.randrange(-300, 900) / 10)))
    return events


def either(seen):
    return "first" in seen and ("second" in seen or "third" in seen)


def unanswered(seen):
    return "first" in seen and "second" not in seen


SPECS = [
    ("event_count, rules: [first], condition: {gte: 1}", Spec("event_count", 10, {"gte": 1}, 0, None, ("first",))),
    ("event_count, rules: [first], condition: {gte: 3}", Spec("event_count", 10, {"gte": 3}, 0, None, ("first",))),
    ("event_count, rules: [first, second, third], condition: {gt: 7}",
     Spec("event_count", 45, {"gt": 7}, 0, None, RULES)),
    ("event_count, rules: [first, second], condition: {lt: 4}",
     Spec("event_count", 10, {"lt": 4}, 0, None, ("first", "second"))),
    ("event_count, rules: [first], condition: {gt: 2, lte: 9}",
     Spec("event_count", 20, {"gt": 2, "lte": 9}, 0, None, ("first",))),
    ("event_count, rules: [second], condition: {neq: 2}",
     Spec("event_count", 20, {"neq": 2}, 0, None, ("second",))),
    ("value_count, rules: [first, second], condition: {field: value, gte: 3}",
     Spec("value_count", 15, {"gte": 3}, 0, None, ("first", "second"))),
    ("value_count, rules: [third], condition: {field: value, gt: 4}",
     Spec("value_count", 60, {"gt": 4}, 0, None, ("third",))),
    ("value_count, rules: [first], condition: {field: value, eq: 3}",
     Spec("value_count", 20, {"eq": 3}, 0, None, ("first",))),
    ("value_sum, rules: [first], condition: {field: amount, gt: 150}",
     Spec("value_sum", 20, {"gt": 150}, 0, None, ("first",))),
    ("value_sum, rules: [second], condition: {field: amount, lte: 60}",
     Spec("value_sum", 20, {"lte": 60}, 0, None, ("second",))),
    ("value_avg, rules: [first, third], condition: {field: amount, gte: 40}",
     Spec("value_avg", 20, {"gte": 40}, 0, None, ("first", "third"))),
    ("value_percentile, rules: [second], condition: {field: amount, percentile: 90, gt: 75}",
     Spec("value_percentile", 30, {"gt": 75}, 90, None, ("second",))),
    ("temporal, rules: [first, second, third]", Spec("temporal", 4, {"gte": 3}, 0, None, RULES)),
    ("temporal, rules: [first, second, third], condition: {gte: 2}",
     Spec("temporal", 3, {"gte": 2}, 0, None, RULES)),
    ("temporal, rules: [first, second, third], condition: first and (second or third)",
     Spec("temporal", 5, {}, 0, either, RULES)),
    ("temporal, rules: [first, second], condition: first and not second",
     Spec("temporal", 6, {}, 0, unanswered, ("first", "second"), ("first",))),
    ("temporal, rules: [first, second, third], condition: {lt: 3}",
     Spec("temporal", 5, {"lt": 3}, 0, None, RULES, RULES)),
    ("temporal, rules: [first, second, third], condition: {eq: 2}",
     Spec("temporal", 4, {"eq": 2}, 0, None, RULES, RULES)),
    ("temporal_ordered, rules: [first, second]",
     Spec("temporal_ordered", 4, {}, 0, None, ("first", "second"))),
    ("temporal_ordered, rules: [third, first, second]",
     Spec("temporal_ordered", 8, {}, 0, None, ("third", "first", "second"))),
]


def rules_of(written, spec):
    documents = ["title: %s\nname: %s\nlogsource: {product: p}\ndetection: {s: {rules|contains: "
                 "'<%s>'}, condition: s}\n" % (r, r, r) for r in RULES]
    documents.append("title: corr\nname: corr\ncorrelation: {type: %s, group-by: [group], "
                     "timespan: %ds}\n" % (written, spec.span))
    return "---\n".join(documents)


def line_of(event):
    return json.dumps({"@timestamp": event.time, "group": event.group, "value": event.value,
                       "amount": event.amount, "rules": "".join("<%s>" % r for r in event.rules)})


# ---- comparing ----

def engine_says(haidang, directory, written, spec, events):
    rules, lines = os.path.join(directory, "rules.yml"), os.path.join(directory, "events")
    with open(rules, "w", encoding="utf-8") as file:
        file.write(rules_of(written, spec))
    with open(lines, "w", encoding="utf-8") as file:
        file.write("".join(line_of(e) + "\n" for e in events))
    done = subprocess.run([haidang, "rules", "match", rules, "--events", lines, "--logsource",
                           "product=p"], capture_output=True, check=True)
    hits = [json.loads(line) for line in done.stdout.splitlines()]
    return [detection_of(h) for h in hits if h["rule"]["id"] == "corr"]


def seconds(text):
    parsed = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(parsed.timestamp())


def detection_of(hit):
    told = hit["correlation"]
    return Detection(hit["event"], hit["rule"]["id"], hit["fields"]["group"], told["count"],
                     told["suppressed"], seconds(told["first"]), seconds(told["last"]))


def comparable(spec, detections):
    """What the reference knows of them; windows that end together have no order."""
    counts = spec.type in ("event_count", "value_count")
    if spec.begins:
        return sorted(d._replace(event=0, count=0, first=0, last=0) for d in detections)
    if not waits(spec):
        return [d if counts else d._replace(count=0, first=0) for d in detections]
    return sorted(d._replace(event=0, count=d.count if counts else 0) for d in detections)


def run(haidang, directory, written, spec, seed, length):
    events = make_stream(random.Random(seed), length)
    reference = Reference(spec)
    for event in events:
        reference.take(event)
    if waits(spec):
        reference.close(length, reference.seen + 10 * spec.span)
    expected = comparable(spec, reference.detections)
    got = comparable(spec, engine_says(haidang, directory, written, spec, events))
    for want, have in zip(expected, got):
        if want != have:
            print("%s, seed %d:\n  reference %s\n  engine    %s" % (written, seed, want, have))
            return len(expected), 1
    if len(expected) != len(got):
        print("%s, seed %d: reference %d detections, engine %d" %
              (written, seed, len(expected), len(got)))
        return len(expected), 1
    return len(expected), 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("haidang")
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--length", type=int, default=250)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    differences = 0
    with tempfile.TemporaryDirectory(prefix="streams-") as directory:
        for written, spec in SPECS:
            detections = 0
            for stream in range(args.streams):
                found, different = run(args.haidang, directory, written, spec,
                                       args.seed * 1000 + stream, args.length)
                detections += found
                differences += different
            print("%s: %d detections" % (written, detections))
            differences += detections == 0
    print("%d differences" % differences)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
