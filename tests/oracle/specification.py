#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the specification says, sentence by sentence: each case of cases/*.yml must hold for
the engine and for the oracle; on every other pair of rule and event the two must agree.

usage: specification.py PROGRAM
"""
import glob
import json
import os
import sys
import tempfile
import textwrap
import uuid

import sigma
from engine import SOURCE, Engine
from event import Event

CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases")
DEFAULT = ("spec", "", "")
EXPECTED_MIN = 800
SITE = {"Servers": ["srv*", "db1"], "One": ["x-1"], "Flag": ["-q"], "Net": ["10.0.0.0/8"],
        "Odd": ["a\\*b", "50%"]}


def json_of(value):
    """A tree of a case file as JSON: what is plain there keeps its type."""
    if isinstance(value, sigma.Map):
        return "{" + ",".join(json.dumps(k) + ":" + json_of(v) for k, v in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(json_of(v) for v in value) + "]"
    if sigma.is_null(value):
        return "null"
    plain = isinstance(value, sigma.Plain)
    if plain and (value in ("true", "false") or sigma.number(value) is not None):
        return str(value)
    return json.dumps(str(value), ensure_ascii=False)


class Case:
    def __init__(self, number, path, tree):
        self.id = str(uuid.uuid5(uuid.NAMESPACE_URL, "case %d" % number))
        self.where = "%s: %s" % (os.path.basename(path), tree.get("says"))
        self.refused = tree.get("refused") == "true"
        self.logsource = tree.get("logsource") or "product: spec"
        self.text = self.rule_text(tree)
        self.expected = [(self.line(e, DEFAULT), True) for e in tree.get("yes", [])] + \
                        [(self.line(e, DEFAULT), False) for e in tree.get("no", [])] + \
                        [self.of_source(s, True) for s in tree.get("covers", [])] + \
                        [self.of_source(s, False) for s in tree.get("not", [])
                         if tree.get("covers") is not None]

    def rule_text(self, tree):
        detection = tree.get("detection")
        if detection is None:
            selection = tree.get("selection") or "case: '%s'" % self.id
            detection = "selection:\n" + textwrap.indent(selection, "  ") + \
                "\ncondition: selection"
        source = self.logsource if self.logsource.startswith("{") else "{%s}" % self.logsource
        rule = "title: case\nid: %s\nlogsource: %s\ndetection:\n%s\n" % (
            self.id, source, textwrap.indent(detection, "  "))
        filters = ["---\ntitle: filter\n" + f.replace("$ID", self.id)
                   for f in tree.get("filters", [])]
        return rule + "\n".join(filters)

    def line(self, event, logsource):
        text = json_of(event) if isinstance(event, sigma.Map) else event
        return logsource, text

    def of_source(self, written, expected):
        return (tuple(written.lower().split("/")), '{"case":"%s"}' % self.id), expected


def read_cases():
    cases = []
    for path in sorted(glob.glob(os.path.join(CASES, "*.yml"))):
        with open(path, encoding="utf-8") as file:
            for tree in sigma.load(file.read())[0]:
                cases.append(Case(len(cases), path, tree))
    return cases


def oracle_rule(case, filters):
    """None when it is refused. Its filters are added to `filters`."""
    try:
        rule, *others = sigma.load(case.text)
        filters += [sigma.Filter(other) for other in others]
        return sigma.Rule(rule, SITE)
    except (sigma.Refused, sigma.expression.Unsupported, sigma.re.error):
        return None


class Specification:
    def __init__(self, program):
        self.cases = read_cases()
        filters = []
        self.rules = [oracle_rule(c, filters) for c in self.cases]
        sigma.join([r for r in self.rules if r], filters)
        self.events = sorted({line for c in self.cases for line, _ in c.expected})
        self.logsources = sorted({source for source, _ in self.events})
        self.problems = []
        with tempfile.TemporaryDirectory(prefix="cases-") as directory:
            for case in self.cases:
                path = os.path.join(directory, case.id + ".yml")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(case.text)
            self.ask(Engine(program, self.logsources, [directory], SITE))

    def ask(self, engine):
        lines = []
        for source, text in self.events:
            member = '{"%s":%d' % (SOURCE, self.logsources.index(source))
            lines.append(member + ("}" if text == "{}" else "," + text[1:]))
        answers = engine.match([line.encode() for line in lines])
        self.engine_says = dict(zip(self.events, answers))
        self.refused = engine.refused
        self.oracle_says = {
            event: {r.id for r in self.rules if r and r.covers(event[0]) and r.matches(parsed)}
            for event, parsed in zip(self.events, map(parse, lines))}

    def problem(self, case, text, expected, who):
        self.problems.append("%s\n    %s: expected %s, not so %s" % (case.where, text, expected, who))

    def check_case(self, case, rule):
        if case.refused != (rule is None):
            self.problem(case, "refused", case.refused, "the oracle")
        if case.refused != (case.id in self.refused):
            self.problem(case, "refused", case.refused, "the engine")
        for event, expected in case.expected:
            if (case.id in self.oracle_says[event]) != expected:
                self.problem(case, event[1], expected, "the oracle")
            if (case.id in self.engine_says[event]) != expected:
                self.problem(case, event[1], expected, "the engine")

    def check_rest(self):
        names = {c.id: c.where for c in self.cases}
        told = {(c.id, event) for c in self.cases for event, _ in c.expected}
        for event in self.events:
            for rule in self.oracle_says[event] ^ self.engine_says[event]:
                if (rule, event) not in told:
                    self.problems.append("%s\n    %s: the two differ" % (names[rule], event[1]))

    def check(self):
        for case, rule in zip(self.cases, self.rules):
            self.check_case(case, rule)
        self.check_rest()
        for problem in self.problems:
            print(problem)
        expected = sum(len(c.expected) + c.refused for c in self.cases)
        print("%d cases of %d rules, %d events, %d pairs; %d problems" % (
            expected, len(self.cases), len(self.events), len(self.events) * len(self.cases),
            len(self.problems)))
        return 1 if self.problems or expected < EXPECTED_MIN else 0


def parse(line):
    event = Event(line)
    event.fields.setdefault("message", [line])
    return event


if __name__ == "__main__":
    sys.exit(Specification(sys.argv[1]).check())
