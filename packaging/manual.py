#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Manual pages that a program writes about itself, from its --help and --help-config.
usage: manual.py config PROGRAM    the page docs/config/NAME.md
       manual.py man PROGRAM       the man page NAME(8)
"""
import os
import re
import subprocess
import sys

HEAD = "# Configuration of {name}: every key, as `{name} --help-config` prints them\n\n"


def ask(program, option):
    return subprocess.run([program, option], capture_output=True, text=True, check=True).stdout


def config_page(program):
    return HEAD.format(name=os.path.basename(program)) + ask(program, "--help-config")


def roff(text):
    """Text of ours as roff: back-quoted words are bold, a leading dot or quote is no request."""
    text = text.strip().replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", text.replace("**", ""))
    return "\\&" + text if text.startswith((".", "'")) else text


def man_options(lines):
    """Rows "  -c, --config FILE  what it is"."""
    for line in lines:
        option, _, meaning = line.strip().partition("  ")
        yield f".TP\n\\fB{roff(option)}\\fR\n{roff(meaning)}"


def man_keys(table):
    for row in table.splitlines()[2:]:
        key, kind, default, meaning = re.split(r"(?<!\\)\|", row.strip("|"), maxsplit=3)
        default = roff(default)
        default = "" if not default else ", required" if default == "required" else f", default {default}"
        yield f".TP\n{roff(key)} ({roff(kind)}{default})\n{roff(meaning)}"


def man_page(program):
    """--help is: "NAME: summary", "Usage: ...", rows of options, a last paragraph; blank lines between."""
    name, version = os.path.basename(program), ask(program, "--version").split()[-1]
    head, usage, options, rest = ask(program, "--help").strip("\n").split("\n\n")
    others = [other for other in ("agent", "correlator", "forwarder") if not name.endswith(other)]
    config = re.search(r"default (\S+\.yml)", options).group(1)
    return "\n".join([
        f'.TH {name.upper()} 8 "" "haidang {version}" "Hai Dang"',
        ".SH NAME", f"{roff(name)} \\- {roff(head.partition(':')[2])}",
        ".SH SYNOPSIS", f"\\fB{roff(usage.removeprefix('Usage: '))}\\fR",
        ".SH OPTIONS", *man_options(options.split("\n")),
        ".SH SIGNALS AND EXIT STATUS", roff(rest.replace("\n", " ")),
        ".SH CONFIGURATION", "A YAML file. The keys of a section stand below it, indented;",
        "[] is a list.", *man_keys(ask(program, "--help-config")),
        ".SH FILES", f".TP\n{roff(config)}\nThe configuration. A commented sample comes with the program.",
        ".SH SEE ALSO", ", ".join([r"\fBhaidang\fR(1)"] + [rf"\fBhaidang\-{other}\fR(8)" for other in others]), ""])


PAGES = {"config": config_page, "man": man_page}


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in PAGES:
        sys.exit(__doc__.strip())
    sys.stdout.write(PAGES[sys.argv[1]](sys.argv[2]))


if __name__ == "__main__":
    main()
