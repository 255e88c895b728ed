#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How small real logs become: bench_compress over the shared samples, each by itself.
usage: tests/bench/compression.py [FILE...]      default: loghub and Windows events of the shared data"""
import glob
import os
import subprocess
import sys
import tempfile
import zipfile

from rules_data import DATA

BUILD = os.environ.get("HD_BUILD_DIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "dev"))


def samples(directory):
    yield from sorted(glob.glob(os.path.join(DATA, "loghub", "*.log")))
    for name in sorted(glob.glob(os.path.join(DATA, "windows-events", "*.zip"))):
        with zipfile.ZipFile(name) as archive:
            for member in archive.namelist():
                yield archive.extract(member, directory)


def main():
    with tempfile.TemporaryDirectory() as directory:
        files = sys.argv[1:] or list(samples(directory))
        if not files:
            sys.exit(f"no samples in {DATA}: name files of your own")
        sys.exit(subprocess.run([os.path.join(BUILD, "tests", "bench", "bench_compress"), *files], check=False).returncode)


if __name__ == "__main__":
    main()
