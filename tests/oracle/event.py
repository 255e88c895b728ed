# SPDX-License-Identifier: Apache-2.0
"""An event: one JSON object in one line, its members flattened to a.b.c.

Numbers and booleans are the text that stands in the line. Elements of an array make one
value with ", " between them. Of members that are given twice the last counts.
"""
import json
import unicodedata


def fold(text):
    """NFC and simple lower case. Bytes that are no UTF-8 stay (as surrogates)."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFD", text)
    lowered = "".join(simple_lower(c) for c in decomposed)
    return unicodedata.normalize("NFC", lowered)


def simple_lower(char):
    lower = char.lower()
    return lower if len(lower) == 1 else char


class Number(str):
    """A number as it was written."""


class Event:
    """fields: name -> text, or None for null. texts: where keywords are sought."""

    def __init__(self, line):
        self.line = line
        self.fields = {}
        self.strings = []
        self.folded = {}
        self.texts_folded = None
        decoder = json.JSONDecoder(object_pairs_hook=list, parse_int=Number,
                                   parse_float=Number)
        members = decoder.decode(line)
        self.add_members("", members)

    def add_members(self, prefix, members):
        for name, value in members:
            path = prefix + "." + name if prefix else name
            self.add_value(path, value)

    def add_value(self, path, value):
        if is_object(value):
            self.add_members(path, value)
        elif isinstance(value, list):
            elements = []
            self.add_array(path, value, elements)
            if elements:
                self.fields[path] = ", ".join(elements)
        else:
            self.fields[path] = self.scalar(value)

    def add_array(self, path, array, elements):
        for value in array:
            if is_object(value):
                for name, member in value:
                    self.join_value(path + "." + name, member)
            elif isinstance(value, list):
                self.add_array(path, value, elements)
            elif value is not None:
                elements.append(self.scalar(value))

    def join_value(self, path, value):
        """A member of an object inside an array: joins its namesakes of other elements."""
        before = self.fields.pop(path, None)
        self.add_value(path, value)
        after = self.fields.get(path)
        if before is not None:
            self.fields[path] = before if after is None else before + ", " + after

    def scalar(self, value):
        if value is None:
            return None
        if value is True or value is False:
            return "true" if value else "false"
        if not isinstance(value, Number):
            value = repair(value)
            self.strings.append(value)
        return str(value)

    def text(self, name, cased):
        """The field's value as it is compared; None when there is none."""
        value = self.fields.get(name)
        if cased or value is None:
            return value
        if name not in self.folded:
            self.folded[name] = fold(value)
        return self.folded[name]

    def texts(self, cased):
        """The line, and the values that are written with escapes in it."""
        if cased:
            return [self.line] + self.strings
        if self.texts_folded is None:
            self.texts_folded = [fold(t) for t in [self.line] + self.strings]
        return self.texts_folded


def is_object(value):
    """Objects were read as lists of pairs; arrays never hold tuples."""
    return isinstance(value, list) and all(isinstance(v, tuple) for v in value)


def repair(text):
    """Lone surrogates that a \\u escape wrote are U+FFFD."""
    if all(not 0xD800 <= ord(c) <= 0xDFFF for c in text):
        return text
    return "".join(c if not 0xD800 <= ord(c) <= 0xDFFF or 0xDC80 <= ord(c) <= 0xDCFF
                   else "\ufffd" for c in text)
