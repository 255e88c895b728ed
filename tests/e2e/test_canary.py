# SPDX-License-Identifier: Apache-2.0
"""Canaries through the real programs: every rule that we ship, by every way in, to the archive, to an alert that
is marked as a test, and to a receipt that says it was withheld; the destination gets none. What is forged is a line
as any other, what is copied proves nothing, and no real alert is held back because of a test."""
import datetime
import json
import os
import shutil
import signal
import socket

import install
from chain import Chain
from world import SOURCE, Failure, World, find_port, main, program, wait_until

# an ssh login by a name that is nobody's raises it, whoever tries
RULE_TEXT = """title: Canary Rule
id: 61111111-1111-4111-8111-111111111111
status: test
logsource: {product: linux, service: sshd}
detection:
  selection: {event.action: ssh-login, event.outcome: failure, user.name: nobody-at-all}
  condition: selection
level: high
haidang:
  delivery: national
  examples:
    match:
      - 'Nov 21 07:50:37 web1 sshd[812]: Failed password for nobody-at-all from 203.0.113.77 port 5022 ssh2'
---
title: Canary Feed
id: 61111111-1111-4111-8111-111111111112
name: canary_feed
status: test
logsource: {product: linux, service: sshd}
detection:
  selection: {event.action: ssh-login, event.outcome: failure, user.name|startswith: thrice}
  condition: selection
level: low
---
title: Canary Three
id: 61111111-1111-4111-8111-111111111113
status: test
correlation:
  type: event_count
  rules: [canary_feed]
  group-by: [source.ip]
  timespan: 10m
  condition: {gte: 3}
level: high
haidang:
  examples:
    match:
      - lines: ['Nov 21 07:50:37 web1 sshd[812]: Failed password for thrice from 203.0.113.99 port 5022 ssh2']
        repeat: 3
"""
THREE = "61111111-1111-4111-8111-111111111113"
RULE = "61111111-1111-4111-8111-111111111111"
FORGED = "3d5c1c8e-6b0f-4f0e-9d5b-0a7c5d2e8f41"
CLASSES = ["udp", "tcp", "tls", "file"]


def expect(ok, text):
    if not ok:
        raise Failure(text)


def make_key(world, name):
    """As anybody could, without our programs."""
    path = world.path(name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    world.run("openssl", "genpkey", "-algorithm", "ed25519", "-out", path)
    os.chmod(path, 0o600)
    world.run("openssl", "pkey", "-in", path, "-pubout", "-out", path + ".pub")
    return path


class CanaryChain(Chain):
    """Every kind of listener and a file; the shipped rules and one of our own; a destination that takes all."""

    def configure(self):
        super().configure()
        world, ports = self.world, self.world.ports
        self.key, self.foreign = make_key(world, "keys/a"), make_key(world, "other/b")
        ports["udp"] = find_port(socket.SOCK_DGRAM)
        ports["tcp"], ports["tls"] = find_port(), find_port()
        world.write("rules/one.yml", RULE_TEXT)
        world.write("agent.yml", install.agent_config(
            world, "".join([install.file_source(world.path("logs", "app.log")),
                            install.syslog_source(world, "syslog-udp", ports["udp"]),
                            install.syslog_source(world, "syslog-tcp", ports["tcp"]),
                            install.syslog_source(world, "syslog-tls", ports["tls"])]),
            extra="batch_time: 20ms\nspool_reserve: 0\n"))
        with open(world.path("correlator.yml"), encoding="utf-8") as file:
            text = file.read()
        text = text.replace(f"library: {world.path('rules')}", f"library: {SOURCE}/rules/library\n  local: {world.path('rules')}")
        text = text.replace("suppress: {window: 0s}", "suppress: {window: 1h}")
        world.write("correlator.yml", text + f"canary: {{keys: {world.path('keys')}, overdue: 1s}}\n")
        with open(world.path("forwarder.yml"), encoding="utf-8") as file:
            text = file.read()
        world.write("forwarder.yml", text.replace("    auth: none\n", "    auth: none\n    scope: province\n    min_severity: 1\n"))

    def canary(self, *args, key=None, check=True):
        world = self.world
        done = world.haidang(
            "canary", world.path("rules"), f"{SOURCE}/rules/library", "--decoders", f"{SOURCE}/rules/decoders",
            "--key", key or self.key, "--run-dir", world.run_dir, "--archive", world.path("correlator", "archive"),
            "--alerts", world.path("correlator", "alerts"), "--receipts", world.path("forwarder", "receipts"),
            *args, check=False)
        expect(done.returncode == (0 if check else 1), f"canary ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr}")
        return done.stdout

    def way(self, name):
        return [f"--{name}", self.world.path("logs", "app.log") if name == "file" else f"127.0.0.1:{self.world.ports[name]}"]

    def ways(self):
        return sum((self.way(name) for name in CLASSES), ["--ca", self.world.path("ca", "ca.crt")])

    def alerts(self):
        return self.json_lines(self.world.journal_text(self.world.path("correlator", "alerts")))

    def real(self):
        return [a for a in self.alerts() if a["status"] == "new"]

    def receipts(self):
        return self.json_lines(self.world.journal_text(self.world.path("forwarder", "receipts")))

    def send(self, line):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(line, ("127.0.0.1", self.world.ports["udp"]))

    def delivered(self):
        """Ids of the rules whose alerts the destination has, by their receipts."""
        sent = {r["alert"] for r in self.receipts() if r["outcome"] == "delivered"}
        return sorted(a["rule"]["id"] for a in self.alerts() if a["id"] in sent)

    def count(self, name):
        return self.world.metric("correlator", name)


def check_shots(chain, shots):
    """What the command says is what lies in the journals; nothing came to the destination."""
    alerts = {a["canary"]["id"]: a for a in chain.alerts()}
    withheld = {r["alert"]: r for r in chain.receipts()}
    expect(set(alerts) == {s["id"] for s in shots}, f"{len(alerts)} alerts of {len(shots)} canaries")
    for shot in shots:
        alert = alerts[shot["id"]]
        receipt = withheld[alert["id"]]
        expect(shot["arrived"] and shot["alert"] == alert["id"], str(shot))
        expect(alert["status"] == "test" and alert["rule"]["id"] == shot["rule"]["id"], str(alert))
        expect(alert["canary"]["class"] == shot["class"] and alert["suppressed"] == 0, str(alert))
        expect(receipt["outcome"] == "withheld" and receipt["reason"].startswith("test"), str(receipt))
        expect(receipt["attempt"] == 0 and len(receipt["request_sha256"]) == 64, str(receipt))
    with open(chain.world.path("centre.jsonl"), "rb") as file:
        expect(file.read() == b"", "a test came to the destination")


def every_rule_by_every_way():
    with World() as w:
        chain = CanaryChain(w, {"detect": ", threads: 2"})
        chain.start_all()
        shots = [json.loads(line) for line in chain.canary("--all", "--json", *chain.ways()).splitlines()]
        rules = {s["rule"]["id"] for s in shots}
        expect(len(rules) > 80, f"only {len(rules)} rules were tried")
        expect(len(shots) == len(CLASSES) * len(rules), f"{len(shots)} canaries")
        check_shots(chain, shots)
        status = w.status("correlator")["canaries"]
        expect(status["rules_proven"] == len(rules) and sorted(status["last"]) == sorted(CLASSES), str(status))
        expect(chain.count("canary_forged_total") == chain.count("canary_stale_total") == 0, "some were not believed")
        slowest = max(s["withheld_ms"] for s in shots)
        print(f"{len(shots)} canaries of {len(rules)} rules by {len(CLASSES)} ways, {sum(s['lines'] for s in shots)} lines; "
              f"the slowest was withheld after {slowest} ms")
        shown = w.haidang("status", "--rules", "--run-dir", w.run_dir, "--json", "--top", "1000", check=False).stdout
        proven = {rule["id"]: rule["proven"] for rule in json.loads(shown) if "proven" in rule}
        expect(set(proven) == rules, "other rules are proven")
        chain.end("correlator")
        chain.start("correlator")
        chain.wait_up("correlator")
        expect(w.status("correlator")["canaries"]["rules_proven"] == len(rules), "forgotten by a restart")
        wait_until("canaries to be overdue", lambda: any("canary of class udp last seen at" in problem
                                                         for problem in w.status("correlator")["problems"]))


def what_is_no_canary():
    with World() as w:
        chain = CanaryChain(w)
        chain.start_all()
        chain.canary("--rule", RULE, *chain.way("udp"))
        line = next(bytes(x) for x in w.archive_lines(w.path("correlator", "archive")) if b"haidang-canary" in x)
        line = line[line.index(b"<110>"):]
        expect(not chain.real(), str(chain.real()))
        # copied: it proves nothing, raises nothing, and is no line of sshd either
        chain.send(line)
        wait_until("the copy to be seen", lambda: chain.count("canary_repeated_total") == 1)
        # forged: what is inside is not looked into; the line itself is worth an alert, a real one
        chain.send(line.replace(b"203.0.113.77", b"203.0.113.78"))
        wait_until("the forged line to be delivered", lambda: chain.delivered() == [FORGED])
        expect(chain.count("canary_forged_total") == 1, "not counted")
        # a canary that nobody trusts fails, and says at what
        text = chain.canary("--rule", RULE, *chain.way("tcp"), "--timeout", "2s", key=chain.foreign, check=False)
        expect("FAILED" in text and "it raised no alert" in text, text)
        # what really happens is told, though the same was tried a moment ago; and the other way round
        now = datetime.datetime.now(datetime.timezone.utc).isoformat()
        chain.send(f"<38>1 {now} web1 sshd 812 - - Failed password for nobody-at-all from 203.0.113.77 port 5022 ssh2".encode())
        wait_until("the real alert to be delivered", lambda: RULE in chain.delivered())
        real = [a for a in chain.real() if a["rule"]["id"] == RULE]
        expect(len(real) == 1 and real[0]["suppressed"] == 0 and "canary" not in real[0], str(real))
        text = chain.canary("--rule", RULE, *chain.way("udp"), "--lang", "vi")
        expect("đã đến" in text and "1 lượt thử, 0 hỏng" in text, text)
        tail = ["tail", "--dir", w.path("correlator", "alerts"), "--all", "--no-follow", "--lang", "vi"]
        shown, real = w.haidang(*tail).stdout, w.haidang(*tail, "--no-tests").stdout
        expect(shown.count("[THỬ NGHIỆM]") == 2, shown)
        expect("Dòng thử nghiệm giả mạo" in real and "[THỬ NGHIỆM]" not in real, real)
        alerts = w.status("correlator")["alerts"]
        expect((alerts["published"], alerts["tests"]) == (2, 2), str(alerts))
        # trusted from a reload on
        shutil.copy(chain.foreign + ".pub", w.path("keys", "b.pub"))
        chain.processes["correlator"].popen.send_signal(signal.SIGHUP)
        wait_until("the reload", lambda: chain.count("reloads_total") == 1)
        chain.canary("--rule", RULE, *chain.way("tcp"), key=chain.foreign)


def what_counts_is_not_counted_twice():
    """A correlation that is two thirds full stays so while it is tried, and fires with what is real alone."""
    with World() as w:
        chain = CanaryChain(w)
        chain.start_all()

        def fail(n):
            now = datetime.datetime.now(datetime.timezone.utc).isoformat()
            chain.send(f"<38>1 {now} web1 sshd {n} - - Failed password for thrice from 203.0.113.99 port 5022 ssh2".encode())
            wait_until("the line to be examined", lambda: w.status("correlator")["detect"]["events"] == n)

        fail(1)
        fail(2)
        for name in CLASSES[:2]:
            shot = json.loads(chain.canary("--rule", THREE, "--json", *chain.way(name)))
            expect(shot["lines"] == 3, str(shot))
        expect(not chain.real(), str(chain.real()))
        fail(3)
        wait_until("the real alert", chain.real)
        alert = chain.real()[0]
        lines = [line["line"] for line in alert["evidence"]]
        expect(alert["rule"]["id"] == THREE and alert["count"] == 3 and len(lines) == 3, str(alert))
        expect(not any("canary" in line for line in lines), str(lines))


def what_is_examined_again():
    """A crash right behind a canary: it is the same one to whoever examines it again, published once."""
    with World() as w:
        chain = CanaryChain(w)
        chain.start_all()
        chain.canary("--rule", RULE, "--rule", THREE, *chain.way("tcp"))
        alerts = chain.alerts()
        expect(len(alerts) == 2, str(alerts))
        for alert in alerts:  # its evidence is the line as it lies in the archive
            expect("haidang-canary" in alert["evidence"][0]["line"], str(alert))
            shown = w.haidang("prove", alert["id"], "--archive", w.path("correlator", "archive"), "--alerts",
                              w.path("correlator", "alerts"), "--receipts", w.path("forwarder", "receipts"), "--lang", "en").stdout
            expect("1/1 of its lines are here" in shown and "a test, withheld" in shown, shown)
        chain.kill("correlator")
        chain.start("correlator")
        chain.wait_up("correlator")
        chain.canary("--rule", RULE, *chain.way("tcp"))  # what came before it was examined before it
        expect(chain.alerts()[:2] == alerts and len(chain.alerts()) == 3, f"{len(chain.alerts())} alerts")
        expect(chain.count("canary_repeated_total") == chain.count("canary_forged_total") == 0, "not known again")
        expect(w.status("correlator")["canaries"]["rules_proven"] == 2, str(w.status("correlator")["canaries"]))


def by_the_standard_input_of_an_agent():
    """A second writer beside the one that the agent has been given; nobody's lines are cut, and the agent reads on."""
    with World() as w:
        chain = CanaryChain(w)
        for name in ("correlator", "forwarder"):
            chain.start(name)
            chain.wait_up(name)
        with open(w.path("agent.yml"), encoding="utf-8") as file:
            text = file.read()
        w.write("agent.yml", text.replace("sources:\n", "sources:\n  - {kind: stdin, format: syslog}\n", 1))
        pipe = w.path("pipe")
        os.mkfifo(pipe)
        done = w.haidang("canary", w.path("rules"), "--key", chain.key, "--stdin", pipe, "--rule", RULE, "--run-dir", w.run_dir,
                         "--archive", w.path("correlator", "archive"), "--alerts", w.path("correlator", "alerts"),
                         "--receipts", w.path("forwarder", "receipts"), "--decoders", f"{SOURCE}/rules/decoders", check=False)
        expect(done.returncode == 1 and "nobody reads it" in done.stdout + done.stderr, done.stdout + done.stderr)
        keeper = os.open(pipe, os.O_RDWR)
        chain.processes["agent"] = w.start("agent", [program("haidang-agent"), "--config", w.path("agent.yml")], stdin=keeper)
        chain.wait_up("agent")
        shots = [json.loads(line) for line in chain.canary("--json", "--rule", RULE, "--rule", THREE, "--stdin", pipe).splitlines()]
        expect([s["class"] for s in shots] == ["stdin", "stdin"], str(shots))
        check_shots(chain, shots)
        expect("stdin" in w.status("correlator")["canaries"]["last"], str(w.status("correlator")["canaries"]))
        now = datetime.datetime.now(datetime.timezone.utc).isoformat()
        os.write(keeper, f"<38>1 {now} web1 sshd 812 - - Failed password for nobody-at-all from 203.0.113.77 port 5022 ssh2\n".encode())
        wait_until("a real line after it", chain.real)
        os.close(keeper)


def the_one_proven_longest_ago():
    """Without --rule or --all it is one that was never proven, another one each time; without a way in those are
    taken that the agent here listens to, and what is not covered is said."""
    with World() as w:
        chain = CanaryChain(w)
        chain.start_all()
        shots = [json.loads(line) for line in chain.canary("--json", "--rule", RULE).splitlines()]
        expect([s["class"] for s in shots] == ["udp", "tcp"], str(shots))
        tried = [json.loads(chain.canary("--json", *chain.way("file")))["rule"]["id"] for _ in range(3)]
        expect(len(set(tried)) == 3, str(tried))


if __name__ == "__main__":
    main(every_rule_by_every_way, what_is_no_canary, what_counts_is_not_counted_twice,
         what_is_examined_again, by_the_standard_input_of_an_agent, the_one_proven_longest_ago)
