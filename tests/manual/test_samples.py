#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sample configurations are accepted by their programs, as they are and with every setting that is
commented out taken into use, and they show every key. usage: test_samples.py SOURCE BUILD

What they name is made in a temporary directory: certificates by `haidang ca`, rules and decoders from the source.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

PROGRAMS = {"agent": "collector", "correlator": "correlator", "forwarder": "forwarder"}
# Databases that cannot be shipped: an outsider's licence.
NOT_SHIPPED = re.compile(r"^.*\.mmdb$\n", re.M)
# A comment is "# text"; a setting that is commented out has no blank, or several, after its #.
COMMENTED_OUT = re.compile(r"^( *)#(?=[^\s#]|  )", re.M)


class Samples:
    def __init__(self, source, build, work):
        self.source, self.build, self.work, self.problems = source, build, work, 0

    def say(self, text):
        print(text)
        self.problems += 1

    def path(self, *parts):
        return os.path.join(self.work, *parts)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(self.path(name), mode)

    def haidang(self, *words):
        subprocess.run([f"{self.build}/console/haidang", *words], check=True, stdout=subprocess.DEVNULL)

    def issue(self, name, certificate, *options):
        self.haidang("ca", "issue", certificate, "--dir", self.path("ca"), *options)
        for kind in ("crt", "key"):
            shutil.copy(self.path("ca/issued", f"{certificate}.{kind}"), self.path("etc/tls", f"{name}.{kind}"))

    def prepare(self):
        for name in ("etc/tls", "etc/rules", "etc/placeholders", "etc/canary.d", "etc/journal-keys",
                     "var/correlator/alerts", "run"):
            os.makedirs(self.path(name))
        self.haidang("ca", "init", "--dir", self.path("ca"))
        self.issue("agent", "web1")
        self.issue("syslog", "syslog.example.gov.vn", "--server", "--host", "web1.example.gov.vn")
        self.issue("correlator", "soc1", "--server", "--host", "soc1.example.gov.vn")
        self.issue("forwarder", "forwarder")
        for name in ("ca.crt", "crl.pem"):
            shutil.copy(self.path("ca", name), self.path("etc/tls", name))
            shutil.copy(self.path("ca", name), self.path("etc/tls", "centre-" + name))
        for name in ("inventory.csv", "retention.yml"):
            shutil.copy(f"{self.source}/packaging/etc/{name}", self.path("etc"))
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.path("canary.key")], check=True)
        subprocess.run(["openssl", "pkey", "-in", self.path("canary.key"), "-pubout", "-out",
                        self.path("etc/canary.d/canary.pub")], check=True)
        for name in ("tsa-ca.crt", "web-ca.crt"):
            shutil.copy(self.path("ca", "ca.crt"), self.path("etc/tls", name))
        for name in ("2026", "alerts-2026", "spool", "receipts"):
            self.haidang("archive", "key", self.path("etc/journal-keys", f"{name}.key"))
        self.write("etc/logsources.yml", "- {events: {product: fortigate}, also: {category: firewall}}\n")
        self.write("etc/forwarder.token", "token\n", 0o600)

    def rewrite(self, text):
        for here, there in (("/etc/haidang/", self.path("etc/")), ("/var/lib/haidang/", self.path("var/")),
                            ("/run/haidang/", self.path("run/")),
                            ("/usr/local/share/haidang/rules", f"{self.source}/rules/library"),
                            ("/usr/local/share/haidang/decoders", f"{self.source}/rules/decoders"),
                            ("/usr/local/share/haidang/profiles", f"{self.source}/forwarder/profiles")):
            text = text.replace(here, there)
        text = re.sub(r"#(library|decoders):", r"\1:", text)  # the defaults are where it is installed
        return NOT_SHIPPED.sub("", text)

    def check(self, name, text, how):
        program = f"{self.build}/{PROGRAMS[name]}/haidang-{name}"
        self.write(f"{name}.yml", self.rewrite(text))
        run = subprocess.run([program, "--config", self.path(f"{name}.yml"), "--check"], capture_output=True, text=True)
        if run.returncode != 0:
            self.say(f"packaging/etc/{name}.yml {how}: --check says {run.returncode}\n{run.stdout}{run.stderr}")

    def complete(self, name, text):
        program = f"{self.build}/{PROGRAMS[name]}/haidang-{name}"
        printed = subprocess.run([program, "--help-config"], capture_output=True, text=True, check=True).stdout
        for key in re.findall(r"^\| `([^`]+)`", printed, re.M):
            last = key.split(".")[-1].removesuffix("[]")
            if not re.search(rf"(^|[\s#{{-]){last}:", text, re.M):
                self.say(f"packaging/etc/{name}.yml: does not show `{key}`")

    def all(self):
        self.prepare()
        for name in PROGRAMS:
            with open(f"{self.source}/packaging/etc/{name}.yml", encoding="utf-8") as sample:
                text = sample.read()
            self.complete(name, text)
            self.check(name, text, "as it is")
            self.check(name, COMMENTED_OUT.sub(r"\1", text), "with everything taken into use")
        return self.problems


def main():
    source, build = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="hd-samples.") as work:
        sys.exit(1 if Samples(source, build, work).all() else 0)


if __name__ == "__main__":
    main()
