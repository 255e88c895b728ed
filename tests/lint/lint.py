#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""House rules that a machine can check. usage: lint.py CHECK [--source DIR] [--build DIR]

Every check prints "file:line: what is wrong" and exits 1 when there is anything to say.
A rule that must be broken is broken in the line itself: a comment `lint: NAME reason`.
"""
import argparse
import os
import re
import subprocess
import sys

ROOMS = ("lib", "collector", "rules", "correlator", "forwarder", "console")
ARROWS = {"correlator": {"rules"}, "console": {"rules"}}
PREFIX = {"lib": "hd_", "collector": "col_", "rules": "rul_", "correlator": "cor_",
          "forwarder": "fwd_", "console": "con_"}
BANNED = {
    r"\b(atoi|atol|atoll|atof|strtol|strtoul|strtoll|strtoull|strtod|strtof)\s*\(": "numbers come from hd_num_*",
    r"\b(sscanf|fscanf|scanf|vsscanf)\s*\(": "numbers come from hd_num_*",
    r"\b(strtok|strtok_r|strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|stpcpy)\s*\(": "unbounded or unterminated",
    r"\b(alloca)\s*\(": "stack of unknown size",
    r"#\s*include\s*<ctype\.h>": "locale-dependent, undefined above 0x7f: use hd_is_*",
    r"\b(localtime|gmtime|asctime|ctime|mktime|setlocale)\s*\(": "use haidang/clock.h",
    r"\b(system|popen|tmpnam|mktemp|usleep)\s*\(": "never in this code",
}
MAX_FUNCTION, MAX_FILE, MAX_HEADER, MAX_PARAMS, MAX_NESTING = 80, 800, 150, 6, 3


class Lint:
    def __init__(self, source, build):
        self.source, self.build, self.problems = source, build, 0

    def say(self, path, line, text):
        self.problems += 1
        print(f"{path}:{line}: {text}")

    def files(self, *suffixes):
        try:
            out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=self.source,
                                 capture_output=True, text=True, check=True).stdout.split("\n")
        except (OSError, subprocess.CalledProcessError):  # an unpacked source archive
            out = [os.path.relpath(os.path.join(d, f), self.source)
                   for d, _, names in os.walk(self.source) for f in names
                   if "/build/" not in d + "/" and "/.git/" not in d + "/"]
        found = sorted(p for p in out if p.endswith(suffixes) and os.path.isfile(os.path.join(self.source, p)))
        if not found:
            sys.exit(f"lint: no {suffixes} files below {self.source}")
        return found

    def code(self, path):
        """Lines with comments and string contents blanked, so that patterns see code only."""
        text = open(os.path.join(self.source, path), encoding="utf-8").read()
        def blank(match):
            s = match.group(0)
            if s.startswith(("/*", "//")):
                return re.sub(r"[^\n]", " ", s)
            return s[0] + re.sub(r"[^\n]", " ", s[1:-1]) + s[-1]
        stripped = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', blank, text, flags=re.S)
        return list(zip(stripped.split("\n"), text.split("\n")))

    # ---- checks ----

    def format(self):
        paths = self.files(".c", ".h")
        run = subprocess.run(["clang-format", "--dry-run", "--Werror"] + paths, cwd=self.source,
                             capture_output=True, text=True)
        if run.returncode != 0:
            for line in run.stderr.split("\n"):
                found = re.match(r"([^:]+):(\d+):\d+: error", line)
                if found:
                    self.say(found.group(1), found.group(2), "not formatted (clang-format -i)")
            if self.problems == 0:
                self.say("clang-format", 0, run.stderr.strip()[:200])

    def arrows(self):
        for path in self.files(".c", ".h"):
            room = path.split("/")[0]
            if room not in ROOMS and not path.startswith("include/"):
                continue
            for number, (_, line) in enumerate(self.code(path), 1):
                found = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
                target = found.group(1).split("/")[0] if found else room
                allowed = {room, "lib"} | ARROWS.get(room, set())
                if target in ROOMS + ("tests",) and target not in allowed:
                    self.say(path, number, f"{room} may not know {target}")
                if path.startswith("include/") and found:
                    self.say(path, number, "contracts include <haidang/...> only")

    def links(self):
        """What each program may link: the agent stays light, the forwarder never sees raw lines."""
        pcap = ("libpcap.", "libdbus-1.") if self.cached("HD_PCAP_LINKS") else ()
        self.linked("collector/haidang-agent", ("libhs.", "libsqlite3.", "libcurl.", "libmaxminddb.", *pcap))
        self.linked("forwarder/haidang-forwarder", ("libhs.", "libpcap.", "libmaxminddb."))
        self.linked("correlator/haidang-correlator", ("libpcap.", "libcurl.", "libsqlite3."))

    def cached(self, option):
        path = os.path.join(self.build, "CMakeCache.txt")
        if not os.path.exists(path):
            return False
        with open(path, encoding="utf-8") as cache:
            return f"\n{option}:INTERNAL=TRUE\n" in cache.read()

    def linked(self, program, forbidden):
        path = os.path.join(self.build, program)
        if not os.path.exists(path):
            self.say(program, 0, "not built")
            return
        out = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True).stdout
        for library in forbidden:
            if f"[{library}" in out:
                self.say(program, 0, f"links {library}so")

    def banned(self):
        for path in self.files(".c", ".h"):
            for number, (code, line) in enumerate(self.code(path), 1):
                for pattern, why in BANNED.items():
                    if re.search(pattern, code) and "lint: banned" not in line:
                        self.say(path, number, f"{re.search(pattern, code).group(0).strip()} is banned: {why}")
                in_tests = path.startswith("tests/")
                if re.search(r"\*\s*10\s*\+|\b10\s*\*\s*\w+\s*\+", code) and path != "lib/num.c" and not in_tests:
                    self.say(path, number, "a digit loop outside lib/num.c")
                if re.search(r"\b(signal|sigaction)\s*\(", code) and path != "lib/loop.c" and not in_tests:
                    self.say(path, number, "signals belong to lib/loop.c")

    def globals(self):
        for path in self.files(".c", ".h"):
            if path.startswith("tests/"):
                continue
            main = os.path.basename(path) == "main.c"
            for number, (code, line) in enumerate(self.code(path), 1):
                if path.endswith(".c") and re.match(r"\s*extern\b", code):
                    self.say(path, number, "extern in a .c file: include the header")
                if re.search(r"\b(_exit|exit|abort|quick_exit)\s*\(", code) and not main and "lint: exit" not in line:
                    self.say(path, number, "only main() ends the process")
                if re.search(r"(?<![\w_])assert\s*\(", code):
                    self.say(path, number, "assert() is banned: hd_fails()")
                if re.match(r"(static\s+)?(?!const\b|typedef\b|return\b|struct\s+\w+\s*\{)[\w ]+\s\**\w+(\[[^\]]*\])*\s*(=[^=].*)?;\s*$", code) \
                        and "const" not in code and not main and "lint: global" not in line \
                        and not path.endswith(".h") and not code.startswith((" ", "\t", "enum", "return")):
                    self.say(path, number, "mutable global outside main.c")

    def names(self):
        """Every function that another file can see carries its room's prefix."""
        for path, name, _, _, kind, signature in self.tags():
            room = path.split("/")[0]
            if kind != "f" or room not in PREFIX or "static" in signature.split("(")[0]:
                continue
            if name != "main" and not name.startswith(PREFIX[room]):
                self.say(path, 0, f"{name}: not static, so it needs the prefix {PREFIX[room]}")

    def tags(self):
        out = subprocess.run(["ctags", "-x", "--languages=C", "--c-kinds=f", "--fields=+neS", "--langmap=C:.c.h",
                              "--_xformat=%F\t%N\t%n\t%e\t%K\t%S", "-L", "-"], cwd=self.source, text=True,
                             input="\n".join(self.files(".c")), capture_output=True, check=True).stdout
        for row in out.strip().split("\n"):
            path, name, start, end, _, signature = row.split("\t")
            head = open(os.path.join(self.source, path), encoding="utf-8").read().split("\n")
            first = head[int(start) - 1]
            before = head[int(start) - 2] if int(start) > 1 else ""
            static = "static " if re.match(r"\s*static\b", first) or re.match(r"\s*static\b", before) else ""
            yield path, name, int(start), int(end), "f", static + signature

    def size(self):
        for path, name, start, end, _, signature in self.tags():
            lines = end - start + 1
            text = open(os.path.join(self.source, path), encoding="utf-8").read().split("\n")
            excused = any("lint: size" in line for line in text[max(0, start - 4):start])
            if lines > MAX_FUNCTION and not excused:
                self.say(path, start, f"{name}: {lines} lines (at most {MAX_FUNCTION})")
            inside = signature[signature.find("(") + 1:signature.rfind(")")]
            depth, params = 0, 1
            for c in inside:
                depth += (c == "(") - (c == ")")
                params += c == "," and depth == 0
            if params > MAX_PARAMS and not excused:
                self.say(path, start, f"{name}: {params} parameters (at most {MAX_PARAMS})")
            for number in range(start, min(end, len(text))):
                line = text[number]
                found = re.match(r"( *)(\} )?(if|else|for|while|do|switch)\b.*\{$", line)
                if found and len(found.group(1)) // 4 > MAX_NESTING and not excused:
                    self.say(path, number + 1, f"{name}: nested deeper than {MAX_NESTING}")
        for path in self.files(".c", ".h"):
            lines = open(os.path.join(self.source, path), encoding="utf-8").read().count("\n")
            limit = MAX_HEADER if path.endswith(".h") else MAX_FILE
            first = open(os.path.join(self.source, path), encoding="utf-8").read(2000)
            if lines > limit and "lint: size" not in first:
                self.say(path, lines, f"{lines} lines (at most {limit})")

    def headers(self):
        """Each header compiles alone and is guarded."""
        for path in self.files(".h"):
            text = open(os.path.join(self.source, path), encoding="utf-8").read()
            if "#pragma once" not in text:
                self.say(path, 1, "no #pragma once")
            flags = subprocess.run(["pkg-config", "--cflags", "libuv", "jansson", "openssl", "libcurl", "libpcap"],
                                   capture_output=True, text=True, check=True).stdout.split()
            run = subprocess.run(["gcc", "-std=c11", "-D_GNU_SOURCE", "-fsyntax-only", "-w", "-Iinclude", "-I.",
                                  *flags, "-x", "c", "-include", path, "/dev/null"],
                                 cwd=self.source, capture_output=True, text=True)
            if run.returncode != 0:
                self.say(path, 1, "does not compile alone: " + run.stderr.strip().split("\n")[0])

    def licence(self):
        for path in self.files(".c", ".h", "CMakeLists.txt", ".cmake", ".py", ".sh"):
            head = open(os.path.join(self.source, path), encoding="utf-8").read(300)
            if "SPDX-License-Identifier: Apache-2.0" not in head:
                self.say(path, 1, "no SPDX line")

    def words(self):
        """The project speaks of itself alone, and leaves nothing half done."""
        unfinished = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
        foreign = re.compile(r"(?<![\w/])/work/|\bissue #?\d+\b|/home/\w+", re.I)
        for path in self.files(".c", ".h", ".md", ".py", ".sh", ".yml", ".cmake", ".txt"):
            if path.startswith(("tests/fuzz/corpus/", "tests/lint/")):
                continue
            for number, line in enumerate(open(os.path.join(self.source, path), encoding="utf-8"), 1):
                if unfinished.search(line) and path.endswith((".c", ".h", ".py", ".sh", ".cmake")):
                    self.say(path, number, "unfinished by its own words")
                if foreign.search(line) and "lint: words" not in line:
                    self.say(path, number, "names something outside the project: " + foreign.search(line).group(0))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("check")
    parser.add_argument("--source", default=".")
    parser.add_argument("--build", default="build/dev")
    args = parser.parse_args()
    lint = Lint(args.source, args.build)
    check = getattr(lint, args.check, None)
    if check is None:
        sys.exit(f"lint: no check '{args.check}'")
    check()
    print(f"{args.check}: {lint.problems} problem(s)")
    sys.exit(1 if lint.problems else 0)


if __name__ == "__main__":
    main()
