#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves that every lint check can fail: plants one violation each and expects it to be named."""
import os
import subprocess
import sys
import tempfile

HEAD = "/* SPDX-License-Identifier: Apache-2.0 */\n"
LONG = "int hd_long(int a)\n{\n" + "    a++;\n" * 90 + "    return a;\n}\n"
DEEP = ("int hd_deep(int a)\n{\n    if (a) {\n        if (a) {\n            if (a) {\n                if (a) {\n"
        "                    a++;\n                }\n            }\n        }\n    }\n    return a;\n}\n")

# check, file, content, words its output must have
PLANTED = [
    ("format", "lib/a.c", HEAD + "int  hd_x ;\n", "not formatted"),
    ("arrows", "collector/a.c", HEAD + '#include "rules/event.h"\n', "collector may not know rules"),
    ("arrows", "lib/a.c", HEAD + '#include "correlator/x.h"\n', "lib may not know correlator"),
    ("links", "lib/a.c", HEAD, "not built"),
    ("banned", "lib/a.c", HEAD + "int hd_f(const char *s)\n{\n    return atoi(s);\n}\n", "atoi"),
    ("banned", "lib/a.c", HEAD + "#include <ctype.h>\n", "ctype"),
    ("banned", "lib/a.c", HEAD + "int hd_f(int v, int d)\n{\n    return v * 10 + d;\n}\n", "digit loop"),
    ("banned", "forwarder/a.c", HEAD + "void fwd_f(void)\n{\n    signal(1, 0);\n}\n", "signals belong"),
    ("globals", "lib/a.c", HEAD + "extern int hd_y;\n", "extern"),
    ("globals", "lib/a.c", HEAD + "void hd_f(void)\n{\n    exit(1);\n}\n", "only main()"),
    ("globals", "lib/a.c", HEAD + "void hd_f(int a)\n{\n    assert(a);\n}\n", "assert"),
    ("globals", "lib/a.c", HEAD + "static int counter;\n", "mutable global"),
    ("names", "collector/a.c", HEAD + "int stray(void)\n{\n    return 0;\n}\n", "stray"),
    ("size", "lib/a.c", HEAD + LONG, "hd_long: 9"),
    ("size", "lib/a.c", HEAD + DEEP, "nested deeper"),
    ("size", "lib/a.c", HEAD + "int hd_p(int a, int b, int c, int d, int e, int f, int g)\n{\n    return a;\n}\n", "7 parameters"),
    ("size", "include/haidang/a.h", HEAD + "#pragma once\n" + "int hd_v;\n" * 160, "at most 150"),
    ("headers", "include/haidang/a.h", HEAD + "#pragma once\nuint8_t hd_v(void);\n", "does not compile alone"),
    ("headers", "include/haidang/a.h", HEAD, "no #pragma once"),
    ("licence", "lib/a.c", "int hd_v;\n", "no SPDX"),
    ("words", "lib/a.c", HEAD + "/* TODO */\n", "unfinished"),  # lint: words
    ("words", "docs/a.md", "see issue 12\n", "outside the project"),  # lint: words
]


def main():
    lint = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lint.py")
    style = os.path.join(os.path.dirname(lint), "..", "..", ".clang-format")
    failed = 0
    for check, path, content, words in PLANTED:
        with tempfile.TemporaryDirectory() as tree:
            # a clean file of each kind, so that only the planted violation speaks
            for name, text in (("lib/ok.c", HEAD + "int hd_ok(void)\n{\n    return 0;\n}\n"),
                               ("include/haidang/ok.h", HEAD + "#pragma once\n"), (path, content)):
                full = os.path.join(tree, name)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as file:
                    file.write(text)
            with open(style, encoding="utf-8") as original, open(os.path.join(tree, ".clang-format"), "w", encoding="utf-8") as copy:
                copy.write(original.read())
            run = subprocess.run([sys.executable, lint, check, "--source", tree, "--build", tree],
                                 capture_output=True, text=True)
            if run.returncode != 1 or words not in run.stdout:
                failed += 1
                print(f"{check}: did not see '{words}' in {path}:\n{run.stdout}{run.stderr}")
    print(f"{len(PLANTED) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
