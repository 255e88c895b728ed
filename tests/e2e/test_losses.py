# SPDX-License-Identifier: Apache-2.0
"""Each loss is in the ledger with its exact count, once, whatever is restarted: datagrams that a small socket
buffer dropped, packets that a capture ring dropped, lines that a full spool refused, a line that was cut, records that
vanished from the spool, hits that came too late, groups that were forgotten, alerts that a destination never takes."""
import datetime
import json
import os
import signal
import socket

import install
import rogue
from faults_start import forwarder_config
from world import Failure, NotRun, World, find_port, main, program, wait_until

PATIENCE = 60


def expect(ok, text):
    if not ok:
        raise Failure(text)


def ledger(w, kind, *args):
    done = w.haidang("losses", "--dir", w.path("correlator", "losses"), "--json", "--since", "1h", "--kind", kind, *args,
                     check=False)
    expect(done.returncode in (0, 1), done.stdout + done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def total(w, kind):
    return sum(record["count"] for record in ledger(w, kind))


def burst(port, n, size=200):
    """Sends n numbered datagrams as fast as can be."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for i in range(n):
            out.sendto(f"<13>burst {i:07d} ".encode().ljust(size, b"x"), ("127.0.0.1", port))


def sent_lines(w, word):
    return sum(word in line for line in w.archive_lines(w.path("correlator", "archive")))


def restart_all_and_compare(w, agent, correlator, sources, extra, kind, want):
    """Everything is stopped and started: the count stays, and nothing is told twice."""
    expect(agent.kill(signal.SIGTERM) == 0, "the agent did not end in order")
    expect(correlator.kill() != 0, "the correlator ended in order when it was killed")
    install.correlator(w, rules=False)
    install.agent(w, sources, extra=extra)
    wait_until("the agent is back", lambda: (w.status("agent") or {}).get("uplink", {}).get("state") == "connected")
    expect(total(w, kind) == want, f"{kind}: {total(w, kind)} after the restart, {want} before")


def datagrams_that_the_kernel_dropped():
    n = 20000
    with World() as w:
        w.make_ca()
        port = find_port(socket.SOCK_DGRAM)
        sources = install.syslog_source(w, "syslog-udp", port, "    receive_buffer: 64KiB\n")
        correlator = install.correlator(w, rules=False)
        agent = install.agent(w, sources)
        wait_until("agent up", lambda: w.status("agent"))
        agent.popen.send_signal(signal.SIGSTOP)  # so that the burst meets a full buffer
        burst(port, n)
        agent.popen.send_signal(signal.SIGCONT)
        wait_until("all datagrams are accounted for",
                   lambda: sum(w.metric("agent", m) for m in ("lines_total", "kernel_drops_total")) >= n)
        dropped = w.metric("agent", "kernel_drops_total")
        expect(0 < dropped < n, f"{dropped} dropped")
        wait_until("the loss is in the ledger", lambda: total(w, "udp-kernel-drops") == dropped, PATIENCE)
        wait_until("the lines are in the archive", lambda: sent_lines(w, b"burst") + dropped == n, PATIENCE)
        record = ledger(w, "udp-kernel-drops", "--agent", "agent1")[0]
        expect(record["source"].startswith("syslog-udp ") and record["unit"] == "datagrams", str(record))
        expect(w.status("correlator")["losses"] == {"udp-kernel-drops": dropped}, str(w.status("correlator")["losses"]))
        shown = w.haidang("status", "--run-dir", w.run_dir, "--lang", "vi", check=False).stdout
        expect(f"mất trong 24 giờ qua: udp-kernel-drops {dropped} gói UDP" in shown, shown)
        restart_all_and_compare(w, agent, correlator, sources, "", "udp-kernel-drops", dropped)


def report_beside_the_programs(w):
    """There is no forwarder: that is named as what is not known."""
    done = w.haidang("report", "--data", w.path(), "--run-dir", w.run_dir, "--since", "1h", "--json", check=False)
    expect(done.returncode == 0, done.stderr)
    report = json.loads(done.stdout)
    expect(report["losses"]["by_kind"] == {"truncated-lines": 2}, str(report["losses"]))
    expect(report["lines"]["lines"] >= 4, str(report["lines"]))
    expect([p["program"] for p in report["now"]["programs"]] == ["haidang-correlator"], str(report["now"]))
    expect(sum(report["now"]["sources_by_state"].values()) >= 1, str(report["now"]))
    unknown = {(row["what"], os.path.basename(row.get("about", ""))) for row in report["unknown"]}
    expect({("no-answer", "forwarder"), ("no-receipts", "receipts")} <= unknown, str(unknown))


def lines_that_were_cut():
    with World() as w:
        w.make_ca()
        log = w.write("app.log", "short\n" + "x" * 5000 + "\nshort again\n" + "y" * 9000 + "\n")
        sources, extra = install.file_source(log), "line_max: 1KiB\n"
        correlator = install.correlator(w, rules=False)
        agent = install.agent(w, sources, extra=extra)
        wait_until("the loss is in the ledger", lambda: total(w, "truncated-lines") == 2, PATIENCE)
        report_beside_the_programs(w)
        record = ledger(w, "truncated-lines")[0]
        expect(record["source"] == f"file {log}", str(record))
        restart_all_and_compare(w, agent, correlator, sources, extra, "truncated-lines", 2)


def refuses(w):
    return any("the spool takes nothing" in problem for problem in w.status("agent")["problems"])


def incompressible(port, n):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for _ in range(n):
            out.sendto(b"<13>burst " + os.urandom(700).hex().encode(), ("127.0.0.1", port))
    return n


def datagrams_that_a_full_spool_refused():
    with World() as w:
        w.make_ca()
        port = find_port(socket.SOCK_DGRAM)
        sources = install.syslog_source(w, "syslog-udp", port, "    receive_buffer: 256KiB\n")
        extra = "spool_max: 4MiB\nspool_segment: 1MiB\nspool_reserve: 0\nbatch_level: 1\n"
        w.ports["correlator"] = find_port()  # nobody is there yet
        agent = install.agent(w, sources, extra=extra)
        wait_until("agent up", lambda: w.status("agent"))
        n = 0
        while not refuses(w):
            expect(n < 200000, "the spool is never full")
            n += incompressible(port, 500)
        n += incompressible(port, 500)
        expect(agent.kill(signal.SIGTERM) == 0, "the agent did not end in order")
        expect(os.path.exists(w.path("agent1", "losses")), "what was lost was not kept")
        correlator = install.correlator(w, rules=False)
        agent = install.agent(w, sources, extra=extra)
        wait_until("every datagram is in the archive or in the ledger",
                   lambda: sent_lines(w, b"burst") + total(w, "agent-spool-full") + total(w, "udp-kernel-drops") == n,
                   PATIENCE)
        expect(total(w, "agent-spool-full") > 0, "nothing was refused")
        expect(not os.path.exists(w.path("agent1", "losses")), "what was reported is still kept")
        restart_all_and_compare(w, agent, correlator, sources, extra, "agent-spool-full", total(w, "agent-spool-full"))


def records_that_vanished_from_the_spool():
    with World() as w:
        w.make_ca()
        log = w.write("app.log", "first\n")
        sources, extra = install.file_source(log), "spool_segment: 1MiB\nspool_reserve: 0\nbatch_bytes: 512KiB\n"
        correlator = install.correlator(w, rules=False)
        agent = install.agent(w, sources, extra=extra)
        wait_until("the first line is archived", lambda: sent_lines(w, b"first") == 1)
        correlator.kill()
        n = 15000
        with open(log, "a", encoding="utf-8") as file:
            for i in range(n):
                file.write(f"line {i:07d} {os.urandom(350).hex()}\n")
        wait_until("all is spooled", lambda: w.status("agent")["last_spooled"] == n + 1)
        expect(agent.kill(signal.SIGTERM) == 0, "the agent did not end in order")
        spool = w.path("agent1", "spool")
        segments = sorted(name for name in os.listdir(spool) if name.endswith(".zst"))
        expect(len(segments) >= 3, f"only {segments}")
        os.remove(os.path.join(spool, segments[1]))
        correlator = install.correlator(w, rules=False)
        agent = install.agent(w, sources, extra=extra)
        wait_until("the rest is archived",
                   lambda: sent_lines(w, b"line 0") + total(w, "sequence-gap") == n, PATIENCE)
        gap = total(w, "sequence-gap")
        record = ledger(w, "sequence-gap")[0]
        expect(0 < gap < n, f"{gap} missing")
        expect(record["last_seq"] - record["first_seq"] + 1 == gap, str(record))
        expect(record["agent"] == "agent1", str(record))
        restart_all_and_compare(w, agent, correlator, sources, extra, "sequence-gap", gap)


RULES = """
title: Failed Log-in
name: failed
id: 11111111-1111-4111-8111-111111111111
status: test
logsource: {product: linux, service: sshd}
detection:
    selection: {event.outcome: failure}
    condition: selection
level: low
---
title: Many Failed Log-ins
id: 22222222-2222-4222-8222-222222222222
status: test
correlation:
    type: event_count
    rules: [failed]
    group-by: [source.ip]
    timespan: 1h
    condition: {gte: 1000}
level: high
"""


def correlating(w, keys):
    """An agent and a correlator that counts failed log-ins."""
    w.make_ca()
    w.write("rules/one.yml", RULES)
    log = w.write("auth.log", "")
    install.run_correlator(w, install.correlator_config(
        w, library=w.path("rules"), extra="detect: {snapshot: 1s, " + keys + "}\n"))
    install.agent(w, install.file_source(log))
    return log


def say(log, lines):
    with open(log, "a", encoding="utf-8") as file:
        file.writelines(lines)


def packets_that_the_capture_ring_dropped():
    with World() as w:
        w.make_ca()
        port = find_port(socket.SOCK_DGRAM)
        sources = f"  - kind: packet\n    packet: {{interface: lo, filter: udp port {port}, buffer: 512KiB}}\n"
        install.correlator(w, rules=False)
        agent = install.agent(w, sources)
        try:
            wait_until("agent up", lambda: w.status("agent") or not agent.is_running())
        finally:
            if not agent.is_running():
                w.processes.remove(agent)
                raise NotRun("packets cannot be captured here")
        agent.popen.send_signal(signal.SIGSTOP)  # so that the burst meets a full ring
        burst(port, 10000, 1000)
        agent.popen.send_signal(signal.SIGCONT)
        wait_until("packets were dropped", lambda: w.metric("agent", "packets_dropped_total") > 0)
        wait_until("the loss is in the ledger",
                   lambda: 0 < total(w, "pcap-drops") == w.metric("agent", "packets_dropped_total"), PATIENCE)
        record = ledger(w, "pcap-drops")[0]
        expect(record["source"] == "packet lo" and record["unit"] == "packets", str(record))


def hits_that_came_too_late():
    with World() as w:
        log = correlating(w, "lateness: 1s")
        say(log, [rogue.sshd_line("now")])
        wait_until("time has gone on", lambda: w.metric("correlator", "detect_hits_total") == 1)
        hour_ago = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
        say(log, [rogue.sshd_line(f"late{i}", hour_ago) for i in range(7)])
        wait_until("the loss is in the ledger", lambda: total(w, "late-events") == 7, PATIENCE)
        expect({record["agent"] for record in ledger(w, "late-events")} == {"agent1"}, str(ledger(w, "late-events")))


def groups_that_were_forgotten():
    with World() as w:
        log = correlating(w, "memory: 1MiB")
        n = 20000
        say(log, [rogue.sshd_line("x").replace("203.0.113.9", f"20.{i >> 16}.{i >> 8 & 255}.{i & 255}") for i in range(n)])
        wait_until("all was examined", lambda: w.metric("correlator", "detect_hits_total") == n)
        evicted = w.metric("correlator", "correlation_evicted_total")
        expect(0 < evicted < n, f"{evicted} groups were forgotten")
        wait_until("the loss is in the ledger", lambda: total(w, "evicted-groups") == evicted, PATIENCE)


def alerts_that_a_destination_never_takes():
    with World() as w:
        w.make_ca()
        w.write("rules/one.yml", rogue.RULE.format(title="Leaves", id="31111111-1111-4111-8111-111111111111", prefix="mark") +
                "haidang: {delivery: national}\n")
        port, issued = find_port(), w.path("ca", "issued")
        w.start("centre", [program("haidang-centre"), "--listen", f"127.0.0.1:{port}", "--cert", f"{issued}/centre.crt",
                           "--key", f"{issued}/centre.key", "--answers", "400"])
        install.run_correlator(w, install.correlator_config(w, library=w.path("rules")))
        w.start("forwarder", [program("haidang-forwarder"), "--config",
                              w.write("forwarder.yml", forwarder_config(w, url=f"https://127.0.0.1:{port}"))])
        install.agent(w, install.file_source(w.write("auth.log", rogue.sshd_line("mark1"))))
        receipts = w.path("forwarder", "receipts")
        wait_until("the dead letter is shown",
                   lambda: os.path.isdir(receipts) and len(ledger(w, "dead-letter", "--receipts", receipts)) == 1, PATIENCE)
        record = ledger(w, "dead-letter", "--receipts", receipts)[0]
        expect(record["by"] == "forwarder" and record["source"] == "ncsc" and "400" in record["why"], str(record))
        shown = w.haidang("losses", "--dir", w.path("correlator", "losses"), "--receipts", receipts, "--lang", "vi",
                          check=False).stdout
        expect("nơi nhận sẽ không bao giờ tiếp nhận" in shown, shown)


if __name__ == "__main__":
    main(datagrams_that_the_kernel_dropped, packets_that_the_capture_ring_dropped, lines_that_were_cut,
         datagrams_that_a_full_spool_refused, records_that_vanished_from_the_spool, hits_that_came_too_late,
         groups_that_were_forgotten, alerts_that_a_destination_never_takes)
