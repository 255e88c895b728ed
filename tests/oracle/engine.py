# SPDX-License-Identifier: Apache-2.0
"""The engine under test: the program oracle_engine, fed with lines."""
import os
import subprocess
import tempfile

SOURCE = "_source"  # the member of each event that says which log source it is of


def decoder_of(logsources):
    """A decoder that gives each event the log source that its _source numbers."""
    lines = ["decoder: oracle", "match: {json: {}}", "logsource: [{product: _none}]",
             "patterns:"]
    for number, logsource in enumerate(logsources):
        parts = ", ".join("%s: '%s'" % (name, part) for name, part in
                          zip(("product", "category", "service"), logsource) if part)
        lines += ["  - id: s%d" % number, "    when: {%s: ['%d']}" % (SOURCE, number),
                  "    logsource: [{%s}]" % parts]
    return "\n".join(lines) + "\n"


class Engine:
    def __init__(self, program, logsources, rules, placeholders=None):
        self.directory = tempfile.TemporaryDirectory(prefix="oracle-")
        decoders = os.path.join(self.directory.name, "decoders")
        os.mkdir(decoders)
        with open(os.path.join(decoders, "oracle.yml"), "w", encoding="utf-8") as file:
            file.write(decoder_of(logsources))
        self.command = [program, decoders, self.site(placeholders or {})] + rules
        self.refused = ""

    def site(self, placeholders):
        """A directory with the values of placeholders."""
        directory = os.path.join(self.directory.name, "placeholders")
        os.mkdir(directory)
        for name, values in placeholders.items():
            with open(os.path.join(directory, name + ".txt"), "w", encoding="utf-8") as file:
                file.write("".join(value + "\n" for value in values))
        return directory

    def match(self, lines):
        """Lines (bytes) -> a set of rule ids for each."""
        with tempfile.TemporaryFile() as stdin:
            stdin.write(b"".join(line + b"\n" for line in lines))
            stdin.seek(0)
            done = subprocess.run(self.command, stdin=stdin, capture_output=True, check=False)
        self.refused = done.stderr.decode()
        if done.returncode != 0:
            raise SystemExit("the engine failed (%d): %s" % (done.returncode, self.refused))
        answers = [set(answer.split()) for answer in done.stdout.decode().split("\n")[:-1]]
        if len(answers) != len(lines):
            raise SystemExit("%d lines, %d answers" % (len(lines), len(answers)))
        return answers
