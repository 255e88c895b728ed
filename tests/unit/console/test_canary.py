#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""haidang canary without a correlator: what it refuses, and what it says when a canary does not arrive."""
import json
import os
import socket
import stat

import console
from console import CONFIG, RUNTIME, USAGE

CERT, STORE = 4, 6
RULE = """title: Found
id: 71111111-1111-4111-8111-111111111111
status: test
logsource: {product: linux, service: sshd}
detection:
  selection: {event.outcome: failure}
  condition: selection
level: low
haidang:
  title_vi: Thấy rồi
  examples:
    match: ['Nov 21 07:50:37 web1 sshd[812]: Failed password for root from 203.0.113.9 port 4022 ssh2']
---
title: Without Example
id: 71111111-1111-4111-8111-111111111112
status: test
logsource: {product: linux, service: sshd}
detection:
  selection: {event.outcome: success}
  condition: selection
level: low
"""


class Canary(console.Case):
    def setUp(self):
        super().setUp()
        self.rules = self.write("rules.yml", RULE)
        self.log = self.write("app.log", "")
        for name in ("archive", "alerts", "receipts"):
            os.mkdir(os.path.join(self.dir, name))
        self.key = os.path.join(self.dir, "canary.key")

    def canary(self, *args, env=None):
        places = sum((["--" + name, os.path.join(self.dir, name)] for name in ("archive", "alerts", "receipts")), [])
        return self.run_haidang("canary", self.rules, "--decoders", f"{console.SOURCE}/rules/decoders", "--key", self.key,
                                "--run-dir", self.dir, *places, *args, env=env)

    def refused(self, code, text, *args):
        result = self.canary(*args)
        self.assertEqual((result.code, result.out), (code, ""), result.err)
        self.assertIn(text, result.err)

    def test_what_it_refuses(self):
        file = ("--file", self.log)
        self.refused(USAGE, "by which way in? no agent with listeners answers", "--all")
        self.refused(USAGE, "--udp is HOST:PORT, not 'nowhere'", "--all", "--udp", "nowhere")
        self.refused(USAGE, "--tcp is HOST:PORT, not ':514'", "--all", "--tcp", ":514")
        self.refused(USAGE, "--timeout is a duration", "--all", "--timeout", "soon", *file)
        self.refused(USAGE, "--oldest is a number", "--oldest", "-1", *file)
        self.refused(CONFIG, "there is no rule 'other'", "--rule", "other", *file)
        self.refused(CONFIG, "has no example that can be sent", "--rule", "71111111-1111-4111-8111-111111111112", *file)
        self.refused(RUNTIME, "which rules were proven when", *file)
        self.refused(STORE, "name the directory with --archive", "--all", "--archive", self.dir + "/absent", *file)
        self.refused(STORE, "or say --no-receipts", "--all", "--receipts", self.dir + "/absent", *file)
        self.assertEqual(os.path.getsize(self.log), 0)

    def test_the_key(self):
        made = self.canary("--all", "--file", self.log, "--timeout", "1ms")
        self.assertIn(f"copy {self.key}.pub into the directory canary.keys", made.err)
        self.assertEqual(stat.S_IMODE(os.stat(self.key).st_mode), 0o600)
        os.chmod(self.key, 0o644)
        self.refused(CERT, f"--key {self.key}: permission denied", "--all", "--file", self.log)

    def test_what_does_not_arrive_is_told(self):
        result = self.canary("--all", "--file", self.log, "--timeout", "20ms")
        self.assertEqual(result.code, RUNTIME)
        self.assertIn("FAILED   file " + self.log + "  Found  (1 line)\n    ! it is not in the archive\n", result.out)
        self.assertIn("1 canary, 1 failed; 1 rules have no example that can be sent\n", result.out)
        with open(self.log, encoding="utf-8") as log:
            line = log.read()
        self.assertRegex(line, r'^<110>1 \S+ \S+ haidang-canary - - \[canary@32473 id="[0-9a-f]{32}" part="1/1" class="file" '
                               r'rule="71111111-\S+" time="\S+" at="0" key="[0-9a-f]{64}" sig="[0-9a-f]{128}"\] Nov 21 .* ssh2\n$')

    def test_in_vietnamese_and_for_programs(self):
        shown = self.canary("--all", "--file", self.log, "--timeout", "20ms", "--lang", "vi").out
        self.assertIn("HỎNG", shown)
        self.assertIn("Thấy rồi  (1 dòng)", shown)
        self.assertIn("1 lượt thử, 1 hỏng; 1 luật không có ví dụ gửi được", shown)
        one, = (json.loads(line) for line in self.canary("--all", "--file", self.log, "--timeout", "20ms", "--json").out.splitlines())
        self.assertEqual((one["arrived"], one["class"], one["target"], one["lines"], one["why"]),
                         (False, "file", self.log, 1, "it is not in the archive"))

    def test_ways_that_are_closed(self):
        with socket.socket() as taken:  # bound and not listening: refused
            taken.bind(("127.0.0.1", 0))
            where = f"127.0.0.1:{taken.getsockname()[1]}"
            result = self.canary("--all", "--tcp", where, "--file", self.dir + "/absent", "--timeout", "10s", "--json")
        self.assertEqual(result.code, RUNTIME)
        whys = {one["class"]: one["why"] for one in result.objects()}
        self.assertIn("the connection ended", whys["tcp"])
        self.assertEqual(whys["file"], "cannot be opened: not found")
        self.assertFalse(os.path.exists(self.dir + "/absent"))


if __name__ == "__main__":
    console.main()
