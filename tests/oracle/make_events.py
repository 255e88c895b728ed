# SPDX-License-Identifier: Apache-2.0
"""Events that are hard on a matcher: values of the rules themselves, real events, and
both changed in ways that matter to the meaning of a rule."""
import json
import random
import re
import unicodedata

import sigma
from engine import SOURCE

try:
    from re import _parser as sre_parse
except ImportError:  # before Python 3.11
    import sre_parse

FILLERS = ["", "", "x", "/", " -", "\\a.exe", "\u1ea1", "C:\\", "\n", "*", "?", "\\", "%20", "e\u0301"]


class Maker:
    """rules: sigma.Rule; all it makes depends on the seed alone."""

    def __init__(self, rules, logsources, seed):
        self.rules = rules
        self.number = {source: n for n, source in enumerate(logsources)}
        self.covering = {s: [r for r in rules if r.covers(s)] or rules for s in logsources}
        self.dice = random.Random(seed)

    # ---- values that a rule wants ----

    def of_rules(self):
        """An event that mostly satisfies some rule, with pieces of another at times."""
        rule = self.dice.choice(self.rules)
        fields = {}
        self.fill(fields, rule.detection)
        if self.dice.random() < 0.4:
            self.fill(fields, self.dice.choice(self.covering[rule.logsource]).detection)
        return self.line(self.spoil(fields), rule.logsource)

    def fill(self, fields, detection):
        for name, search in detection:
            if name not in ("condition", "timeframe") and self.dice.random() < 0.8:
                self.fill_search(fields, search)

    def fill_search(self, fields, search):
        if isinstance(search, sigma.Map):
            for key, value in search:
                if self.dice.random() < 0.95:
                    self.fill_item(fields, key, value)
        elif isinstance(search, list):
            self.fill_search(fields, self.dice.choice(search))
        else:
            self.fill_item(fields, "", search)

    def fill_item(self, fields, key, value):
        name, *modifiers = key.split("|")
        name = name.replace(" ", "") or self.dice.choice(["message", "Data", "unnamed"])
        values = value if isinstance(value, list) else [value]
        if "all" not in modifiers:
            values = [self.dice.choice(values)]
        texts = [self.sample(modifiers, v, fields) for v in values]
        texts = [t for t in texts if t is not None]
        if not texts or (name in fields and self.dice.random() < 0.5):
            return
        if isinstance(fields.get(name), str) and self.dice.random() < 0.7:
            texts.insert(0, fields[name])
        fields[name] = self.dice.choice(["", " ", "/"]).join(texts)

    def sample(self, modifiers, value, fields):
        """A text that the value matches, or None when absence does."""
        if sigma.is_null(value) or "exists" in modifiers and value.lower() == "false":
            return None
        if "exists" in modifiers:
            return "there"
        if "re" in modifiers:
            return self.around(self.of_expression(value))
        if "fieldref" in modifiers:
            return fields.setdefault(value, "same")
        if "cidr" in modifiers:
            return self.of_network(value)
        if set(modifiers) & set(sigma.COMPARISONS):
            return str(int(float(value)) + self.dice.choice([-1, 0, 1]))
        patterns = [sigma.parse_pattern(value)]
        for modifier in modifiers:
            patterns = [t for p in patterns for t in sigma.transform(p, modifier)]
        out = []
        for char in self.dice.choice(patterns):
            out.append(self.dice.choice(FILLERS) if char is sigma.MANY else
                       self.dice.choice("y\u1ea1") if char is sigma.ONE else char)
        return "".join(out)

    def of_expression(self, pattern):
        try:
            return "".join(self.of_node(n) for n in sre_parse.parse(pattern))
        except (re.error, NotImplementedError):
            return pattern

    def of_node(self, node):
        kind, argument = str(node[0]), node[1]
        if kind == "LITERAL":
            return chr(argument)
        if kind == "ANY" or kind == "NOT_LITERAL":
            return self.dice.choice("q.7")
        if kind == "IN":
            return self.of_class(argument)
        if kind == "AT":
            return ""
        if kind == "BRANCH":
            return "".join(self.of_node(n) for n in self.dice.choice(argument[1]))
        if kind == "SUBPATTERN":
            return "".join(self.of_node(n) for n in argument[-1])
        if kind in ("MAX_REPEAT", "MIN_REPEAT"):
            low, high, inner = argument
            count = self.dice.randint(low, min(int(high), low + 3))
            return "".join(self.of_node(n) for _ in range(count) for n in inner)
        raise NotImplementedError(kind)

    def of_class(self, members):
        kind, argument = self.dice.choice([(str(k), a) for k, a in members])
        if kind == "LITERAL":
            return chr(argument)
        if kind == "RANGE":
            return chr(self.dice.randint(*argument))
        return {"CATEGORY_DIGIT": "4", "CATEGORY_WORD": "w", "CATEGORY_SPACE": " "}.get(
            str(argument), "#")

    def of_network(self, written):
        base, _, bits = written.partition("/")
        if ":" in base:
            return base if not base.endswith("::") else base + self.dice.choice(["", "1", "f:2"])
        octets = base.split(".")
        if int(bits or 32) < 32:
            octets[3] = str(self.dice.choice([0, 1, 255]))
        mapped = "::ffff:" if self.dice.random() < 0.1 else ""
        return mapped + ".".join(octets)

    def around(self, text):
        return self.dice.choice(FILLERS) + text + self.dice.choice(FILLERS)

    # ---- changes ----

    def spoil(self, fields):
        """Changes none, some or many of the values."""
        chance = self.dice.choice([0, 0.05, 0.2, 0.6])
        out = {}
        for name, value in fields.items():
            if self.dice.random() < chance:
                value = self.change(value)
                if value is DROP:
                    continue
            out[name] = value
        return out

    def change(self, value):
        if not isinstance(value, str):
            return self.dice.choice([DROP, None, str(value), [value]])
        return self.dice.choice(CHANGES)(self.dice, value)

    def of_event(self, fields, logsource):
        """A real event, its values changed or taken from a rule at times."""
        fields = self.spoil(fields)
        if self.dice.random() < 0.5:
            self.fill(fields, self.dice.choice(self.covering[logsource]).detection)
        return self.line(fields, logsource)

    # ---- writing ----

    def line(self, fields, logsource):
        number = str(self.number[logsource])
        members = [(SOURCE, number)] + list(fields.items())
        if self.dice.random() < 0.03 and len(members) > 1:
            members.append((members[1][0], "again"))
        ascii_only = self.dice.random() < 0.3
        parts = [json.dumps(name) + ":" + self.written(value, ascii_only)
                 for name, value in members]
        return ("{" + ",".join(parts) + "}").encode("utf-8", "surrogateescape")

    def written(self, value, ascii_only):
        if isinstance(value, str) and re.fullmatch("0|[1-9][0-9]{0,14}", value) and \
                self.dice.random() < 0.5:
            return value  # the same as a number
        has_bytes = isinstance(value, str) and any(0xD800 <= ord(c) <= 0xDFFF for c in value)
        out = json.dumps(value, ensure_ascii=ascii_only and not has_bytes)
        return out.replace("/", "\\/") if self.dice.random() < 0.1 else out


DROP = object()


def flip_case(dice, text):
    return "".join(c.swapcase() if len(c.swapcase()) == 1 and dice.random() < 0.5 else c
                   for c in text)


def change_one(dice, text):
    at = dice.randrange(len(text) + 1)
    return text[:at] + dice.choice(["", "a", "\u0111", "\\", "*", "\u0301", " "]) + text[at + 1:]


def insert_one(dice, text):
    at = dice.randrange(len(text) + 1)
    return text[:at] + dice.choice(FILLERS + ["\u0110", "\u0323", "\udcff", "\u212a"]) + text[at:]


def truncate(dice, text):
    at = dice.randrange(len(text) + 1)
    return text[:at] if dice.random() < 0.5 else text[at:]


CHANGES = [
    flip_case, flip_case, change_one, change_one, insert_one, insert_one, truncate,
    lambda dice, text: unicodedata.normalize("NFD", text),
    lambda dice, text: unicodedata.normalize("NFC", text),
    lambda dice, text: text.upper() if text.upper().lower() == text.lower() else text,
    lambda dice, text: "",
    lambda dice, text: None,
    lambda dice, text: DROP,
    lambda dice, text: [text],
    lambda dice, text: [text, "second"],
    lambda dice, text: text + "\n",
    lambda dice, text: "\n" + text,
    lambda dice, text: " " + text + " ",
    lambda dice, text: text * 3,
    lambda dice, text: text.replace("\\", "\\\\"),
    lambda dice, text: text.replace("-", dice.choice(sigma.DASHES)),
    lambda dice, text: dice.choice(["0", "1", "4688", "-1", "1.0", "1e3", "true", "null"]),
]
