# SPDX-License-Identifier: Apache-2.0
"""A log that is emptied, edited or removed raises an alert, once; one that is rotated raises none, and no line of it
is lost or doubled."""
import collections
import json
import os
import signal
import subprocess

import install
from world import Failure, NotRun, PEERS, World, find_port, main, wait_until

PATIENCE = 60
EMPTIED, EDITED, REMOVED = "Log File Emptied", "Log File Edited", "Log File Removed"


def expect(ok, text):
    if not ok:
        raise Failure(text)


def alerts(w):
    return [json.loads(line) for line in w.journal_text(w.path("correlator", "alerts")).splitlines() if line]


def told(w):
    """(title, file) of each alert, in order."""
    return [(a["rule"]["title"], a["evidence"][0]["line"].split('"')[1].rsplit("/", 1)[1]) for a in alerts(w)]


def archived(w, word):
    return sum(word in line for line in w.archive_lines(w.path("correlator", "archive")))


def shell(w, command):
    subprocess.run(["sh", "-ec", command], cwd=w.path("logs"), check=True)


def write(w, name, first, n):
    with open(w.path("logs", name), "a", encoding="utf-8") as file:
        file.writelines(f"{name} line {i:05d} as its program wrote it, with a number of its own\n"
                        for i in range(first, first + n))


def start_agent(w, pattern="*.log", extra="    removed_after: 500ms\n"):
    os.makedirs(w.path("logs"), exist_ok=True)
    agent = install.agent(w, install.file_source(w.path("logs", pattern), extra=extra))
    wait_until("the agent is up", lambda: w.status("agent"))
    return agent


def start(w):
    w.make_ca()
    install.correlator(w, extra="suppress: {window: 0s}\n")
    return start_agent(w)


CLEARINGS = (("shell.log", "> shell.log", EMPTIED), ("zero.log", "truncate -s 0 zero.log", EMPTIED),
             ("short.log", "truncate -s 2000 short.log", EDITED), ("sed.log", "sed -i '/line 00030/d' sed.log", EDITED),
             ("end.log", "printf xxxxxxxxxx | dd of=end.log oflag=seek_bytes seek=$(($(stat -c %s end.log) - 30)) conv=notrunc "
              "status=none", EDITED), ("gone.log", "rm gone.log", REMOVED))


def clearing_raises_an_alert():
    with World() as w:
        agent = start(w)
        for name, _, _ in CLEARINGS:
            write(w, name, 0, 40)
        wait_until("all is archived", lambda: archived(w, b"as its program wrote it") == 40 * len(CLEARINGS))
        want = sorted((title, name) for name, _, title in CLEARINGS)
        for _, command, _ in CLEARINGS:
            shell(w, command)
        wait_until("an alert for each", lambda: sorted(told(w)) == want, PATIENCE)
        first = next(a for a in alerts(w) if a["rule"]["title"] == EMPTIED)
        expect(first["rule"]["level"] == "high" and first["rule"]["title_vi"] == "Tệp nhật ký bị làm rỗng", str(first))
        expect("attack.t1070.002" in first["rule"]["tags"] and first["agent"]["name"] == "agent1", str(first))
        agent.kill()  # nothing is told again, or forgotten, by whoever comes next
        agent = start_agent(w)
        agent.kill()
        shell(w, "rm zero.log; > short.log")  # while nobody looks
        agent = start_agent(w)
        want = sorted(want + [(REMOVED, "zero.log"), (EMPTIED, "short.log")])
        wait_until("an alert for what happened meanwhile", lambda: sorted(told(w)) == want, PATIENCE)
        expect(agent.kill(signal.SIGTERM) == 0, "the agent did not end in order")
        start_agent(w)
        shell(w, "rm end.log")
        want = sorted(want + [(REMOVED, "end.log")])
        wait_until("the last alert", lambda: (REMOVED, "end.log") in told(w), PATIENCE)
        expect(sorted(told(w)) == want, str(told(w)))
        shown = w.haidang("tail", "--dir", w.path("correlator", "alerts"), "--all", "--no-follow", "--lang", "vi").stdout
        expect("Tệp nhật ký bị xóa" in shown, shown)
        sources = json.loads(w.haidang("sources", "--run-dir", w.run_dir, "--json", check=False).stdout)["sources"]
        expect(sources and all(s["kind"] == "file" for s in sources), str(sources))


def killed_at_any_moment_it_is_told_once():
    with World() as w:
        agent = start(w)
        for i in range(6):
            name = f"k{i}.log"
            write(w, name, 0, 20)
            wait_until("it is archived", lambda i=i: archived(w, b"as its program wrote it") == 20 * (i + 1))
            shell(w, f"> {name}" if i % 2 == 0 else f"rm {name}")
            if i < 4:  # before or after it was noticed, or spooled
                wait_until("a while", iter([0] * (3 * i) + [1]).__next__)
            else:
                wait_until("it is noticed", lambda: w.metric("agent", "files_harmed_total") > 0)
            agent.kill()
            agent = start_agent(w)
        want = sorted((EMPTIED if i % 2 == 0 else REMOVED, f"k{i}.log") for i in range(6))
        wait_until("an alert for each", lambda: sorted(told(w)) == want, PATIENCE)


def unread_bytes_are_a_loss():
    with World() as w:
        w.make_ca()
        w.ports["correlator"] = find_port()  # nobody is there yet
        spool = "spool_max: 4MiB\nspool_segment: 1MiB\nspool_reserve: 0\nbatch_level: 1\n"
        os.makedirs(w.path("logs"))
        sources = install.file_source(w.path("logs", "*.log"))
        install.agent(w, sources, extra=spool)
        wait_until("the agent is up", lambda: w.status("agent"))
        with open(w.path("logs", "big.log"), "w", encoding="utf-8") as file:
            file.writelines(f"big {os.urandom(400).hex()}\n" for _ in range(20000))
        wait_until("the spool is full", lambda: any("the spool takes nothing" in p for p in w.status("agent")["problems"]))
        write(w, "big.log", 0, 1)  # how long it is now is noticed while nothing is read
        size = os.path.getsize(w.path("logs", "big.log"))

        def is_noticed():
            return w.status("agent")["sources"][0]["state"] == "paused"
        wait_until("the source is paused", is_noticed)
        shell(w, "> big.log")
        install.correlator(w, extra="suppress: {window: 0s}\n")
        wait_until("the alert", lambda: told(w) == [(EMPTIED, "big.log")], PATIENCE)

        def lost():
            done = w.haidang("losses", "--dir", w.path("correlator", "losses"), "--json", "--since", "1h", "--kind",
                             "unread-truncated", check=False)
            return [json.loads(line) for line in done.stdout.splitlines()]
        wait_until("the loss is in the ledger", lost, PATIENCE)
        records = lost()
        kept = sum(len(line) + 1 for line in w.archive_lines(w.path("correlator", "archive")) if line.startswith(b"big "))
        expect(len(records) == 1 and records[0]["source"] == f"file {w.path('logs', 'big.log')}", str(records))
        expect(0 < records[0]["count"] <= size - kept, f"{records} of {size}, {kept} in the archive")
        expect(size - kept - records[0]["count"] < 1 << 20, f"{records} of {size}, {kept} in the archive")


ROTATIONS = {"create": "create", "copytruncate": "copytruncate", "date": "create\ndateext", "old": "create\nolddir old",
             "packed": "create\ncompress", "copypacked": "copytruncate\ncompress", "lazy": "nocreate\ncompress",
             "late": "nocreate\ncompress\ndelaycompress", "once": "create\nrotate 1\nmaxage 1"}


def logrotate(w, rotations):
    config = w.write("logrotate.conf", "".join(f"{w.path('logs', name)}.log {{\nrotate 3\n{how}\n}}\n"
                                               for name, how in rotations.items()), 0o600)
    done = subprocess.run(["logrotate", "-f", "-s", w.path("logrotate.state"), config], env=w.peer_env(),
                          capture_output=True, text=True, check=False)
    expect(done.returncode == 0, done.stdout + done.stderr)


def check_logrotate():
    if not os.path.exists(os.path.join(PEERS, "root", "usr", "sbin", "logrotate")):
        raise NotRun(f"no logrotate: run packaging/peers {PEERS} logrotate")


def judge_rotations(w, n):
    """Nothing was told, and so many lines are in the archive, each once."""
    write(w, "fence.log", 0, 1)
    wait_until("the fence is archived", lambda: archived(w, b"fence.log") == 1)
    shell(w, "rm fence.log")  # told after what was done before, had that been told
    wait_until("the alert of the fence", lambda: (REMOVED, "fence.log") in told(w), PATIENCE)
    expect(told(w) == [(REMOVED, "fence.log")], f"a rotation was taken for an attack: {told(w)}")
    lines = collections.Counter(line for line in w.archive_lines(w.path("correlator", "archive")) if b".log line" in line)
    doubled = [line for line, count in lines.items() if count > 1]
    expect(not doubled and len(lines) == n + 1, f"{len(lines)} lines of {n + 1}; doubled: {doubled[:5]}")


def rotation_raises_none():
    check_logrotate()
    with World() as w:
        agent = start(w)
        os.makedirs(w.path("logs", "old"))
        n = 0

        def rotate():
            logrotate(w, {name: how for name, how in ROTATIONS.items() if name != "date" or n == 1})  # two of one day have one name

        def fill():
            for name in ROTATIONS:
                write(w, f"{name}.log", n * 30, 30)

        def all_archived():
            return archived(w, b"as its program wrote it") == 30 * n * len(ROTATIONS)
        for turn in range(4):
            fill()
            n += 1
            if turn == 3:  # rotated while no agent runs
                wait_until("all is archived", all_archived)
                agent.kill()
                rotate()
                agent = start_agent(w)
            else:
                wait_until("all is archived", all_archived)
                rotate()
        fill()
        n += 1
        wait_until("all is archived", all_archived)
        agent.kill()
        start_agent(w)
        judge_rotations(w, 30 * n * len(ROTATIONS))


COPIES = {"create": "create", "copied": "copytruncate", "copydated": "copytruncate\ndateext", "copylate":
          "copytruncate\ncompress\ndelaycompress", "copypacked": "copytruncate\ncompress"}
MATCHES_COPIES = {"pattern": "*.log*", "extra": '    removed_after: 500ms\n    exclude: ["*.gz"]\n'}


def copies_that_match_are_read_once():
    """Under a pattern that matches the copies too, rotated while the agent still reads, or does not run. Of what only
    the copy has nothing is lost; a copy that is compressed at once has to be read before."""
    check_logrotate()
    with World() as w:
        w.make_ca()
        install.correlator(w, extra="suppress: {window: 0s}\n")
        agent = start_agent(w, **MATCHES_COPIES)
        n, turns, size = 0, 6, 500
        for turn in range(turns):
            for name in COPIES:
                write(w, f"{name}.log", n, size)
            n += size
            wait_until("what is compressed is archived", lambda: archived(w, b"copypacked.log line") == n)
            if turn in (2, 4):
                agent.kill()
            logrotate(w, {name: how for name, how in COPIES.items() if name != "copydated" or turn == 3})
            if turn in (2, 4):
                agent = start_agent(w, **MATCHES_COPIES)
        wait_until("all is archived", lambda: archived(w, b"as its program wrote it") >= n * len(COPIES))
        agent.kill()
        start_agent(w, **MATCHES_COPIES)
        judge_rotations(w, n * len(COPIES))


CLOAKS = {"touch": "touch cloaked.log.1.gz", "words": "echo nothing to see > cloaked.log.1.gz", "less": "head -c 100 cloaked.log | gzip > "
          "cloaked.log.1.gz"}


def an_archive_of_nothing_hides_nothing():
    with World() as w:
        start(w)
        for n, command in enumerate(CLOAKS.values(), 1):
            write(w, "cloaked.log", 0, 40)
            wait_until("it is archived", lambda n=n: archived(w, b"as its program wrote it") == 40 * n)
            shell(w, command + " && > cloaked.log")
            wait_until("the alert", lambda n=n: told(w) == [(EMPTIED, "cloaked.log")] * n, PATIENCE)


if __name__ == "__main__":
    main(clearing_raises_an_alert, killed_at_any_moment_it_is_told_once, unread_bytes_are_a_loss,
         an_archive_of_nothing_hides_nothing, rotation_raises_none, copies_that_match_are_read_once)
