# SPDX-License-Identifier: Apache-2.0
"""The correlator as a process: exit codes of a wrong start, /status, reload of good and of bad files,
garbage on its port, an attack that kill -9 cuts into pieces."""
import os
import shutil
import signal
import socket

import install
import rogue
from world import SOURCE, Failure, World, find_port, main, program, wait_until

RULE = """title: One
id: ecfd1fcd-d465-49ce-a04e-c5d55affd6{number}
name: one{number}
status: test
logsource: {{product: linux, service: sshd}}
detection:
  selection: {{event.action: ssh-login}}
  condition: selection
level: low
"""
SLOW = RULE.format(number="02") + """---
title: Slow Guessing
id: ecfd1fcd-d465-49ce-a04e-c5d55affd603
status: test
correlation: {type: event_count, rules: [one02], group-by: [source.ip], timespan: 1h, condition: {gte: 6}}
level: high
"""
INVENTORY = "id,name,level,hosts\nportal,Cổng,3,web1\n"


def expect(ok, text):
    if not ok:
        raise Failure(text)


def config(w, port, extra="", **other):
    """A configuration of its own in the world's directory; other: names of files to use instead."""
    names = {"tls": "  " + w.tls("correlator").strip(), "inventory": w.path("inventory.csv"), "dir": w.dir}
    names.update(other)
    os.makedirs(w.path("rules"), exist_ok=True)
    if not os.path.exists(w.path("rules", "a.yml")):
        w.write("rules/a.yml", RULE.format(number="01"))
        w.write("inventory.csv", INVENTORY)
    return w.write("correlator.yml", f"""listen: 127.0.0.1:{port}
state_dir: {names['dir']}/state
status: unix:{w.run_dir}/correlator.sock
tls:
{names['tls']}
archive: {{dir: {names['dir']}/archive, reserve: 0}}
alerts: {{dir: {names['dir']}/alerts, reserve: 0}}
rules: {{decoders: {SOURCE}/rules/decoders, library: {w.path('rules')}}}
enrich: {{inventory: {names['inventory']}}}
{extra}
""")


def start(w, path):
    process = w.start("correlator", [program("haidang-correlator"), "--config", path])
    wait_until("the correlator serves its status", lambda: w.status("correlator"))
    return process


def ends_with(w, path, code, words, *args):
    done = w.run(program("haidang-correlator"), "--config", path, *args, check=False)
    said = done.stdout + done.stderr
    expect(done.returncode == code, f"ended with {done.returncode}, not {code}: {said}")
    expect(words in said, f"did not say '{words}': {said}")


def wrong_starts_have_their_exit_codes():
    with World() as w:
        w.make_ca()
        port = find_port()
        ends_with(w, config(w, port), 0, "good", "--check")
        ends_with(w, config(w, port, "nonsense: 1"), 3, "nonsense", "--check")
        w.write("bad.csv", "id,name,level\na,A,9\n")
        ends_with(w, config(w, port, inventory=w.path("bad.csv")), 3, "bad.csv:2:5")
        ends_with(w, config(w, port, inventory=w.path("none.csv")), 3, "none.csv")
        tls = f"  cert: {w.path('none.crt')}\n  key: {w.path('none.key')}\n  ca: {w.path('ca')}/ca.crt"
        ends_with(w, config(w, port, tls=tls), 4, "none.crt")
        w.write("rules/b.yml", "title: broken\ndetection: [\n")
        ends_with(w, config(w, port), 3, "b.yml:")
        os.remove(w.path("rules", "b.yml"))
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            ends_with(w, config(w, taken.getsockname()[1]), 5, "cannot listen")
        w.write("file", "")
        ends_with(w, config(w, port, f"intake: {{}}", dir=w.path("file")), 6, "state_dir")
        start(w, config(w, port))
        shutil.copy(w.path("correlator.yml"), w.path("second.yml"))
        ends_with(w, w.path("second.yml"), 6, "another correlator")


def status_has_its_members():
    with World() as w:
        w.make_ca()
        process = start(w, config(w, find_port()))
        status = w.status("correlator")
        expect(status["program"] == "haidang-correlator" and status["state"] == "ok", str(status))
        expect(status["problems"] == [] and status["agents"] == [], str(status))
        expect(status["archive"] == {"bytes": status["archive"]["bytes"], "entries": 0}, str(status))
        expect(status["rules"]["count"] == 1 and len(status["rules"]["hash"]) == 64, str(status))
        for name in ("lag_bytes", "lines", "events", "hits", "rate"):
            expect(status["detect"][name] == 0, str(status))
        expect(status["alerts"] == {"published": 0, "tests": 0, "suppressed": 0, "throttled": 0}, str(status))
        expect(process.kill(signal.SIGTERM) == 0, "did not end in order")


def reload_takes_all_or_nothing():
    with World() as w:
        w.make_ca()
        process = start(w, config(w, find_port()))
        first = w.status("correlator")["rules"]["hash"]
        w.write("rules/b.yml", RULE.format(number="02"))
        w.write("inventory.csv", INVENTORY + "badrow\n")
        process.popen.send_signal(signal.SIGHUP)
        process.wait_line("nothing was changed")
        process.wait_line("has no name")
        expect(w.status("correlator")["rules"]["hash"] == first, "half of it was taken up")
        w.write("inventory.csv", INVENTORY)
        w.write("rules/c.yml", "title: [")
        seen = len(process.lines)
        process.popen.send_signal(signal.SIGHUP)
        process.wait_line("nothing was changed", start=seen)
        expect(w.status("correlator")["rules"]["count"] == 1, "half of it was taken up")
        os.remove(w.path("rules", "c.yml"))
        process.popen.send_signal(signal.SIGHUP)
        process.wait_line("what is new is in force")
        expect(w.status("correlator")["rules"]["count"] == 2, "it was not taken up")
        expect(w.status("correlator")["rules"]["hash"] != first, "it was not taken up")
        os.rename(w.path("ca", "issued", "correlator.crt"), w.path("hidden.crt"))
        process.popen.send_signal(signal.SIGHUP)
        process.wait_line("correlator.crt")
        expect(w.status("correlator")["rules"]["count"] == 2, "it went with the certificate")
        expect(process.kill(signal.SIGTERM) == 0, "did not end in order")


def garbage_hurts_nobody():
    with World() as w:
        w.make_ca()
        port = find_port()
        process = start(w, config(w, port))
        open_ones = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", os.urandom(4096), b""):
            with socket.create_connection(("127.0.0.1", port)) as s:
                s.sendall(garbage)
        process.wait_line("no secure connection")
        expect(w.status("correlator")["state"] == "ok", "it minds")
        for s in open_ones:
            s.close()
        expect(process.kill(signal.SIGTERM) == 0, "did not end in order")


def examined_all(w, lines):
    """Every line is in the archive, and the detector stands behind the last of them."""
    status = w.status("correlator")
    return (status and len(list(w.archive_lines(w.path("correlator", "archive")))) == lines
            and w.metric("correlator", "detect_lines_total") > 0 and status["detect"]["lag_bytes"] == 0)


def an_attack_cut_by_kills_is_seen_once():
    """Whether a piece is in the snapshot or comes after it: six log-ins within an hour are one alert."""
    with World() as w:
        w.make_ca()
        os.makedirs(w.path("logs"))
        w.write("rules/slow.yml", SLOW)
        text = install.correlator_config(w, library=w.path("rules"), extra="detect: {warm_up: 0s, snapshot: 1s}")
        process = install.run_correlator(w, text)
        install.agent(w, install.file_source(w.path("logs", "*.log")), uplink="  retry_first: 50ms\n  retry_max: 200ms")
        for piece in range(5):
            with open(w.path("logs", "a.log"), "a", encoding="utf-8") as log:
                log.write("".join(rogue.sshd_line(f"user{piece}{i}") for i in range(2)))
            wait_until(f"piece {piece} to be examined", lambda n=2 * piece + 2: examined_all(w, n))
            if piece == 1:
                wait_until("a snapshot", lambda: w.metric("correlator", "snapshots_total") > 0)
            process.kill()
            process = install.run_correlator(w, text)
        wait_until("the last look", lambda: w.status("correlator")["detect"]["lag_bytes"] == 0)
        expect(process.kill(signal.SIGTERM) == 0, "did not end in order")
        found = w.journal_text(w.path("correlator", "alerts")).count(b'"title":"Slow Guessing"')
        expect(found == 1, f"{found} alerts, not 1")


main(wrong_starts_have_their_exit_codes, status_has_its_members, reload_takes_all_or_nothing, garbage_hurts_nobody,
     an_attack_cut_by_kills_is_seen_once)
