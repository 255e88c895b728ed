# SPDX-License-Identifier: Apache-2.0
"""What is read while the programs run: rules, databases and certificates that are replaced, files that vanish,
lines that are too long, no text, or from another day; a correlator that goes away."""
import datetime
import os
import shutil
import signal

import install
import rogue
from faults_peers import QUICK, append, archive, counted, expect, is_connected, serves, start_pair
from world import SOURCE, World, program, wait_until

RULES = [rogue.RULE.format(title=f"Marker {n}", id=f"{n}1111111-1111-4111-8111-111111111111", prefix=f"mark{n}")
         for n in (1, 2)]
BURST = """
title: Burst
id: 91111111-1111-4111-8111-111111111111
name: burst_base
status: test
logsource: {product: linux, service: sshd}
detection:
    selection: {user.name: burst}
    condition: selection
level: low
---
title: Burst of them
id: 92222222-1111-4111-8111-111111111111
status: test
correlation:
    type: event_count
    rules: [burst_base]
    group-by: [source.ip]
    timespan: 5m
    condition: {gte: 5}
level: high
"""


def alerts(world):
    return world.journal_text(world.path("correlator", "alerts"))


def fires(world, user):
    """A log-in of this user gives an alert."""
    append(world, rogue.sshd_line(user))
    wait_until(f"an alert for {user}", lambda: user.encode() in alerts(world))


def hang_up(process, words):
    """SIGHUP; returns the line with the words that follows."""
    seen = len(process.lines)
    process.popen.send_signal(signal.SIGHUP)
    return process.wait_line(words, start=seen)


def start_with_rules(world, extra=""):
    world.write("rules/one.yml", RULES[0])
    return start_pair(world, library=world.path("rules"), extra="suppress: {window: 0s}\n" + extra)


def test_wrong_files_on_reload():
    """A rule, decoder or inventory that is wrong changes nothing; what was in force still fires."""
    with World() as world:
        shutil.copytree(f"{SOURCE}/rules/decoders", world.path("decoders"))
        inventory = world.write("inventory.csv", "id,name,agency,level,hosts\nweb,Web,UBND,3,web1\n")
        world.write("rules/one.yml", RULES[0])
        world.make_ca()
        config = install.correlator_config(world, library=world.path("rules"),
                                           extra=f"suppress: {{window: 0s}}\nenrich: {{inventory: {inventory}}}\n")
        correlator = install.run_correlator(world, config.replace(f"{SOURCE}/rules/decoders", world.path("decoders")))
        os.makedirs(world.path("logs"))
        install.agent(world, install.file_source(world.path("logs", "*.log")))
        wait_until("the agent to be connected", lambda: is_connected(world, "agent"))
        fires(world, "mark1-before")
        failed = 0
        for name, text in (("rules/bad.yml", "title: [broken\n"), ("decoders/bad.yml", "decoder: 5\nmatch: [\n"),
                           ("inventory.csv", "id,name,agency,level,hosts\nweb,Web,UBND,nine,web1\n")):
            good = open(world.path(name), encoding="utf-8").read() if os.path.exists(world.path(name)) else None
            world.write(name, text)
            seen = len(correlator.lines)
            hang_up(correlator, "nothing was changed")
            line = correlator.wait_line("ERROR load", start=seen)
            expect(f'file="{world.path(name)}"' in line and "line=" in line, f"unclear: {line}")
            failed += 1
            expect(world.metric("correlator", "reloads_failed_total") == failed, "not counted")
            fires(world, f"mark1-during{failed}")
            if good is None:
                os.remove(world.path(name))
            else:
                world.write(name, good)
        world.write("rules/two.yml", RULES[1])
        hang_up(correlator, "what is new is in force")
        fires(world, "mark2-after")
        expect(alerts(world).count(b'"system":{"id":"web"') >= 5, "the inventory was not kept")


def mmdb(country):
    """The smallest MaxMind DB: one record for every IPv4 address."""
    def text(value):
        return bytes([0x40 | len(value)]) + value.encode()

    def pairs(items):
        return bytes([0xE0 | len(items)]) + b"".join(text(k) + v for k, v in items)

    def number(kind, size, value):
        return (bytes([kind << 5 | size]) if kind < 8 else bytes([size, kind - 7])) + value.to_bytes(size, "big")

    record = (1 + 16).to_bytes(3, "big")
    data = pairs([("country", pairs([("iso_code", text(country))]))])
    meta = pairs([("binary_format_major_version", number(5, 2, 2)), ("binary_format_minor_version", number(5, 2, 0)),
                  ("build_epoch", number(9, 8, 1)), ("database_type", text("Test-Country")),
                  ("description", pairs([])), ("ip_version", number(5, 2, 4)),
                  ("languages", b"\x00\x04"), ("node_count", number(6, 4, 1)), ("record_size", number(5, 2, 24))])
    return record + record + b"\0" * 16 + data + b"\xab\xcd\xefMaxMind.com" + meta


def test_broken_database():
    """A GeoIP database that is replaced by a broken one: said once, the old one answers on."""
    with World() as world:
        path = world.path("city.mmdb")

        def replace(data):
            with open(path + ".new", "wb") as file:
                file.write(data)
            os.rename(path + ".new", path)

        replace(mmdb("VN"))
        correlator = start_with_rules(world, f"enrich: {{city: {path}, check_every: 1s}}\n")
        fires(world, "mark1-good")
        expect(b'"country_iso":"VN"' in alerts(world), "the test's database is not used")
        for broken in (b"no database at all", mmdb("LA")[:-20], b""):
            seen = len(correlator.lines)
            replace(broken)
            line = correlator.wait_line(path, start=seen)
            expect("ERROR" in line or "WARN" in line, f"unclear: {line}")
            before = alerts(world).count(b'"country_iso":"VN"')
            fires(world, f"mark1-broken{len(broken)}")
            expect(alerts(world).count(b'"country_iso":"VN"') > before, "the old database was let go")
        expect(world.metric("correlator", "reloads_failed_total") >= 3, "not counted")
        replace(mmdb("LA"))
        correlator.wait_line("what is new is in force", start=seen)
        fires(world, "mark1-new")
        expect(b'"country_iso":"LA"' in alerts(world), "the new database is not used")


def serial_of(world):
    with rogue.RogueAgent(world, "agent1") as peer:
        return peer.socket.getpeercert()["serialNumber"]


def test_new_certificates_on_reload():
    """Of both sides; the connection that is open stays open. Broken ones change nothing."""
    with World() as world:
        correlator = start_pair(world)
        connections, old = world.metric("agent", "connects_total"), serial_of(world)
        ca = world.path("ca")
        issued = os.path.join(ca, "issued", "correlator.crt")
        good = open(issued, encoding="utf-8").read()
        world.write("ca/issued/correlator.crt", "broken")
        seen = len(correlator.lines)
        hang_up(correlator, "nothing was changed")
        expect(any(issued in line for line in correlator.lines[seen:]), "which certificate?")
        expect(serial_of(world) == old, "the old certificate was let go")
        world.write("ca/issued/correlator.crt", good)
        for name in ("correlator", "agent1"):
            world.haidang("ca", "revoke", name, "--dir", ca)  # else it would not be issued again
        for name, options in (("correlator", ("--server", "--host", "127.0.0.1")), ("agent1", ())):
            world.haidang("ca", "issue", name, "--dir", ca, "--out", world.path("new"), *options)
            for kind in ("crt", "key"):
                os.replace(world.path("new", f"{name}.{kind}"), os.path.join(ca, "issued", f"{name}.{kind}"))
        hang_up(correlator, "what is new is in force")
        expect(serial_of(world) != old, "the new certificate is not used")
        hang_up(world.agent, "certificates reloaded")
        serves(world)
        expect(world.metric("agent", "connects_total") == connections, "the open connection was dropped")
        world.write("ca/issued/agent1.key", "broken", 0o600)
        line = hang_up(world.agent, "certificates were not reloaded")
        expect("agent1.key" in line, f"unclear: {line}")
        serves(world)


def test_files_that_vanish():
    with World() as world:
        start_pair(world)
        append(world, "first\n", "logs/gone.log")
        append(world, "other\n")
        wait_until("both", lambda: b"first" in archive(world) and b"other" in archive(world))
        append(world, "last words\n", "logs/gone.log")
        os.remove(world.path("logs", "gone.log"))
        wait_until("what was written before", lambda: b"last words" in archive(world))
        serves(world)
        append(world, "risen\n", "logs/gone.log")
        wait_until("the new file", lambda: b"risen" in archive(world))
        # no file any more, but something that cannot be read as one
        os.remove(world.path("logs", "gone.log"))
        os.symlink("gone.log", world.path("logs", "gone.log"))
        os.mkdir(world.path("logs", "dir.log"))
        os.mkfifo(world.path("logs", "pipe.log"))
        serves(world)
        os.remove(world.path("logs", "gone.log"))
        append(world, "risen again\n", "logs/gone.log")
        wait_until("the file after the link", lambda: b"risen again" in archive(world))
        # the whole directory
        os.rename(world.path("logs"), world.path("logs.away"))
        os.mkdir(world.path("logs"))
        append(world, "in a new directory\n")
        wait_until("the new directory", lambda: b"in a new directory" in archive(world))


def test_unreadable_file():
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        return
    with World() as world:
        world.make_ca()
        install.correlator(world, rules=False)
        os.makedirs(world.path("logs"))
        append(world, "secret\n", "logs/closed.log")
        append(world, "open\n")
        os.chmod(world.path("logs", "closed.log"), 0)
        config = install.agent_config(world, install.file_source(world.path("logs", "*.log")), uplink=QUICK)
        argv = [program("haidang-agent"), "--config", world.write("agent1.yml", config)]
        if os.geteuid() == 0:
            for directory, _, files in os.walk(world.dir):
                for name in ("", *files):
                    if "logs" not in directory and "correlator" not in directory:
                        os.chown(os.path.join(directory, name), 65534, 65534)
            argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *argv]
        agent = world.start("agent1", argv)
        line = agent.wait_line("cannot read a file")
        expect("closed.log" in line and "permission denied" in line, f"unclear: {line}")
        counted(world, "files_skipped_total", name="agent")
        wait_until("the others", lambda: b" open\n" in archive(world))
        os.chmod(world.path("logs", "closed.log"), 0o644)
        wait_until("the file once it may be read", lambda: b"secret" in archive(world))


def test_copytruncate():
    with World() as world:
        start_pair(world)
        append(world, "".join(f"before {n}\n" for n in range(1000)))
        wait_until("the first lines", lambda: b"before 999\n" in archive(world))
        os.truncate(world.path("logs", "a.log"), 0)
        append(world, "after the cut\n")
        wait_until("the line after the cut", lambda: b"after the cut\n" in archive(world))
        counted(world, "files_truncated_total", name="agent")
        world.agent.wait_line("a file was truncated")
        expect(archive(world).count(b"before 500\n") == 1, "lines came twice")


def test_long_and_binary_lines():
    """Kept as they came; a line of 1 MiB is cut at line_max and marked."""
    with World() as world:
        start_pair(world)
        odd = (b"nul [\0\0] here", b"latin \xe9\xff\xfe, overlong \xc0\xaf, surrogate \xed\xa0\x80", b"\x1b[31mred\x7f",
               bytes(range(1, 10)) + bytes(range(11, 256)))
        append(world, b"A" * (1 << 20) + b"\n" + b"".join(line + b"\n" for line in odd) + b"plain\n")
        wait_until("the last of them", lambda: b"plain\n" in archive(world))
        text = archive(world)
        for line in odd:
            expect(b" " + line + b"\n" in text, f"changed: {line!r}")
        cut = [line for line in text.split(b"\n") if line.endswith(b"A" * 100)]
        expect(len(cut) == 1 and cut[0].count(b"A") == 65536, "not cut at line_max")
        expect(cut[0].split(b" ")[1] != text[:text.index(b" plain\n")].rsplit(b"\n", 1)[1].split(b" ")[1], "not marked")
        expect(world.metric("agent", "truncated_total") == 1, "not counted")
        expect(world.metric("agent", "skipped_bytes_total") == (1 << 20) - 65536, "the rest is not counted")
        serves(world)


def test_lines_of_other_days():
    """A clock that is a day ahead or behind neither stops detection nor hides the attacks of others."""
    with World() as world:
        world.write("rules/burst.yml", BURST)
        start_with_rules(world)
        now = datetime.datetime.now(datetime.timezone.utc)
        for days in (1, -1, 365, -365):
            append(world, rogue.sshd_line(f"mark1-day{days}", now + datetime.timedelta(days=days)))
        for days in (1, -1, 365, -365):
            wait_until(f"the alert of day {days}", lambda d=days: f'"mark1-day{d}"'.encode() in alerts(world))
        append(world, rogue.sshd_line("burst", now) * 6)
        wait_until("the burst of today", lambda: b'"Burst of them"' in alerts(world))


def test_fail_over():
    """The second correlator takes over when the first dies, and the first gets its agents back."""
    with World() as world:
        first = start_pair_of_correlators(world)
        addresses = [f"127.0.0.1:{world.ports[name]}" for name in ("correlator", "second")]
        agent = install.agent(world, install.file_source(world.path("logs", "*.log")), correlators=addresses,
                              uplink=QUICK + "\n  fail_back: 200ms")
        wait_until("the agent to be connected", lambda: is_connected(world, "agent"))
        serves(world)
        first.kill()
        append(world, "to the second\n")
        wait_until("the second to take over", lambda: b"to the second\n" in archive(world, "second"))
        # refused or reset: a program that was killed lets go of its sockets one after the other
        line = agent.wait_line("no connection to a correlator")
        expect(f'correlator="{addresses[0]}"' in line and addresses[0] in line.split('why="')[1], f"unclear: {line}")
        expect(world.status("agent")["uplink"]["correlator"] == addresses[1], "the status names the wrong one")
        install.correlator(world, rules=False)
        agent.wait_line("a preferred correlator can be reached again")
        wait_until("the first to have its agent back", lambda: is_with(world, addresses[0]))
        serves(world)
        append(world, "".join(f"line {n}\n" for n in range(100)))
        wait_until("the rest", lambda: b"line 99\n" in archive(world))
        both = archive(world) + archive(world, "second")
        expect(all(both.count(f" line {n}\n".encode()) == 1 for n in range(100)), "lines are lost or double")
        for name in ("correlator", "second"):  # what the other one has is not missing
            missing = world.metrics(name)["haidang_correlator_missing_records_total"]
            expect(missing == 0, f"{name} misses what the other one has")
        expect(world.metric("correlator", "elsewhere_records_total") > 0, "the first says nothing of the second")


def is_with(world, address):
    uplink = world.status("agent")["uplink"]
    return uplink["state"] == "connected" and uplink["correlator"] == address


def start_pair_of_correlators(world):
    world.make_ca()
    os.makedirs(world.path("logs"))
    install.correlator(world, rules=False, name="second")
    return install.correlator(world, rules=False)


TESTS = (test_wrong_files_on_reload, test_broken_database, test_new_certificates_on_reload, test_files_that_vanish,
         test_unreadable_file, test_copytruncate, test_long_and_binary_lines, test_lines_of_other_days, test_fail_over)
