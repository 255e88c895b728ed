#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sources that fall silent, with the real programs: a file that nobody writes to any more, an agent that
is stopped, a system of level 3 that nobody watches; each is told once, also across a restart."""
import json
import signal
import threading

import install
from world import Failure, World, main, wait_until

SOURCES = """
sources: {floor: 2s, factor: 2, learn: 2s, unmonitored: 3s}
enrich: {inventory: INVENTORY}
"""
INVENTORY = "id,name,level,hosts\nportal,Cổng dịch vụ công,3,agent1\nother,Hồ sơ,3,nowhere\nsmall,Nhỏ,2,nowhere2\n"


def correlator(w):
    return install.correlator(w, rules=False, extra=SOURCES.replace("INVENTORY", w.write("inventory.csv", INVENTORY)))


def alerts(w):
    out = w.journal_text(w.path("correlator", "alerts")).decode()
    return [json.loads(line) for line in out.splitlines()]


def titles(w):
    return [a["rule"]["title"] for a in alerts(w)]


def wait_told(w, title, times=1):
    wait_until(f"{times} x {title}", lambda: titles(w).count(title) >= times)
    found = [a for a in alerts(w) if a["rule"]["title"] == title]
    if len(found) != times:
        raise Failure(f"{title}: {len(found)} times")
    return found[-1]


class Writer:
    """Writes a line now and then until it is told to stop."""

    def __init__(self, path):
        self.path, self.stop = path, threading.Event()
        self.thread = threading.Thread(target=self.write)
        self.thread.start()

    def write(self):
        while not self.stop.wait(0.1):
            with open(self.path, "a", encoding="ascii") as file:
                file.write("a line\n")

    def end(self):
        self.stop.set()
        self.thread.join()


def rows(w, *options):
    done = w.haidang("sources", "--run-dir", w.run_dir, "--json", *options, check=False)
    return done.returncode, json.loads(done.stdout)


def state_of(w, name):
    return next((row["state"] for row in rows(w)[1]["sources"] if row["name"] == name), None)


def silence_is_told():
    with World() as w:
        w.make_ca()
        log, other = w.write("app.log", ""), w.write("other.log", "")
        c = correlator(w)
        agent = install.agent(w, install.file_source(log) + install.file_source(other))
        writers = [Writer(log), Writer(other)]
        try:
            wait_until("the sources are known", lambda: state_of(w, log) == state_of(w, other) == "ok")
            writers[0].end()
            told = wait_told(w, "Log source has stopped")
            if told["group"]["source.name"] != log or told["system"]["id"] != "portal" or told["severity"] != 3:
                raise Failure(str(told))
            code, shown = rows(w, "--silent")
            if code != 1 or [row["name"] for row in shown["sources"]] != [log]:
                raise Failure(f"{code} {shown}")
            text = w.haidang("sources", "--run-dir", w.run_dir, "--lang", "vi", "--utc", check=False).stdout
            if "IM LẶNG" not in text or "KHÔNG ĐƯỢC GIÁM SÁT  Hồ sơ (other), cấp độ 3" not in text:
                raise Failure(text)
            missing = wait_told(w, "Information system is unmonitored")
            if missing["system"]["id"] != "other" or missing["delivery"] != "province":
                raise Failure(str(missing))
            writers[0] = Writer(log)
            wait_told(w, "Log source is back to its usual")
            agent.kill(signal.SIGTERM)
            gone = wait_told(w, "Agent is not connected")
            if gone["agent"]["name"] != "agent1":
                raise Failure(str(gone))
            wait_told(w, "Information system is unmonitored", 2)
            before = len(alerts(w))
            wait_until("what was told is saved", lambda: w.status("correlator"))
            c.kill(signal.SIGTERM)
            c = correlator(w)
            wait_until("lost still", lambda: state_of(w, log) == "agent-lost")
            w.start("agent again", agent.popen.args)
            wait_told(w, "Agent is connected again")
            if len(alerts(w)) != before + 1:
                raise Failure(f"told again after a restart: {titles(w)}")
        finally:
            for writer in writers:
                writer.end()
        if w.metric("correlator", "sources_missed_total") != 0:
            raise Failure("batches were missed")


if __name__ == "__main__":
    main(silence_is_told)
