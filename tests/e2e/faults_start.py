# SPDX-License-Identifier: Apache-2.0
"""What is wrong before a program runs: it says so and ends with the documented code."""
import os
import shutil
import signal
import socket
import subprocess

import install
import rogue
from world import PATIENCE, SOURCE, Failure, World, find_port, program, wait_until

CONFIG, CERT, BIND, STORE = 3, 4, 5, 6
PROFILE = f"{SOURCE}/forwarder/profiles/vn-ncsc-alert-0.1.0.json"


def forwarder_config(world, more="", tls="", url="https://127.0.0.1:1"):
    return f"""
alerts: {world.path("correlator", "alerts")}
state_dir: {world.path("forwarder")}
status: unix:{world.run_dir}/forwarder.sock
accept_unofficial_profile: [vn-ncsc-alert@0.1.0]
destinations:
  - name: ncsc
    url: {url}
    profile: {PROFILE}
    auth: none
    settings:
      - {{name: vendor_id, value: v}}
      - {{name: unit_id, value: u}}
      - {{name: sensor_id, value: 0123456789abcdef01234567}}
    tls:
      ca: {world.path("ca", "ca.crt")}
{tls}
{more}
"""


def configs(world):
    """A good configuration of each program."""
    world.ports.setdefault("correlator", find_port())
    return {"haidang-correlator": install.correlator_config(world),
            "haidang-agent": install.agent_config(world, install.file_source(world.path("*.log"))),
            "haidang-forwarder": forwarder_config(world)}


def changed(config, old, new):
    if old not in config:
        raise Failure(f"the test is wrong: no '{old}' in the configuration")
    return config.replace(old, new)


def refused(world, name, config, code, *words, check=True):
    """Starting it, and with `check` also --check, ends with the code, having said all the words."""
    path = world.write("wrong.yml", config) if config is not None else "/nonexistent.yml"
    for options in (["--check"], []) if check else ([],):
        done = subprocess.run([program(name), "--config", path, *options], capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        said = done.stdout + done.stderr
        missing = [w for w in words if w not in said]
        if done.returncode != code or missing:
            raise Failure(f"{name} {options}: ended with {done.returncode}, not {code}; unsaid: {missing}; it said:\n{said}")
        errors = [line for line in said.splitlines() if "error" in line.lower()]
        if len(errors) != 1:
            raise Failure(f"{name} {options}: not one clear message but {len(errors)}:\n{said}")


def test_wrong_configuration():
    with World() as world:
        world.make_ca()
        for name, config in configs(world).items():
            n = config.count("\n")
            at = f"wrong.yml:{n + 1}:"
            refused(world, name, config + "colour: blue\n", CONFIG, at + "1:", 'unknown key "colour"')
            refused(world, name, config + "log: {level: loud}\n", CONFIG, at, '"loud" is not one of error, warn')
            refused(world, name, config + "state_dir: /tmp\n", CONFIG, at, '"state_dir" is given again (first on line 3)')
            refused(world, name, config + "log: [1\n", CONFIG, "wrong.yml", "not valid YAML")
            refused(world, name, config + "log: \x01\n", CONFIG, at + "6:", "control characters are not allowed")
            refused(world, name, None, CONFIG, "/nonexistent.yml", "not found")
            for arguments in (["--chekc"], ["extra"]):
                done = world.run(program(name), *arguments, check=False)
                if done.returncode != 2 or "--help" not in done.stderr:
                    raise Failure(f"{name} {arguments}: {done.returncode} {done.stderr}")
        agent = configs(world)["haidang-agent"]
        refused(world, "haidang-agent", agent + "line_max: 10GiB\n", CONFIG, "line_max", "256KiB")
        refused(world, "haidang-agent", changed(agent, "kind: file", "kind: flie"), CONFIG, '"flie" is not one of file')
        correlator = configs(world)["haidang-correlator"]
        refused(world, "haidang-correlator", changed(correlator, "listen: 127.0.0.1:", "listen: here-"), CONFIG,
                "listen", "is not host:port")


def test_wrong_certificates():
    with World() as world:
        world.make_ca()
        world.haidang("ca", "issue", "agent2", "--dir", world.path("ca"))
        rogue.issue_dated(world, "old", -30, -1)
        rogue.issue_dated(world, "early", 2, 30)
        junk = world.write("junk.pem", "hello\n", 0o600)
        issued = world.path("ca", "issued")
        for name, own, section in (("haidang-correlator", "correlator", "tls:"), ("haidang-agent", "agent1", "uplink.tls:")):
            config = configs(world)[name]
            cert, key, ca = f"{issued}/{own}.crt", f"{issued}/{own}.key", world.path("ca", "ca.crt")
            for old, new, words in (
                    (cert, "/none.crt", "certificate /none.crt: no such file"),
                    (cert, junk, f"certificate {junk}: holds no PEM certificate"),
                    (key, "/none.key", "key /none.key: no such file"),
                    (key, junk, f"key {junk}: holds no PEM private key"),
                    (key, f"{issued}/agent2.key", f"key {issued}/agent2.key: does not match the certificate"),
                    (ca, junk, f"CA file {junk}: holds no PEM certificate"),
                    (f"{issued}/{own}.", f"{issued}/old.", "has expired on"),
                    (f"{issued}/{own}.", f"{issued}/early.", "is not valid before")):
                refused(world, name, changed(config, old, new), CERT, section, words)
            os.chmod(key, 0o644)
            refused(world, name, config, CERT, section, key, "(chmod 600)")
            os.chmod(key, 0o600)
        refused(world, "haidang-agent", changed(configs(world)["haidang-agent"], f"{issued}/agent1.", f"{issued}/agent2."),
                CERT, "uplink.tls", '"agent2"', '"agent1"')
        refused(world, "haidang-correlator", install.correlator_config(world, cert="agent2"), CERT,
                f"certificate {issued}/agent2.crt", "not for a server")
        rogue.issue_dated(world, "server", -1, 30, usage="server")
        refused(world, "haidang-agent", install.agent_config(world, install.file_source("/x"), "server"), CERT,
                f"certificate {issued}/server.crt", "not for a client")


def test_addresses_in_use():
    with World() as world, socket.socket() as taken:
        world.make_ca()
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        address = f"127.0.0.1:{port}"
        config = configs(world)
        ours = f"127.0.0.1:{world.ports['correlator']}"
        for name, wrong, words in (
                ("haidang-correlator", changed(config["haidang-correlator"], f"listen: {ours}", f"listen: {address}"),
                 (address, "address already in use")),
                ("haidang-correlator", changed(config["haidang-correlator"], f"listen: {ours}", "listen: 192.0.2.1:6515"),
                 ("192.0.2.1:6515", "address not available")),
                ("haidang-agent", config["haidang-agent"] + install.syslog_source(world, "syslog-tcp", port),
                 ("syslog-tcp", address, "address already in use")),
                ("haidang-agent", config["haidang-agent"] + "  - kind: packet\n    packet: {interface: nope0}\n",
                 ("packet", "nope0", "No such device"))):
            refused(world, name, wrong, BIND, *words, check=False)
        for name in config:
            short = name.removeprefix("haidang-")
            wrong = changed(config[name], f"{world.run_dir}/{short}.sock", "/nonexistent/x.sock")
            refused(world, name, wrong, BIND, "/nonexistent/x.sock", "not found", check=False)


def test_unusable_state_directories():
    with World() as world:
        world.make_ca()
        plain = world.write("plain", "a file")
        for name, config in configs(world).items():
            old = f"state_dir: {world.path(name.removeprefix('haidang-') if 'agent' not in name else 'agent1')}"
            refused(world, name, changed(config, old, f"state_dir: {plain}"), STORE, plain, check=False)
        refused(world, "haidang-correlator", changed(configs(world)["haidang-correlator"],
                f"dir: {world.path('correlator', 'archive')}", f"dir: {plain}"), STORE, plain, check=False)
        os.makedirs(world.path("correlator", "archive", "readers", "detect-0"))  # where the detector's cursor belongs
        refused(world, "haidang-correlator", configs(world)["haidang-correlator"], STORE,
                world.path("correlator", "archive"), "no place to keep its cursor", check=False)


def test_second_instance():
    """On the same state: exit 6, and the first one goes on."""
    with World() as world:
        world.make_ca()
        first = install.correlator(world, rules=False)
        agent = install.agent(world, install.file_source(world.path("logs", "*.log")))
        wait_until("agent up", lambda: world.status("agent"))
        config = configs(world)
        other = find_port()
        correlator = changed(config["haidang-correlator"], f":{world.ports['correlator']}", f":{other}")
        refused(world, "haidang-correlator", changed(correlator, "correlator.sock", "second.sock"), STORE,
                world.path("correlator"), "another correlator", check=False)
        refused(world, "haidang-agent", changed(config["haidang-agent"], "agent.sock", "second.sock"), STORE,
                world.path("agent1"), "another", check=False)
        os.makedirs(world.path("logs"), exist_ok=True)
        world.write("logs/a.log", "still here\n")
        wait_until("the first ones to work", lambda: b"still here" in world.journal_text(world.path("correlator", "archive")))
        if not (first.is_running() and agent.is_running()):
            raise Failure("a first instance ended")


def test_wrong_rules_at_start():
    with World() as world:
        world.make_ca()
        good = rogue.RULE.format(title="Marker", id="11111111-1111-4111-8111-111111111111", prefix="mark")
        world.write("rules/good.yml", good)
        config = install.correlator_config(world, library=world.path("rules"))
        name = "haidang-correlator"
        for wrong, words in ((changed(good, "condition: selection", "condition: selektion"), ("selektion",)),
                             (changed(good, "|startswith", "|frobnicate"), ("frobnicate",)),
                             (changed(good, "logsource:", "logsuorce:"), ("logs",)),
                             (good + "  - broken: [\n", ("YAML",))):
            path = world.write("rules/bad.yml", wrong)
            refused_at(world, name, config, path, *words)
        os.remove(world.path("rules", "bad.yml"))
        shutil.copytree(f"{SOURCE}/rules/decoders", world.path("decoders"))
        path = world.write("decoders/bad.yml", "decoder: bad\nmatch: {program: [x]}\npatterns:\n  - {id: a, text: '<'}\n")
        refused_at(world, name, changed(config, f"{SOURCE}/rules/decoders", world.path("decoders")), path)
        refused(world, name, changed(config, f"library: {world.path('rules')}", "library: /nonexistent"), CONFIG,
                "/nonexistent")
        path = world.write("inventory.csv", "id,name,agency,level,hosts\nweb,Cổng,UBND,nine,web1\n")
        refused_at(world, name, config + f"enrich: {{inventory: {path}}}\n", path)
        path = world.write("city.mmdb", "no database")
        refused(world, name, config + f"enrich: {{city: {path}}}\n", CONFIG, path)


def refused_at(world, name, config, path, *words):
    """The message names file and line."""
    wrong = world.write("wrong.yml", config)
    for options in (["--check"], []):
        done = world.run(program(name), "--config", wrong, *options, check=False)
        said = done.stdout + done.stderr
        if done.returncode != CONFIG or f"{path}:" not in said or any(w not in said for w in words):
            raise Failure(f"{name} {options}: {done.returncode}, said:\n{said}")


def started(world, kind):
    """The program with a good configuration, once it answers."""
    name = kind.removeprefix("haidang-")
    status = "agent1" if name == "agent" else name
    path = world.write(f"{name}.yml", configs(world)[kind])
    process = world.start(status, [program(kind), "--config", path])
    process.wait_line("started")
    return process


def test_signals_while_ending():
    """SIGHUP and a second SIGTERM while it reloads or ends: it ends, soon, and the next one finds all in order."""
    with World() as world:
        world.make_ca()
        os.makedirs(world.path("correlator", "alerts"), exist_ok=True)
        for kind in ("haidang-correlator", "haidang-agent", "haidang-forwarder"):
            for signals, codes in (((signal.SIGHUP, signal.SIGTERM, signal.SIGHUP), (0,)),
                                   ((signal.SIGTERM, signal.SIGHUP, signal.SIGHUP), (0,)),
                                   ((signal.SIGTERM, signal.SIGTERM), (0, 1)),
                                   ((signal.SIGHUP, signal.SIGINT, signal.SIGHUP, signal.SIGTERM), (0, 1))):
                process = started(world, kind)
                for number in signals:
                    process.popen.send_signal(number)
                code = process.popen.wait(timeout=PATIENCE)
                if code not in codes:
                    raise Failure(f"{kind} after {signals}: {code}\n" + "\n".join(process.lines[-10:]))
            process = started(world, kind)
            bad = [line for line in process.lines if " ERROR " in line or "torn" in line]
            if bad or process.kill(signal.SIGTERM) != 0:
                raise Failure(f"{kind} does not find all in order: {bad or process.lines[-5:]}")


TESTS = (test_signals_while_ending, test_wrong_configuration, test_wrong_certificates, test_addresses_in_use,
         test_unusable_state_directories, test_second_instance, test_wrong_rules_at_start)
