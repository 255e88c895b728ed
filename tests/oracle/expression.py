# SPDX-License-Identifier: Apache-2.0
"""Perl-compatible regular expressions for Python's re: over bytes, refused where the two
would differ and no translation is at hand."""
import re

POSIX = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z",
    "space": r"\s", "xdigit": "0-9a-fA-F", "word": r"\w", "punct": r"!-/:-@\[-`{-~",
}
SAME_ESCAPES = set("dDwWsSbBAnrtfv")  # mean the same in both, outside of classes
OTHER_ESCAPES = {"z": r"\Z", "Z": r"(?=\n?\Z)", "h": r"[ \t]", "e": r"\x1b", "a": r"\x07"}


class Unsupported(Exception):
    """The pattern means something that this translation does not know."""


def compile_pattern(pattern, flags):
    """pattern: str; flags: some of "ims". Returns a compiled pattern over bytes."""
    options = 0
    for letter in flags:
        options |= {"i": re.I, "m": re.M, "s": re.S}[letter]
    text = _Translator(pattern, "m" in flags).whole()
    return re.compile(text.encode("utf-8", "surrogateescape"), options)


class _Translator:
    def __init__(self, pattern, multiline):
        self.pattern = pattern
        self.at = 0
        self.multiline = multiline

    def whole(self):
        text = self.group_body(top=True)
        if self.at != len(self.pattern):
            raise Unsupported("unmatched )")
        return text

    def group_body(self, top=False):
        """Up to the closing bracket, which stays; options at its start become a group."""
        options = re.match(r"\(\?([imsx]+)\)", self.pattern[self.at:])
        if options:
            if "m" in options.group(1) or "x" in options.group(1):
                raise Unsupported("inline option m or x")
            self.at += options.end()
            return "(?%s:%s)" % (options.group(1), self.group_body(top))
        out = []
        while self.at < len(self.pattern):
            char = self.pattern[self.at]
            if char == ")":
                if top:
                    raise Unsupported("unmatched )")
                break
            out.append(self.piece(char))
        return "".join(out)

    def piece(self, char):
        if char == "\\":
            return self.escape()
        if char == "[":
            return self.char_class()
        if char == "(":
            return self.group()
        self.at += 1
        if char == "^" and self.multiline:
            return r"(?:\A|(?<=\n)(?!\Z))"  # not behind a newline that ends the text
        if char == "{" and not re.match(r"\d+(,\d*)?\}", self.pattern[self.at:]):
            return r"\{"
        return char

    def escape(self):
        char = self.pattern[self.at + 1:self.at + 2]
        self.at += 2
        if char == "x":
            digits = re.match(r"[0-9a-fA-F]{2}", self.pattern[self.at:])
            if not digits:
                raise Unsupported("\\x without two digits")
            self.at += 2
            return "\\x" + digits.group()
        if char in SAME_ESCAPES or char.isdigit() and char != "0":
            return "\\" + char
        if char in OTHER_ESCAPES:
            return OTHER_ESCAPES[char]
        if char == "" or char.isalnum():
            raise Unsupported("\\" + char)
        return re.escape(char)

    def group(self):
        opening = re.match(r"\((\?(:|=|!|<=|<!|>|[imsx]+:))?", self.pattern[self.at:]).group()
        if opening == "(" and self.pattern[self.at + 1:self.at + 2] in ("?", "*") and \
                not re.match(r"\(\?[imsx]+\)", self.pattern[self.at:]):
            raise Unsupported("group " + self.pattern[self.at:self.at + 4])
        if self.pattern[self.at:self.at + 2] == "(?" and opening == "(":
            raise Unsupported("options inside of an expression")
        self.at += len(opening)
        body = self.group_body()
        if self.pattern[self.at:self.at + 1] != ")":
            raise Unsupported("missing )")
        self.at += 1
        return opening + body + ")"

    def char_class(self):
        start = re.match(r"\[\^?\]?", self.pattern[self.at:]).group()
        self.at += len(start)
        out = [start.replace("]", r"\]")]
        while True:
            char = self.pattern[self.at:self.at + 1]
            if char == "":
                raise Unsupported("missing ]")
            if char == "]":
                self.at += 1
                return "".join(out) + "]"
            out.append(self.class_member(char))

    def class_member(self, char):
        posix = re.match(r"\[:([a-z]+):\]", self.pattern[self.at:])
        if posix:
            self.at += posix.end()
            return POSIX[posix.group(1)]
        if char != "\\":
            self.at += 1
            return "\\" + char if char in "[&~|" else char
        escaped = self.pattern[self.at + 1:self.at + 2]
        if escaped == "b":
            self.at += 2
            return r"\x08"
        if escaped == "h":
            self.at += 2
            return r" \t"
        return self.escape()
