# SPDX-License-Identifier: Apache-2.0
"""A time-stamping authority for tests: `openssl ts -reply` behind an HTTP server on a loopback port. `mode` says how it
answers; whatever is wrong with an answer is made by the real thing."""
import http.server
import os
import subprocess
import threading

OTHER = "ab" * 32  # a digest that nobody asked for
TEXT = b"<html><body>It works!</body></html>"
TS = """[tsa]
default_tsa = authority
[authority]
serial = {dir}/serial
signer_cert = {dir}/{name}.crt
certs = {dir}/{name}.crt
signer_key = {dir}/{name}.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = {digests}
ess_cert_id_alg = sha256
"""
CA = """[ca]
default_ca = root
[root]
database = {dir}/index
new_certs_dir = {dir}
certificate = {dir}/{ca}.crt
private_key = {dir}/{ca}.key
serial = {dir}/ca-serial
default_md = sha256
policy = any
x509_extensions = stamping
unique_subject = no
[any]
commonName = supplied
[stamping]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
"""


class Server(http.server.HTTPServer):
    def handle_error(self, *_):
        """Whoever asked was killed meanwhile."""


class Authority:
    """The certificate of the authority that is to be believed is ca.crt in `directory`."""

    def __init__(self, directory):
        self.dir, self.mode, self.asked = directory, "good", 0
        os.makedirs(directory)
        for name, text in (("serial", "01\n"), ("ca-serial", "1000\n"), ("index", "")):
            self.write(name, text)
        for ca in ("ca", "foreign-ca"):
            self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                         "-subj", f"/CN={ca}", "-keyout", self.path(f"{ca}.key"), "-out", self.path(f"{ca}.crt"))
        self.issue("good", "ca")
        self.issue("foreign", "foreign-ca")
        self.issue("expired", "ca", dates=("-startdate", "20200101000000Z", "-enddate", "20200201000000Z"))
        self.server = None

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        return self.path(name)

    def openssl(self, *words):
        return subprocess.run(["openssl", *words], capture_output=True, check=True).stdout

    def issue(self, name, ca, dates=("-days", "10")):
        config = self.write(f"{name}.ca.conf", CA.format(dir=self.dir, ca=ca))
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                     "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.csr"))
        self.openssl("ca", "-batch", "-config", config, "-in", self.path(f"{name}.csr"), "-out", self.path(f"{name}.crt"),
                     "-notext", *dates)

    def reply(self, request, name="good", digests="sha256"):
        config = self.write(f"{name}.conf", TS.format(dir=self.dir, name=name, digests=digests))
        query = self.write("query", request)
        self.openssl("ts", "-reply", "-config", config, "-queryfile", query, "-out", self.path("reply"))
        with open(self.path("reply"), "rb") as file:
            return file.read()

    def query(self, digest, *more):
        """A request for another digest, or with another nonce."""
        return self.openssl("ts", "-query", "-digest", digest, "-sha256", "-cert", *more)

    def digest_of(self, request):
        text = self.openssl("ts", "-query", "-in", self.write("asked", request), "-text").decode()
        rows = [line.split("-", 1)[1] for line in text.split("Message data:")[1].split("Policy")[0].splitlines()
                if " - " in line]
        return "".join(c for row in rows for c in row[:49] if c in "0123456789abcdef")

    def answer(self, request):
        """(HTTP status, type, body) in the present mode."""
        kind = "application/timestamp-reply"
        if self.mode == "error":
            return 500, "text/html", TEXT
        if self.mode == "html":
            return 200, "text/html", TEXT
        if self.mode == "digest":
            return 200, kind, self.reply(self.query(OTHER))
        if self.mode == "nonce":
            return 200, kind, self.reply(self.query(self.digest_of(request)))
        if self.mode == "refuses":
            return 200, kind, self.reply(request, digests="sha512")
        return 200, kind, self.reply(request, self.mode)

    def serve(self):
        """Its URL."""
        authority = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                request = self.rfile.read(int(self.headers["Content-Length"]))
                authority.asked += 1
                if self.headers["Content-Type"] != "application/timestamp-query":
                    status, kind, body = 415, "text/plain", b"no request"
                else:
                    status, kind, body = authority.answer(request)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}/tsa"

    def close(self):
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
