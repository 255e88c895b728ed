# SPDX-License-Identifier: Apache-2.0
"""An event: one JSON object in one line, its members flattened to a.b.c.

Numbers and booleans are the text that stands in the line. A field has several values when
it is an array. Of members that are given twice the last counts.
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
    """fields: name -> its values as text, none for null."""

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

    def add_members(self, prefix, members, in_array=False):
        for name, value in members:
            self.add_value(prefix + "." + name if prefix else name, value, in_array)

    def add_value(self, path, value, in_array):
        if is_object(value):
            self.add_members(path, value, in_array)
        elif isinstance(value, list):
            for element in value:
                self.add_value(path, element, True)
        elif in_array:
            self.fields.setdefault(path, []).extend(self.scalar(value))
        else:
            self.fields[path] = self.scalar(value)

    def scalar(self, value):
        if value is None:
            return []
        if value is True or value is False:
            return ["true" if value else "false"]
        if not isinstance(value, Number):
            value = repair(value)
            self.strings.append(value)
        return [str(value)]

    def values(self, name, cased):
        """The field's values as they are compared."""
        values = self.fields.get(name, [])
        if cased or values == []:
            return values
        if name not in self.folded:
            self.folded[name] = [fold(v) for v in values]
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
