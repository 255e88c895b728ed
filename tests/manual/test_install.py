#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an installation puts where, and that what it names is there. usage: test_install.py SOURCE BUILD CMAKE PREFIX"""
import os
import re
import subprocess
import sys
import tempfile

PAGES = ("man1/haidang.1", "man8/haidang-agent.8", "man8/haidang-correlator.8", "man8/haidang-forwarder.8")


class Installation:
    def __init__(self, build, cmake, prefix, stage):
        self.prefix, self.stage, self.problems = prefix, stage, 0
        subprocess.run([cmake, "--install", build], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "DESTDIR": stage})

    def say(self, text):
        print(text)
        self.problems += 1

    def read(self, path):
        with open(self.stage + path, encoding="utf-8") as staged:
            return staged.read()

    def expect(self, path, who):
        if not os.path.exists(self.stage + path):
            self.say(f"{who} names {path}, which is not installed")

    def units(self):
        for program in ("agent", "correlator", "forwarder", "canary"):
            path = f"{self.prefix}/lib/systemd/system/haidang-{program}.service"
            for command in re.findall(r"^Exec\w*=(/\S+/haidang\S*)", self.read(path), re.M):
                self.expect(command, path)

    def samples(self):
        for program in ("agent", "correlator", "forwarder"):
            path = f"{self.prefix}/share/doc/haidang/examples/{program}.yml"
            for named in re.findall(r"(/\S+/share/haidang/\S+)", self.read(path)):
                self.expect(named, path)

    def defaults(self):
        """The staged programs run from the stage; what they look for by default must be staged too."""
        program = f"{self.prefix}/bin/haidang-correlator"
        printed = subprocess.run([self.stage + program, "--help-config"], capture_output=True, text=True, check=True)
        named = re.findall(r"`rules\.(?:decoders|library)` \| path \| `([^`]+)`", printed.stdout)
        if len(named) != 2:
            self.say(f"{program} has no defaults for decoders and rules")
        for path in named:
            self.expect(path, program)

    def outside(self):
        for directory, _, names in os.walk(self.stage):
            for name in names:
                path = os.path.join(directory, name)[len(self.stage):]
                if not path.startswith(self.prefix + "/"):
                    self.say(f"{path} is outside of {self.prefix}")

    def all(self):
        self.units()
        self.samples()
        self.defaults()
        for page in PAGES:
            self.expect(f"{self.prefix}/share/man/{page}", "SEE ALSO")
        self.outside()
        return self.problems


def main():
    _, build, cmake, prefix = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="hd-install.") as stage:
        sys.exit(1 if Installation(build, cmake, prefix.rstrip("/"), stage).all() else 0)


if __name__ == "__main__":
    main()
