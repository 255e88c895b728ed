#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Manual pages that a program writes about itself, from its --help and --help-config.
usage: manual.py config PROGRAM    the page docs/config/NAME.md
"""
import os
import subprocess
import sys

HEAD = "# Configuration of {name}: every key, as `{name} --help-config` prints them\n\n"


def ask(program, option):
    return subprocess.run([program, option], capture_output=True, text=True, check=True).stdout


def config_page(program):
    return HEAD.format(name=os.path.basename(program)) + ask(program, "--help-config")


PAGES = {"config": config_page}


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in PAGES:
        sys.exit(__doc__.strip())
    sys.stdout.write(PAGES[sys.argv[1]](sys.argv[2]))


if __name__ == "__main__":
    main()
