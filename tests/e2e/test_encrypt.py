#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Encryption at rest with the real programs: spool, archive, alerts, losses and receipts each with a key, an attack that
is detected, forwarded, searched, proven and verified through it; what nobody may read without the key; a key that changes,
one that is missing, and one entry decrypted with nothing but openssl and zstd."""
import collections
import json
import os
import re
import shutil
import struct
import subprocess

from chain import ALERT_EVERY, Chain
from world import Failure, World, main, program, wait_until

JOURNALS = {"archive": "correlator/archive", "alerts": "correlator/alerts", "receipts": "forwarder/receipts",
            "spool": "agent1/spool"}
SECRET = re.compile(rb"markn\d{8}z")


class Keyed(World):
    """Makes keys outside of everything else, as haidang does it and as openssl does it."""

    def make_key(self, name, how="haidang"):
        path = self.path("keys", f"{name}.key")
        os.makedirs(self.path("keys"), exist_ok=True)
        if how == "haidang":
            said = self.haidang("archive", "key", path).stdout.split()[0]
        else:
            self.run("sh", "-c", f"umask 077; openssl rand -hex 32 > {path}")
            said = None
        made = self.run("sh", "-c", f"openssl kdf -keylen 6 -kdfopt digest:SHA256 -kdfopt hexkey:$(cat {path}) "
                        "-kdfopt 'info:haidang key id 1' HKDF").stdout.strip().replace(":", "").lower()
        assert said in (None, made), (said, made)
        return path, made

    def segments(self, journal):
        folder = self.path(JOURNALS[journal])
        return [os.path.join(folder, f) for f in sorted(os.listdir(folder)) if f.endswith(".zst")]

    def search(self, what, *more):
        return self.haidang("search", what, self.path(JOURNALS["archive"]), *more, check=False)

    def plain(self, journal):
        """What zstdcat makes of it; the files must be good ones."""
        expect(self.segments(journal), f"no {journal}")
        self.run("zstd", "-qt", *self.segments(journal))
        return self.journal_text(self.path(JOURNALS[journal]))


def by_openssl(world, segment, key):
    """The first entry of a segment by the page docs/formats/journal.md, without any code of ours."""
    with open(segment, "rb") as file:
        data = file.read()
    uuid, entry = data[24:40], data[64:]
    meta, payload = struct.unpack("<H", entry[10:12])[0], struct.unpack("<I", entry[12:16])[0]
    box = entry[80 + meta:80 + meta + payload]
    assert struct.unpack("<IIH", box[:10]) == (0x184D2A53, len(box) - 8, 1)
    with open(world.path("encrypted"), "wb") as file:
        file.write(box[48:-16])
    script = f"""
segment_key=$(openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt hexkey:"$(cat {key})" -kdfopt hexsalt:{box[16:32].hex()} \\
    -kdfopt hexinfo:"$(printf 'haidang segment 1' | od -An -v -tx1 | tr -d ' \\n'){uuid.hex()}" HKDF | tr -d ':\\n')
openssl enc -d -aes-256-ctr -K "$segment_key" -iv {box[32:44].hex()}00000002 -in encrypted | zstd -d
"""
    return subprocess.run(["sh", "-eu"], input=script.encode(), cwd=world.dir, capture_output=True, check=True).stdout


def start(chain, name):
    """With the credential of the spool as systemd would hand it over, readable by our group as it may be."""
    folder = chain.world.path("credentials")
    if not os.path.exists(folder):
        os.mkdir(folder, 0o700)
        shutil.copy(chain.world.path("keys", "spool.key"), os.path.join(folder, "spool"))
        os.chmod(os.path.join(folder, "spool"), 0o440)
    chain.start(name, env={**os.environ, "CREDENTIALS_DIRECTORY": folder})
    chain.wait_up(name)


def expect(holds, what):
    if not holds:
        raise Failure(what)


def check_readers(w, key, key_id):
    """Nothing without the key, and it says which; everything with it, however it is given."""
    locked = w.search("markn")
    expect(locked.returncode == 2 and key_id in locked.stderr and not locked.stdout, locked.stdout + locked.stderr)
    found = w.search("markn", "--unlock", key)
    expect(found.returncode == 0 and "markn00000000z" in found.stdout and not found.stderr, found.stderr)
    by_env = w.run("env", f"HAIDANG_UNLOCK={w.path('keys')}", program("haidang"), "search", "markn",
                   w.path(JOURNALS["archive"]))
    expect(by_env.stdout == found.stdout, "the environment gives another answer")
    tail = ("tail", "--dir", w.path(JOURNALS["alerts"]), "--all", "--no-follow", "--json")
    expect(w.haidang(*tail, check=False).returncode == 6, "tail without a key")
    alerts = [json.loads(line) for line in w.haidang(*tail, "--unlock", w.path("keys")).stdout.splitlines()]
    expect(alerts, "tail shows no alert")
    return alerts[0]["id"]


def check_archive(w, key):
    seal = w.path("correlator", "seal.key.pub")
    for unlock, left in (((), True), (("--unlock", key), False)):
        done = w.haidang("archive", "verify", w.path(JOURNALS["archive"]), "--key", seal, "--json", *unlock)
        outcome = json.loads(done.stdout.splitlines()[-1])
        expect(outcome["holds"] and outcome["encrypted"] == outcome["entries"] > 0, outcome)
        expect((outcome["not_decrypted"] == outcome["entries"]) == left, outcome)
    w.haidang("archive", "repair", w.path(JOURNALS["archive"]), "--into", w.path("repaired"))
    found = w.haidang("search", "markn00000000z", w.path("repaired"), "--unlock", key, check=False)
    expect(found.returncode == 0, found.stderr)
    expect(not w.journal_text(w.path("repaired")), "repair has decrypted")


def check_proof(w, chain, alert):
    """A bundle that verifies with the key and does not without it."""
    dirs = [word for name in ("archive", "alerts", "receipts") for word in (f"--{name}", w.path(JOURNALS[name]))]
    seals = [word for name in ("correlator", "forwarder") for word in ("--key", w.path(name, "seal.key.pub"))]

    def is_sealed():
        chain.write(1)  # what comes makes the archive look at the age of its segment
        done = w.haidang("prove", alert, *dirs, *seals, "--json", "--unlock", w.path("keys"))
        return all(seal["state"] == "holds" for seal in json.loads(done.stdout)["seals"])

    wait_until("the segments to be sealed", is_sealed)
    w.haidang("prove", alert, *dirs, *seals, "--unlock", w.path("keys"), "--bundle", w.path("bundle.tar"))
    expect(w.haidang("verify", w.path("bundle.tar"), *seals, "--unlock", w.path("keys"), check=False).returncode == 0,
           "the bundle does not hold")
    locked = w.haidang("verify", w.path("bundle.tar"), *seals, check=False)
    expect(locked.returncode == 1 and "--unlock" in locked.stdout, locked.stdout)


def check_export(w):
    seal = w.path("correlator", "seal.key.pub")
    w.haidang("archive", "export", w.path(JOURNALS["archive"]), w.path("out"), "--key", seal)
    w.haidang("archive", "import", w.path("out"), "--into", w.path("in"), "--key", seal)
    same = 0
    for path in w.segments("archive"):
        copy = w.path("in", os.path.basename(path))
        if os.path.exists(copy):
            with open(path, "rb") as one, open(copy, "rb") as other:
                expect(one.read() == other.read(), f"{copy} is not as it was")
            same += 1
    expect(same > 0, "nothing was exported")
    compact = ("archive", "compact", w.path("in"), "--seal-key", w.path("correlator", "seal.key"), "--key", seal, "--json")
    for unlock in ((), ("--unlock", w.path("keys"))):
        outcome = json.loads(w.haidang(*compact, *unlock).stdout.splitlines()[-1])
        opened = outcome["compacted"] + outcome["as_they_were"]  # as they were: it would save nothing
        expect((outcome["locked"] > 0, opened > 0) == ((False, True) if unlock else (True, False)), outcome)
    verified = w.haidang("archive", "verify", w.path("in"), "--key", seal, "--json", "--unlock", w.path("keys"))
    expect(json.loads(verified.stdout.splitlines()[-1])["encrypted"] > 0, verified.stdout)
    expect(not w.journal_text(w.path("in")), "compacting has decrypted")


def check_secrets(w, keys):
    """No key is in what the programs say of themselves, and none was in their arguments."""
    for path in keys:
        with open(path, encoding="ascii") as file:
            secret = file.read().strip()
        for process in w.processes:
            with process.changed:
                expect(not any(secret in line for line in process.lines), f"{process.name} tells {path}")


def change_key(w, chain, config):
    """Another key: from the next segment on. Then a correlator without it, which must refuse and touch nothing."""
    second, second_id = w.make_key("second", "openssl")
    chain.end("correlator")
    w.write("correlator.yml", config.replace(w.path("keys", "first.key"), second))
    chain.start("correlator")
    chain.wait_up("correlator")
    chain.write(ALERT_EVERY)
    number = f"markn{(chain.lines - 1) // ALERT_EVERY * ALERT_EVERY:08d}z"
    wait_until("a line under the second key", lambda: number in w.search("markn", "--unlock", w.path("keys")).stdout)
    listed = w.haidang("archive", "list", w.path(JOURNALS["archive"]), "--json").stdout.splitlines()
    used = [json.loads(line).get("encryption_key") for line in listed]
    expect(used[-1] == second_id and len(set(used)) == 2, used)
    chain.end("correlator")

    before = [(path, os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in w.segments("archive")]
    os.rename(second, second + ".away")
    refused = chain.start("correlator")
    expect(refused.popen.wait(timeout=30) == 4, "a key file that is not there")
    chain.bury("correlator")
    w.write("correlator.yml", config)
    refused = chain.start("correlator")
    expect(refused.popen.wait(timeout=30) == 6, "the key of the last segment is missing")
    refused.wait_line(second_id)
    chain.bury("correlator")
    expect(before == [(path, os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in w.segments("archive")],
           "the archive was touched")
    os.rename(second + ".away", second)
    chain.start("correlator")
    chain.wait_up("correlator")


def survive_kills(w, chain):
    """Each line is there once, although its programs died with it in their hands."""
    for name in ("correlator", "agent", "correlator"):
        chain.write(500)
        chain.kill(name)
        start(chain, name)
    wait_until("everything to be archived", chain.is_quiet)
    found = w.search(r"n\d{8}z", "--unlock", w.path("keys")).stdout
    numbers = collections.Counter(int(n) for n in re.findall(r"n(\d{8})z", found))
    expect(numbers == collections.Counter(range(chain.lines)), "lines are missing or double")


def what_is_on_the_disk_is_encrypted():
    with Keyed() as w:
        first, first_id = w.make_key("first")
        alerts, _ = w.make_key("alerts", "openssl")
        receipts, _ = w.make_key("receipts")
        w.make_key("spool")
        keys = f"journal_keys: {w.path('keys')}\n"
        chain = Chain(w, {"archive": f"  segment_age: 1s\n  encryption_key: {first}\n",
                          "alerts": f"  segment_age: 1s\n  encryption_key: {alerts}\n",
                          "receipts": f"  segment_age: 1s\n  encryption_key: {receipts}\n",
                          "correlator": keys + f"losses: {{encryption_key: {first}}}\n",
                          "agent": "spool_encryption_key: credential:spool\n"})
        with open(w.path("forwarder.yml"), "a", encoding="utf-8") as file:
            file.write(keys)
        with open(w.path("correlator.yml"), encoding="utf-8") as file:
            config = file.read()
        start(chain, "correlator")
        start(chain, "forwarder")
        chain.write(3 * ALERT_EVERY)
        start(chain, "agent")
        wait_until("the alerts at the centre", lambda: sum(chain.at_centre().values()) == 3)
        for journal in JOURNALS:
            expect(not w.plain(journal), f"zstdcat reads the {journal}")
        text = by_openssl(w, w.segments("archive")[0], first)
        expect(SECRET.search(text), "openssl alone does not decrypt the archive")
        alert = check_readers(w, first, first_id)
        check_proof(w, chain, alert)
        check_archive(w, first)
        change_key(w, chain, config)
        survive_kills(w, chain)
        check_export(w)
        check_secrets(w, [first, alerts, receipts, w.path("keys", "second.key")])
        print(f"     {chain.lines} lines, {chain.kills} kills, each line once; 1 entry decrypted by openssl alone")


if __name__ == "__main__":
    main(what_is_on_the_disk_is_encrypted)
