# SPDX-License-Identifier: Apache-2.0
"""Running the real haidang for the tests beside. usage of a test: test_x.py SOURCE BUILD [unittest arguments]"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

OK, RUNTIME, USAGE, CONFIG = 0, 1, 2, 3
SOURCE, BUILD = sys.argv[1:3]
PROGRAM = f"{BUILD}/console/haidang"


class Result:
    def __init__(self, run):
        self.code, self.out, self.err = run.returncode, run.stdout.decode(), run.stderr.decode(errors="replace")

    def objects(self):
        return [json.loads(line) for line in self.out.splitlines()]


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.holder = tempfile.TemporaryDirectory()
        self.addCleanup(self.holder.cleanup)
        self.dir = self.holder.name

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(text if isinstance(text, bytes) else text.encode())
        return path

    def run_haidang(self, *args, stdin=b"", env=None):
        stdin = stdin if isinstance(stdin, bytes) else stdin.encode()
        given = {**os.environ, "LC_ALL": "C", **(env or {})}
        run = subprocess.run([PROGRAM, *args], input=stdin, capture_output=True, env=given, timeout=600, check=False)
        return Result(run)


def shared(name):
    """Test material beside the checkout, or None."""
    path = os.path.join(SOURCE, "../shared/data", name)
    return path if os.path.exists(path) else None


def main():
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
