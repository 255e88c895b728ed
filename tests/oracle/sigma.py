# SPDX-License-Identifier: Apache-2.0
"""A second reading of Sigma's detection rules (specification v2.1), for tests.

Written from the specification alone and slow on purpose: no index, no database, every
rule is evaluated by walking it. Shares no code with the engine. What the specification
leaves open is as docs/adding-a-rule.md says.
"""
import base64
import ipaddress
import itertools
import re
import sys

import expression
from event import fold

try:
    import yaml
except ImportError:
    print("SKIPPED: python3-yaml is not installed")
    sys.exit(77)

Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

ONE, MANY = object(), object()  # "?" and "*" in a pattern
DASHES = "-/\u2013\u2014\u2015"
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z")
NULL = ("", "~", "null", "Null", "NULL")
COMPARISONS = {
    "lt": lambda a, b: a < b, "lte": lambda a, b: a <= b,
    "gt": lambda a, b: a > b, "gte": lambda a, b: a >= b,
}
PLACES = {"contains": (True, True), "startswith": (False, True), "endswith": (True, False)}


class Refused(Exception):
    """The rule means nothing, or something that is not supported."""


class Plain(str):
    """A scalar without quotes."""


# ---- YAML: maps as lists of pairs, so that nothing is lost ----

class Map(list):
    def get(self, key, default=None):
        for name, value in self:
            if name == key:
                return value
        return default


def build(node):
    if isinstance(node, yaml.ScalarNode):
        return node.value if node.style else Plain(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [build(n) for n in node.value]
    pairs = Map((build(k), build(v)) for k, v in node.value)
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise Refused("a key is given twice")
    return pairs


def load(text):
    """All documents of a text."""
    return [build(node) for node in yaml.compose_all(text, Loader=Loader)]


def is_null(value):
    return isinstance(value, Plain) and value in NULL


# ---- values: a pattern is a list of characters, ONE and MANY ----

def parse_pattern(written):
    out, at = [], 0
    while at < len(written):
        char = written[at]
        if char == "\\" and written[at + 1:at + 2] in ("*", "?", "\\"):
            out.append(written[at + 1])
            at += 1
        else:
            out.append({"*": MANY, "?": ONE}.get(char, char))
        at += 1
    return out


def runs_of(pattern):
    """[str | ONE | MANY]: neighbouring characters joined."""
    out = []
    for is_wild, group in itertools.groupby(pattern, lambda c: c is ONE or c is MANY):
        group = list(group)
        out.extend(group if is_wild else ["".join(group)])
    return out


def literal_of(pattern, what):
    if any(c is ONE or c is MANY for c in pattern):
        raise Refused(what + " cannot encode a wildcard")
    return "".join(pattern)


def text_of(octets):
    return list(octets.decode("utf-8", "surrogateescape"))


def bytes_of(text):
    return text.encode("utf-8", "surrogateescape")


def is_word(char):
    """Letters, digits, "_" and, for simplicity, all beyond ASCII but the dashes."""
    if char is ONE or char is MANY or char in DASHES:
        return False
    return char.isalnum() or char == "_" or not char.isascii()


def windash(pattern):
    places = [i for i, c in enumerate(pattern)
              if c is not ONE and c is not MANY and c in DASHES
              and (i == 0 or not is_word(pattern[i - 1]))
              and i + 1 < len(pattern) and is_word(pattern[i + 1])]
    for choice in itertools.product(DASHES, repeat=len(places)):
        changed = list(pattern)
        for place, dash in zip(places, choice):
            changed[place] = dash
        yield changed


def base64_offset(pattern):
    octets = bytes_of(literal_of(pattern, "base64offset"))
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + octets).decode()
        first = (shift * 8 + 5) // 6  # the first character without a bit of what stands before
        last = ((shift + len(octets)) * 8) // 6  # the first with a bit of what follows
        if last <= first:
            raise Refused("base64offset of too short a value")
        yield list(encoded[first:last])


def utf16(pattern, encoding, mark=b""):
    out = text_of(mark)
    for run in runs_of(pattern):
        out += [run] if run is ONE or run is MANY else text_of(run.encode(encoding))
    return out


def expand(pattern, placeholders):
    """%name% -> each of its values; \\% is a percent sign."""
    forms, at = [[]], 0
    while at < len(pattern):
        text = "".join(c if isinstance(c, str) else "\n" for c in pattern[at:])
        placeholder = re.match(r"%([A-Za-z0-9_-]+)%", text)
        if placeholder:
            values = placeholders.get(placeholder.group(1))
            if not values:
                raise Refused("no values for " + placeholder.group())
            forms = [f + parse_pattern(v) for f in forms for v in values]
            at += placeholder.end()
        else:
            at += text.startswith("\\%")
            forms = [f + [pattern[at]] for f in forms]
            at += 1
    return forms


def transform(pattern, modifier, placeholders=None):
    """One value -> the values that it stands for."""
    if modifier == "expand":
        return expand(pattern, placeholders or {})
    if modifier in PLACES:
        front, back = PLACES[modifier]
        return [[MANY] * front + pattern + [MANY] * back]
    if modifier == "windash":
        return list(windash(pattern))
    if modifier == "base64":
        octets = bytes_of(literal_of(pattern, "base64"))
        return [list(base64.b64encode(octets).decode())]
    if modifier == "base64offset":
        return list(base64_offset(pattern))
    if modifier in ("wide", "utf16le"):
        return [utf16(pattern, "utf-16-le")]
    if modifier == "utf16be":
        return [utf16(pattern, "utf-16-be")]
    if modifier == "utf16":
        return [utf16(pattern, "utf-16-le", b"\xff\xfe")]
    return [pattern]


# ---- tests: functions event -> bool ----

def match_function(pattern, cased):
    """Pattern -> function text -> bool."""
    runs = runs_of(pattern)
    runs = [r if cased or r is ONE or r is MANY else fold(r) for r in runs]
    if all(r is not ONE for r in runs):
        if runs == []:
            return lambda text: text == ""
        if len(runs) == 1 and runs[0] is not MANY:
            return lambda text, want=runs[0]: text == want
        if len(runs) == 3 and runs[0] is MANY and runs[2] is MANY and runs[1] is not MANY:
            return lambda text, want=runs[1]: want in text
    source = "".join("." if r is ONE else ".*" if r is MANY else re.escape(r) for r in runs)
    compiled = re.compile(source, re.S)
    return lambda text: compiled.fullmatch(text) is not None


def on_text(field, cased, matches):
    """A function of the field's text (of any text, for keywords) as a test."""
    if field == "":
        return lambda event: any(matches(t) for t in event.texts(cased))
    return lambda event: any(matches(v) for v in event.values(field, cased))


def string_test(field, modifiers, value, placeholders):
    patterns = [parse_pattern(value)]
    for modifier in modifiers:
        if field == "" and modifier == "contains":
            continue
        patterns = [t for p in patterns for t in transform(p, modifier, placeholders)]
    if field == "":
        patterns = [[MANY] + p + [MANY] for p in patterns]
        if any(all(c is MANY for c in p) for p in patterns):
            raise Refused("an empty keyword")
    cased = "cased" in modifiers
    return any_of([on_text(field, cased, match_function(p, cased)) for p in patterns])


def re_test(field, modifiers, value):
    flags = [m for m in modifiers if m in "ims"]
    compiled = expression.compile_pattern(value, flags)
    return on_text(field, True, lambda text: compiled.search(bytes_of(text)) is not None)


def address(text):
    if "%" in text:
        raise ValueError("zones are no part of an address")
    found = ipaddress.ip_address(text)
    return getattr(found, "ipv4_mapped", None) or found


def cidr_test(field, _modifiers, value):
    try:
        network = ipaddress.ip_network(value)
    except ValueError as error:
        raise Refused(str(error)) from error

    def matches(text):
        try:
            found = address(text)
        except ValueError:
            return False
        return found.version == network.version and found in network
    return on_text(field, True, matches)


def number(text):
    if not NUMBER.match(text):
        return None
    found = float(text)
    return None if found in (float("inf"), float("-inf")) else found


def number_test(field, modifiers, value):
    compare = next(COMPARISONS[m] for m in modifiers if m in COMPARISONS)
    bound = number(value)
    if bound is None:
        raise Refused("not a number")

    def matches(text):
        found = number(text)
        return found is not None and compare(found, bound)
    return on_text(field, True, matches)


def reference_test(field, modifiers, value):
    other = value.replace(" ", "")
    cased = "cased" in modifiers

    def compare(have, want):
        if "contains" in modifiers:
            return want in have
        if "startswith" in modifiers:
            return have.startswith(want)
        if "endswith" in modifiers:
            return have.endswith(want)
        return have == want
    return lambda event: any(compare(have, want) for have in event.values(field, cased)
                             for want in event.values(other, cased))


def exists_test(field, _modifiers, value):
    if value.lower() not in ("true", "false"):
        raise Refused("exists wants true or false")
    wanted = value.lower() == "true"
    return lambda event: bool(event.fields.get(field)) == wanted  # null is absence


SPECIAL = {"re": re_test, "cidr": cidr_test, "fieldref": reference_test, "exists": exists_test,
           "lt": number_test, "lte": number_test, "gt": number_test, "gte": number_test}
TEXTUAL = {"contains", "startswith", "endswith", "windash", "base64", "base64offset", "wide",
           "utf16", "utf16le", "utf16be"}
KNOWN = TEXTUAL | set(SPECIAL) | {"all", "cased", "neq", "i", "m", "s", "expand"}


def special_test(field, modifiers, value, placeholders):
    """Placeholders are replaced by values as they are written."""
    kind = next(m for m in modifiers if m in SPECIAL)
    if "expand" not in modifiers:
        return SPECIAL[kind](field, modifiers, value)
    names = re.findall(r"%([A-Za-z0-9_-]+)%", value)
    if any(n not in placeholders for n in names):
        raise Refused("a placeholder without values")
    texts = [value]
    for name in names:
        texts = [t.replace("%" + name + "%", v) for t in texts for v in placeholders[name]]
    return any_of([SPECIAL[kind](field, modifiers, text) for text in texts])


def value_test(field, modifiers, value, placeholders):
    if not isinstance(value, str):
        raise Refused("a single value was expected")
    special = [m for m in modifiers if m in SPECIAL]
    if is_null(value):
        if field == "" or set(modifiers) - {"all", "neq"}:
            raise Refused("null goes only with a plain field")
        return lambda event: not event.fields.get(field)
    if special:
        return special_test(field, modifiers, value, placeholders)
    return string_test(field, modifiers, value, placeholders)


def any_of(tests):
    if len(tests) == 1:
        return tests[0]
    return lambda event: any(test(event) for test in tests)


def all_of(tests):
    if len(tests) == 1:
        return tests[0]
    return lambda event: all(test(event) for test in tests)


def not_(test):
    return lambda event: not test(event)


def check_modifiers(field, modifiers):
    given = set(modifiers)
    if given - KNOWN:
        raise Refused("unknown or unsupported modifier " + ", ".join(sorted(given - KNOWN)))
    if len(given) != len(modifiers):
        raise Refused("a modifier is given twice")
    if given & {"i", "m", "s"} and "re" not in given:
        raise Refused("i, m, s without re")
    if len(given & set(PLACES)) > 1 or len(given & set(SPECIAL)) > 1 or \
            given & set(COMPARISONS) and "neq" in given:
        raise Refused("modifiers exclude each other")
    if field == "" and given & (set(SPECIAL) - {"re"} | {"startswith", "endswith"}):
        raise Refused("this modifier needs a field")
    if "fieldref" not in given and given & set(SPECIAL) and given & (TEXTUAL | {"cased"}):
        raise Refused("modifiers do not go together")


def item_test(key, value, placeholders):
    parts = key.split("|")
    field, modifiers = parts[0].replace(" ", ""), parts[1:]
    if field == "" and modifiers == []:
        raise Refused("a field name is missing")
    check_modifiers(field, modifiers)
    values = value if isinstance(value, list) and not isinstance(value, Map) else [value]
    if values == []:
        raise Refused("an empty list")
    tests = [value_test(field, modifiers, v, placeholders) for v in values]
    test = all_of(tests) if "all" in modifiers else any_of(tests)
    return not_(test) if "neq" in modifiers else test


def search_test(search, placeholders):
    if isinstance(search, Map):
        if search == []:
            raise Refused("an empty map")
        return all_of([item_test(key, value, placeholders) for key, value in search])
    if isinstance(search, list):
        if search == []:
            raise Refused("an empty list")
        if any(isinstance(s, list) and not isinstance(s, Map) for s in search):
            raise Refused("a list inside a list")
        return any_of([search_test(s, placeholders) for s in search])
    return value_test("", [], search, placeholders)


# ---- conditions ----

class Condition:
    """Recursive descent: or, and, not, "x of", brackets."""

    def __init__(self, text, searches):
        self.words = re.findall(r"[()]|[^\s()]+", text)
        self.at = 0
        self.searches = searches

    def peek(self):
        return self.words[self.at].lower() if self.at < len(self.words) else None

    def take(self):
        if self.at >= len(self.words):
            raise Refused("the condition ends too early")
        self.at += 1
        return self.words[self.at - 1]

    def whole(self):
        test = self.either()
        if self.peek() is not None:
            raise Refused("behind the condition: " + self.peek())
        return test

    def either(self):
        tests = [self.both()]
        while self.peek() == "or":
            self.take()
            tests.append(self.both())
        return any_of(tests)

    def both(self):
        tests = [self.negation()]
        while self.peek() == "and":
            self.take()
            tests.append(self.negation())
        return all_of(tests)

    def negation(self):
        if self.peek() == "not":
            self.take()
            return not_(self.negation())
        return self.primary()

    def primary(self):
        word = self.take()
        if word == "(":
            test = self.either()
            if self.take() != ")":
                raise Refused("a bracket is missing")
            return test
        if self.peek() == "of":
            self.take()
            return self.selected(word.lower(), self.take())
        if word not in self.searches:
            raise Refused("no search is named " + word)
        return self.searches[word]

    def selected(self, quantity, pattern):
        if pattern.lower() == "them":
            names = [n for n in self.searches if not n.startswith("_")]
        else:
            shape = re.compile(".*".join(re.escape(p) for p in pattern.split("*")))
            names = [n for n in self.searches if shape.fullmatch(n)
                     and (not n.startswith("_") or pattern.startswith("_"))]
        if names == []:
            raise Refused("no search is named like " + pattern)
        tests = [self.searches[n] for n in names]
        if quantity == "all":
            return all_of(tests)
        if quantity in ("1", "any"):
            return any_of(tests)
        wanted = int(quantity) if quantity.isdigit() else 0
        if not 0 < wanted <= len(tests):
            raise Refused("of " + quantity)
        return lambda event: sum(test(event) for test in tests) >= wanted


def detection_test(detection, placeholders):
    if not isinstance(detection, Map) or detection.get("condition") is None:
        raise Refused("a detection needs a condition")
    if detection.get("timeframe") is not None:
        raise Refused("timeframe")
    searches = {name: search_test(search, placeholders) for name, search in detection
                if name != "condition"}
    written = detection.get("condition")
    conditions = written if isinstance(written, list) else [written]
    if conditions == [] or not all(isinstance(c, str) for c in conditions):
        raise Refused("a condition is text")
    return any_of([Condition(c, searches).whole() for c in conditions])


# ---- rules ----

def logsource_of(document):
    source = document.get("logsource")
    if not isinstance(source, Map):
        raise Refused("a log source is missing")
    return tuple((source.get(part) or "").lower() for part in ("product", "category", "service"))


def covers(general, special):
    return all(want in ("", have) for want, have in zip(general, special))


class Rule:
    def __init__(self, document, placeholders=None):
        self.name = document.get("name")
        self.id = document.get("id") or self.name
        self.logsource = logsource_of(document)
        self.detection = document.get("detection")
        self.own_test = detection_test(self.detection, placeholders or {})
        self.filters = []

    def covers(self, logsource):
        return covers(self.logsource, logsource)

    def matches(self, event):
        return self.own_test(event) and all(f.test(event) for f in self.filters)


class Filter:
    """Joined to rules by "and", as it is written."""

    def __init__(self, document):
        self.logsource = logsource_of(document)
        body = document.get("filter")
        self.rules = body.get("rules")
        if not self.rules:
            raise Refused("a filter names its rules")
        self.test = detection_test(Map(p for p in body if p[0] != "rules"), {})

    def goes_with(self, rule):
        named = self.rules in ("any", "all") if isinstance(self.rules, str) else \
            rule.id in self.rules or rule.name in self.rules
        return (named or self.rules in (rule.id, rule.name)) and \
            covers(self.logsource, rule.logsource)


def join(rules, filters):
    for rule in rules:
        rule.filters = [f for f in filters if f.goes_with(rule)]


def load_rules(paths, refused=None):
    """Rules of the files; a refused one is left out and told to `refused(path, why)`."""
    rules = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        try:
            rules += [Rule(d) for d in load(text)
                      if isinstance(d, Map) and d.get("detection") is not None]
        except Refused as why:
            if refused:
                refused(path, why)
    return rules
