#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The configuration manual is what the programs print. usage: test_config.py SOURCE BUILD DATADIR

Defaults below DATADIR, the one that was configured, stand in the manual as below the usual one."""
import os
import subprocess
import sys

USUAL = "/usr/local/share"
PROGRAMS = {"agent": "collector", "correlator": "correlator", "forwarder": "forwarder"}


def main():
    source, build, data = sys.argv[1:]
    script, stale = os.path.join(source, "packaging/manual.py"), 0
    for name, room in PROGRAMS.items():
        page, program = f"{source}/docs/config/{name}.md", f"{build}/{room}/haidang-{name}"
        printed = subprocess.run([script, "config", program], capture_output=True, text=True, check=True).stdout
        held = open(page, encoding="utf-8").read() if os.path.exists(page) else ""
        if held != printed.replace(f"`{data}/", f"`{USUAL}/"):
            print(f"docs/config/{name}.md is not what the program prints. To write it anew:\n"
                  f"  {script} config {program} > {page}")
            stale += 1
    sys.exit(1 if stale else 0)


if __name__ == "__main__":
    main()
