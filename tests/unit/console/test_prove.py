#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""haidang prove and haidang verify, on journals that the programs' own code wrote. usage: test_prove.py SOURCE BUILD"""
import hashlib
import io
import os
import random
import shutil
import subprocess
import tarfile

import console
from console import OK, USAGE

MAKE = f"{console.BUILD}/tests/support/make_proof"
FAILS, CERT, STORE = 1, 4, 6
BOOT_A, BOOT_B = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
EVENT = f"web1/{BOOT_B}/1"  # the first line of batch 1
LINE = ("<38>Nov 21 07:50:37 sshd[7919]: batch 1 line 1: Failed password for admin from 203.0.113.31 port 44729 ssh2")
ALERT = "00000000-0000-8000-8000-{:012d}"
BLOCK = 512


def members(bundle):
    """[(name, offset of the header, offset of the content, length)] of a bundle in memory."""
    with tarfile.open(fileobj=io.BytesIO(bundle)) as tar:
        return [(m.name, m.offset, m.offset_data, m.size) for m in tar.getmembers()]


def contents(bundle):
    return [(name, bundle[at:at + size]) for name, _, at, size in members(bundle)]


def header(name, size, kind=b"0"):
    block = bytearray(BLOCK)
    for at, text in ((0, name.encode()), (100, b"0000644"), (108, b"0000000"), (116, b"0000000"),
                     (124, b"%011o" % size), (136, b"00000000000"), (148, b" " * 8), (156, kind), (257, b"ustar\x0000")):
        block[at:at + len(text)] = text
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pack(files):
    """A bundle as prove writes it, of whatever files."""
    whole = b"".join(header(name, len(data)) + data + bytes(-len(data) % BLOCK) for name, data in files)
    return whole + bytes(2 * BLOCK)


class Prove(console.Case):
    def setUp(self):
        super().setUp()
        subprocess.run([MAKE, self.dir], check=True, capture_output=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def keys(self, *names):
        return [word for name in names for word in ("--key", self.path(name))]

    def prove(self, what, *more, directory=None):
        d = directory or self.dir
        dirs = [w for n in ("archive", "alerts", "receipts") for w in (f"--{n}", os.path.join(d, n))]
        return self.run_haidang("prove", what, *dirs, *self.keys("seal.key.pub", "forwarder.key.pub"), *more)

    def found(self, what, *more):
        result = self.prove(what, "--json", *more)
        self.assertEqual((result.code, result.err), (OK, ""))
        return result.objects()[0]

    def bundle(self, what=EVENT):
        path = self.path("bundle.tar")
        result = self.prove(what, "--bundle", path)
        self.assertEqual((result.code, result.err), (OK, ""))
        with open(path, "rb") as file:
            return file.read()

    def verify(self, bundle, *more, keys=("seal.key.pub", "forwarder.key.pub")):
        path = bundle if isinstance(bundle, str) else self.write("elsewhere/bundle.tar", bundle)
        return self.run_haidang("verify", path, *self.keys(*keys), *more)

    def failing(self, bundle, **more):
        """The links that do not hold."""
        result = self.verify(bundle, "--json", **more)
        outcome = result.objects()[0]
        self.assertEqual((result.code, outcome["holds"]), (FAILS, False))
        return [(link["link"], link["why"]) for link in outcome["links"] if not link["holds"]]


class Chain(Prove):
    def test_event(self):
        proof = self.found(EVENT)
        self.assertEqual(proof["subject"], {"kind": "event", "id": EVENT})
        event, = proof["events"]
        self.assertEqual((event["agent"], event["boot"], event["seq"], event["host"], event["kind"], event["source"]),
                         ("web1", BOOT_B, 1, "web1", "file", "/var/log/auth.log"))
        self.assertEqual((event["line"], event["line_sha256"]), (LINE, hashlib.sha256(LINE.encode()).hexdigest()))
        self.assertEqual((event["received"], event["taken"], event["peer"]),
                         ("2026-11-21T00:01:00.000001Z", "2026-11-21T00:01:01.000000000Z", "192.0.2.1:50123"))
        self.assertEqual((event["batch_first"], event["batch_last"], event["segment"], event["entry"]), (1, 10, 1, 2))
        with open(self.path("archive/00000000000000000001.zst"), "rb") as segment:
            frame = segment.read()[event["offset"]:]
        payload = frame[8 + int.from_bytes(frame[4:8], "little"):][:int.from_bytes(frame[12:16], "little")]
        self.assertEqual(event["batch_sha256"], hashlib.sha256(payload).hexdigest())
        self.assertEqual([a["id"] for a in proof["alerts"]], [ALERT.format(0)])
        self.assertEqual([(r["destination"], r["outcome"], r["attempt"], r.get("status")) for r in proof["receipts"]],
                         [("ncsc", "delivered", 2, 200), ("province", "dead", 0, None)])
        self.assertEqual([(s["journal"], s["state"]) for s in proof["seals"]],
                         [("archive", "holds"), ("alerts", "holds"), ("receipts", "holds")])

    def test_one_boot_is_enough_where_it_is_clear(self):
        self.assertEqual(self.found("db1/7")["subject"]["id"], f"db1/{BOOT_A}/7")
        several = self.prove("web1/7")
        self.assertEqual(several.code, USAGE)
        self.assertIn(f"web1/{BOOT_A}/7", several.err)
        self.assertIn(f"web1/{BOOT_B}/7", several.err)

    def test_line(self):
        sha256 = hashlib.sha256(LINE.encode()).hexdigest()
        for what in (LINE, sha256):
            proof = self.found(what)
            self.assertEqual(proof["subject"], {"kind": "line", "id": sha256})
            self.assertEqual([(e["boot"], e["seq"]) for e in proof["events"]], [(BOOT_B, 1)])
        for narrow, code in ((["--host", "WEB1"], OK), (["--host", "db1"], FAILS),
                             (["--since", "2026-11-21T00:01:00Z", "--until", "2026-11-21T00:01:01Z"], OK),
                             (["--since", "2026-11-21T00:02:00Z"], FAILS), (["--until", "2026-11-21T00:01:00Z"], FAILS)):
            self.assertEqual(self.prove(LINE, *narrow).code, code, narrow)

    def test_alert(self):
        proof = self.found(ALERT.format(1))
        self.assertEqual([(e["agent"], e["seq"]) for e in proof["events"]], [("db1", 1), ("db1", 2)])
        self.assertEqual([r["outcome"] for r in proof["receipts"]], ["begun"])

    def test_what_is_missing_is_said(self):
        self.assertIn("receipt     none: the forwarder has not sent this alert yet", self.prove(ALERT.format(2)).out)
        self.assertIn("no alert has it as evidence", self.prove("db1/7").out)
        dead = self.prove(EVENT)
        self.assertIn("DEAD LETTER", dead.out)
        self.assertIn("because: the profile wants source.ip", dead.out)
        shutil.rmtree(self.path("receipts"))
        self.assertIn("receipts: not looked at", self.prove(EVENT).out)
        shutil.rmtree(self.path("archive"))
        self.assertEqual(self.prove(EVENT).code, STORE)
        self.assertIn("0/2 of its lines are here", self.prove(ALERT.format(0)).out)

    def test_not_found(self):
        for what in ("web1/999", "db1/" + BOOT_B + "/1", LINE + "x", ALERT.format(77), "0" * 64):
            result = self.prove(what)
            self.assertEqual((result.code, result.out), (FAILS, ""), what)
            self.assertIn("not found", result.err)

    def test_vietnamese(self):
        text = self.prove(EVENT, "--lang", "vi").out
        for words in ("sự kiện " + EVENT, "Dò mật khẩu SSH", "chữ ký đúng", "đã chuyển", "KHÔNG CHUYỂN ĐƯỢC"):
            self.assertIn(words, text)

    def test_seals(self):
        dirs = [w for n in ("archive", "alerts", "receipts") for w in (f"--{n}", self.path(n))]
        self.assertIn("not checked, give its public half with --key", self.run_haidang("prove", EVENT, *dirs).out)
        fresh = tempfile_of(self)
        subprocess.run([MAKE, fresh, "open"], check=True, capture_output=True)
        self.assertIn("not sealed yet", self.prove("db1/80", directory=fresh).out)
        with open(self.path("archive/00000000000000000001.zst"), "r+b") as segment:
            segment.seek(200)
            segment.write(b"?")
        self.assertIn("DOES NOT HOLD", self.prove(EVENT).out)

    def test_usage(self):
        self.assertEqual(self.prove(EVENT, "--since", "yesterday").code, USAGE)
        self.assertEqual(self.prove(EVENT, "--key", "/nonexistent").code, CERT)
        self.assertEqual(self.prove(EVENT, "--bundle", "/nonexistent/b").code, FAILS)


def tempfile_of(case):
    path = case.path("fresh")
    os.mkdir(path)
    return path


class Bundle(Prove):
    def test_holds_elsewhere_with_the_public_keys_alone(self):
        for what in (EVENT, LINE, ALERT.format(0), ALERT.format(2), "db1/7"):
            bundle = self.bundle(what)
            clean = self.path("clean")
            os.mkdir(clean)
            for name in ("seal.key.pub", "forwarder.key.pub"):
                shutil.copy(self.path(name), clean)
            self.write("clean/bundle.tar", bundle)
            keys = [w for n in ("seal.key.pub", "forwarder.key.pub") for w in ("--key", os.path.join(clean, n))]
            result = self.run_haidang("verify", os.path.join(clean, "bundle.tar"), *keys)
            self.assertEqual((result.code, result.err), (OK, ""), result.out)
            self.assertIn("This bundle holds.", result.out)
            self.assertNotIn("FAILS", result.out)
            self.assertIn("Gói chứng cứ này đúng.", self.verify(bundle, "--lang", "vi").out)
            self.assertEqual(sorted(os.listdir(clean)), ["bundle.tar", "forwarder.key.pub", "seal.key.pub"])
            shutil.rmtree(clean)

    def test_is_open_to_other_tools(self):
        bundle = self.write("b.tar", self.bundle())
        out = self.path("out")
        os.mkdir(out)
        subprocess.run(["tar", "xf", bundle, "-C", out], check=True)
        segment = os.path.join(out, "archive/00000000000000000001.zst")
        text = subprocess.run(["zstdcat", segment], check=True, capture_output=True).stdout
        self.assertIn(LINE.encode(), text)
        with open(segment.replace(".zst", ".seal"), encoding="ascii") as seal:
            words = dict(line.split(" ", 1) for line in seal.read().splitlines())
        with open(segment, "rb") as file:
            self.assertEqual(hashlib.sha256(file.read(int(words["bytes"]))).hexdigest(), words["sha256"])
        self.assertEqual(pack(contents(self.bundle())), self.bundle())

    def test_every_key_is_wanted(self):
        bundle = self.bundle()
        self.assertEqual(self.failing(bundle, keys=("seal.key.pub",)),
                         [("receipts/00000000000000000001.zst", "it is signed with a key that was not given")])
        self.assertEqual(len(self.failing(bundle, keys=("forwarder.key.pub",))), 2)
        self.assertEqual(self.verify(bundle, keys=()).code, USAGE)
        self.assertEqual(self.verify(bundle, keys=("seal.key",)).code, CERT)
        self.assertEqual(self.verify(self.path("nothing"), keys=("seal.key.pub",)).code, STORE)

    def test_what_is_not_sealed_does_not_hold(self):
        fresh = tempfile_of(self)
        subprocess.run([MAKE, fresh, "open"], check=True, capture_output=True)
        path = self.path("open.tar")
        result = self.prove("db1/80", "--bundle", path, directory=fresh)
        self.assertEqual(result.code, OK)
        self.assertIn("not signed yet", result.err)
        with open(path, "rb") as file:
            self.assertIn("it is not sealed", [why for _, why in self.failing(file.read())])

    def test_the_message_that_a_destination_got(self):
        bundle = self.bundle()
        self.assertIn("its SHA-256 is in the receipt of ncsc",
                      self.verify(bundle, "--request", self.write("got", "the message")).out)
        other = self.verify(bundle, "--request", self.write("got", "another message"))
        self.assertEqual(other.code, FAILS)
        self.assertIn("no receipt has its SHA-256", other.out)
        self.assertEqual(self.verify(bundle, "--request", self.path("nothing")).code, FAILS)

    def test_every_byte_counts(self):
        """A bit flipped in every byte of the manifest and the headers' used bytes, and in many of the rest."""
        bundle = self.bundle()
        chosen = random.Random(4711)
        places = set()
        for name, head, at, size in members(bundle):
            every = 5 if name.endswith(".seal") else 17
            places.update(range(head, head + BLOCK, 23))
            places.update(range(at + chosen.randrange(every), at + size, every))
            places.update(chosen.sample(range(at, at + size + -size % BLOCK), 20))
            places.update((at, at + size - 1))
        places.update(range(len(bundle) - 2 * BLOCK, len(bundle), 97))
        path = self.write("elsewhere/bundle.tar", bundle)
        for place in sorted(places):
            with open(path, "r+b") as file:
                file.seek(place)
                file.write(bytes([bundle[place] ^ 1 << chosen.randrange(8)]))
            result = self.verify(path)
            self.assertEqual((result.code, result.err), (FAILS, ""), f"byte {place} of {members(bundle)}")
            self.assertIn("FAILS", result.out)
            with open(path, "r+b") as file:
                file.seek(place)
                file.write(bundle[place:place + 1])
        self.assertGreater(len(places), 900)
        self.assertEqual(self.verify(path).code, OK)

    def test_cut_and_extended(self):
        bundle = self.bundle()
        for length in (0, 1, 511, 512, 513, len(bundle) // 2, len(bundle) - 1024, len(bundle) - 512, len(bundle) - 1):
            self.assertEqual(self.failing(bundle[:length])[0][0], "bundle", length)
        for more in (b"\0", bytes(512), bundle):
            self.assertEqual(self.failing(bundle + more)[0][0], "bundle")

    def test_named_link_fails(self):
        files = contents(self.bundle())
        def changed(name, change):
            return pack([(n, change(d) if n == name else d) for n, d in files])
        def flip(data):
            return data[:300] + bytes([data[300] ^ 4]) + data[301:]
        for name in ("archive/00000000000000000001.zst", "alerts/00000000000000000001.zst",
                     "receipts/00000000000000000001.zst", "receipts/00000000000000000001.seal"):
            self.assertIn(name, [link for link, _ in self.failing(changed(name, flip))])
        self.assertIn("archive/00000000000000000001.zst",
                      [n for n, _ in self.failing(changed("archive/00000000000000000001.zst", lambda d: d + b"more"))])
        self.assertIn("manifest.json", [n for n, _ in self.failing(
            changed("manifest.json", lambda d: d.replace(b"admin", b"nobody")))])
        self.assertIn("manifest.json", [n for n, _ in self.failing(
            changed("manifest.json", lambda d: d.replace(b'"destination": "ncsc"', b'"destination": "abcd"')))])
        other = self.bundle("db1/31")
        stranger = [f for f in contents(other) if f[0].startswith("archive/") and f not in files]
        self.assertTrue(stranger)
        self.assertIn("bundle", [n for n, _ in self.failing(pack(files + stranger))])
        self.assertIn("archive/00000000000000000001.zst",
                      [n for n, _ in self.failing(pack([f for f in files if not f[0].startswith("archive/")]))])

    def test_parts_that_do_not_belong_together(self):
        """Everything signed and true, but put together wrongly: the references tell."""
        files = dict(contents(self.bundle()))
        manifest = console.json.loads(files["manifest.json"])
        def with_manifest(change):
            said = console.json.loads(console.json.dumps(manifest))
            change(said)
            text = console.json.dumps(said, indent=1, ensure_ascii=False).encode() + b"\n"
            return [link for link, _ in self.failing(pack([("manifest.json", text), *list(files.items())[1:]]))]
        other = self.found(ALERT.format(1))
        self.assertEqual(with_manifest(lambda m: m["subject"].update(id=f"web1/{BOOT_B}/2")), ["subject"])
        self.assertEqual(with_manifest(lambda m: m["subject"].update(kind="alert", id=ALERT.format(9))), ["subject"])
        self.assertIn("receipt of ncsc", with_manifest(lambda m: m.update(receipts=other["receipts"])))
        self.assertIn(ALERT.format(1), with_manifest(lambda m: m.update(alerts=other["alerts"], receipts=[])))

    def test_hostile(self):
        files = contents(self.bundle())
        evil = [header("../evil", 4) + b"evil" + bytes(508) + bytes(1024),
                header("/etc/evil", 4) + b"evil" + bytes(508) + bytes(1024),
                header("manifest.json", 8 ** 11 - 1) + bytes(1024),
                header("manifest.json", 0, b"2") + bytes(1024),
                header("manifest.json", 0, b"x") + bytes(1024),
                pack(files + [files[0]]), pack(files[1:]), pack([]), pack([(f"f{i}", b"") for i in range(3000)]),
                pack([("manifest.json", b"[" * 100000)]), pack([("manifest.json", b"{}")]),
                pack([("manifest.json", b" " * (5 << 20))])]
        for bundle in evil:
            self.assertEqual(self.failing(bundle)[0][0], "bundle")
        for name in ("evil", "../evil", "/etc/evil"):
            self.assertFalse(os.path.exists(os.path.join(self.dir, "elsewhere", name)))
        self.assertEqual(self.verify("/dev/zero").code, FAILS)
        with open(self.path("sparse"), "wb") as sparse:
            sparse.truncate(1 << 40)
        self.assertEqual(self.verify(self.path("sparse")).code, FAILS)


if __name__ == "__main__":
    console.main()
