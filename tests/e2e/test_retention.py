#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Retention by source, with the real programs: what is past its time goes a file at a time, what a rule keeps
stays with all that came after it, and a file of rules that cannot be used removes nothing."""
import os
import re

import install
from world import Failure, World, main, wait_until

RULES = "otherwise: 2s\nrules: [{source: '*/precious.log', keep: 1h}]\n"
ARCHIVE = "  segment_age: 1s\n  retention_every: 1s\n  retention: "


def write(w, name, text):
    with open(w.path("logs", name), "a", encoding="ascii") as file:
        file.write(text + "\n")


def segments(w):
    return sorted(f for f in os.listdir(w.path("correlator", "archive")) if f.endswith(".zst"))


def is_archived(w, text):
    return text.encode() in w.journal_text(w.path("correlator", "archive"))


def send(w, name, text):
    write(w, name, text)
    wait_until(f"{text} to be archived", lambda: is_archived(w, text))


def wait_gone(w, text):
    """It goes when its file is sealed and past its time; the last file stays, so another line comes meanwhile."""
    before = segments(w)
    wait_until("its file to be sealed", lambda: b"haidang-seal 1" in w.read_archive(before[-1]))
    send(w, "plain.log", "the next " + text.rsplit(" ", 1)[0])
    wait_until(f"{text} to be gone", lambda: not is_archived(w, text))


class Small(World):
    def read_archive(self, name):
        with open(self.path("correlator", "archive", name), "rb") as file:
            return file.read()


def old_files_go_by_rule():
    with Small() as w:
        w.make_ca()
        os.makedirs(w.path("logs"))
        rules = w.write("retention.yml", RULES)
        correlator = install.run_correlator(w, install.correlator_config(w, archive=ARCHIVE + rules,
                                                                       extra="detect: {snapshot: 1s}"))
        install.agent(w, install.file_source(w.path("logs", "*.log")))
        send(w, "plain.log", "first plain line")
        wait_gone(w, "first plain line")
        correlator.wait_line("retention has removed the oldest of a store")
        if w.status("correlator")["removed_bytes"]["archive"] == 0 or \
                w.metric("correlator", 'removed_bytes_total{store="archive"}') == 0:
            raise Failure("what was removed is not counted")

        send(w, "precious.log", "a precious line")
        listed = w.haidang("archive", "list", w.path("correlator", "archive"), "--retention", rules)
        if not re.search(r"kept until .*: rule 1 \(agent1 .*precious.log\)", listed.stdout):
            raise Failure(listed.stdout)

        w.write("retention.yml", RULES + "nonsense: 1\n")
        wait_until("the problem", lambda: any("retention of the archive removes nothing" in p
                                              for p in w.status("correlator")["problems"]))
        if not is_archived(w, "a precious line"):
            raise Failure("it is gone")
        w.write("retention.yml", "otherwise: 1s\n")
        wait_gone(w, "a precious line")
        wait_until("no problem", lambda: w.status("correlator")["problems"] == [])


if __name__ == "__main__":
    main(old_files_go_by_rule)
