#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""From an attack in a log file to a proof: agent, correlator, forwarder and a test centre run, `haidang prove` follows one
alert through what they have stored, and `haidang verify` judges the bundle in a clean directory that has nothing but
the bundle and the public keys. Then bits of the bundle are flipped, and every one is found."""
import hashlib
import json
import os
import random
import re
import shutil

from chain import ALERT_EVERY, Chain
from world import Failure, World, main, program, wait_until

FLIPS = 200
AGES = {"archive": "  segment_age: 1s\n", "alerts": "  segment_age: 1s\n", "receipts": "  segment_age: 1s\n"}
KEYS = {"correlator.pub": "correlator/seal.key.pub", "forwarder.pub": "forwarder/seal.key.pub"}


def prove(world, what, *more):
    dirs = [word for name, path in (("archive", "correlator/archive"), ("alerts", "correlator/alerts"),
                                    ("receipts", "forwarder/receipts")) for word in (f"--{name}", world.path(path))]
    keys = [word for path in KEYS.values() for word in ("--key", world.path(path))]
    return world.haidang("prove", what, *dirs, *keys, *more, check=False)


def proof_of(world, what):
    done = prove(world, what, "--json")
    if done.returncode != 0:
        raise Failure(f"prove {what}: {done.stderr}")
    return json.loads(done.stdout)


def is_sealed(world, alert):
    return all(seal["state"] == "holds" for seal in proof_of(world, alert)["seals"])


def an_alert(world):
    """The first one and the line that was written for it."""
    alerts = world.journal_text(world.path("correlator", "alerts")).split(b"\n")
    alert = json.loads(alerts[0])
    return alert["id"], alert["evidence"][0]


def verify(world, clean, bundle="bundle.tar"):
    return world.run(program("haidang"), "verify", os.path.join(clean, bundle),
                     *[word for name in KEYS for word in ("--key", os.path.join(clean, name))], check=False)


def check_chain(world, alert, evidence):
    proof = proof_of(world, alert)
    event, receipt = proof["events"][0], proof["receipts"][0]
    with open(world.path("logs", "app.log"), "rb") as log:
        line = next(row for row in log.read().split(b"\n") if hashlib.sha256(row).hexdigest() == evidence["sha256"])
    assert (event["agent"], event["boot"], event["seq"]) == (evidence["agent"], evidence["boot"], evidence["seq"])
    assert event["source"] == world.path("logs", "app.log") and event["line"].encode() == line
    assert (receipt["outcome"], receipt["destination"], receipt["status"]) == ("delivered", "ncsc", 200), receipt
    by_line = proof_of(world, line.decode())
    by_event = proof_of(world, f"{event['agent']}/{event['boot']}/{event['seq']}")
    for other in (by_line, by_event):
        assert [a["id"] for a in other["alerts"]] == [alert] and other["receipts"] == proof["receipts"]


def check_flips(world, clean, whole):
    chosen = random.Random(1)
    for place in sorted(chosen.sample(range(len(whole)), FLIPS)):
        changed = bytearray(whole)
        changed[place] ^= 1 << chosen.randrange(8)
        with open(os.path.join(clean, "changed.tar"), "wb") as file:
            file.write(changed)
        if verify(world, clean, "changed.tar").returncode != 1:
            raise Failure(f"byte {place} of the bundle was changed, and verify did not see it")


def check_compacted(world, clean, alert):
    """The archive is compacted while the correlator runs, and what is past its time dropped from the segment of the
    alert; the chain of the alert is what it was."""
    before = proof_of(world, alert)
    rules = world.write("retention.yml", "rules: [{source: '*.short', keep: 1s}]\n")

    def dropped():
        done = world.haidang("archive", "compact", world.path("correlator", "archive"), "--seal-key",
                             world.path("correlator", "seal.key"), "--drop-expired", "--retention", rules, "--json")
        return json.loads(done.stdout)["dropped_entries"]

    wait_until("lines that are past their time to be dropped", dropped)
    if b"a line of a short life" in world.journal_text(world.path("correlator", "archive")):
        raise Failure("it is still there")
    after = proof_of(world, alert)
    for part in ("alerts", "receipts"):
        assert before[part] == after[part], part
    assert before["events"][0]["line_sha256"] == after["events"][0]["line_sha256"]
    done = prove(world, alert, "--bundle", os.path.join(clean, "compacted.tar"))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    done = verify(world, clean, "compacted.tar")
    if done.returncode != 0:
        raise Failure(done.stdout + done.stderr)


def test_prove():
    with World() as world:
        chain = Chain(world, AGES)
        world.write("logs/app.log.short", "a line of a short life\n")
        chain.start_all()
        wait_until("it to be archived", lambda: b"of a short life" in world.journal_text(
            world.path("correlator", "archive")))
        chain.write(3 * ALERT_EVERY)
        chain.drain()
        alert, evidence = an_alert(world)
        assert re.search(r"markn\d{8}z", evidence["line"])

        def seals():
            chain.write(1)  # what comes makes the archive look at the age of its segment
            return is_sealed(world, alert)

        wait_until("the segments to be sealed", seals)
        check_chain(world, alert, evidence)
        clean = world.path("clean")
        os.mkdir(clean)
        done = prove(world, alert, "--bundle", os.path.join(clean, "bundle.tar"))
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        for name, path in KEYS.items():
            shutil.copy(world.path(path), os.path.join(clean, name))
        done = verify(world, clean)
        if done.returncode != 0:
            raise Failure(done.stdout + done.stderr)
        with open(os.path.join(clean, "bundle.tar"), "rb") as file:
            whole = file.read()
        check_flips(world, clean, whole)
        check_compacted(world, clean, alert)
        print(f"     {done.stdout.count('ok     ')} links hold, bundle {len(whole):,} bytes, {FLIPS} of {FLIPS} "
              "changes found")


main(test_prove)
