#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""haidang report on data written for it: what it counts in which period, what it admits not to know, and what hostile
names do to it."""
import html.parser
import json
import os
import re
import shutil
import subprocess
import unittest
from datetime import datetime, timezone

import console
from console import BUILD, OK, RUNTIME, USAGE

CERT, STORE = 4, 6
SECOND = 1_000_000_000
MAKER = f"{BUILD}/tests/unit/console/write_archive"
HOSTILE = '<script>alert("x")</script>|[a](http://b.example)\x1b[2J\u202e'


def ns(text):
    """Of a time in Vietnam: "2026-10-01 00:00:00"."""
    when = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    return (int(when.timestamp()) - 7 * 3600) * SECOND


def rfc3339(at):
    return datetime.fromtimestamp(at // SECOND, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + f".{at // 1000 % 1000000:06}Z"


class Report(console.Case):
    def setUp(self):
        super().setUp()
        self.data = os.path.join(self.dir, "data")
        self.orders = {name: [] for name in ("correlator/archive", "correlator/alerts", "correlator/losses", "forwarder/receipts")}
        self.seq, self.n_alerts = {}, 0

    def batch(self, *lines, agent="web1", hosts=("web1",), peer=""):
        """Lines: (when in Vietnam, host's number, text)."""
        orders = self.orders["correlator/archive"]
        first = self.seq.get(agent, 1)
        self.seq[agent] = first + len(lines)
        orders.append(f"batch\t{agent}\t{first}")
        orders += [f"source\t{host}\tfile\t/var/log/x\t{peer}" for host in hosts]
        orders += [f"line\t{ns(when)}\t{host}\t-\t{text.encode().hex()}" for when, host, text in lines]
        orders.append("end")

    def text(self, journal, first, last, obj):
        line = obj if isinstance(obj, str) else json.dumps(obj, ensure_ascii=False)
        self.orders[journal].append(f"text\t{first}\t{last}\t{(line + chr(10)).encode().hex()}")

    def alert(self, when, rule="r1", severity=2, status="new", **more):
        self.n_alerts += 1
        at = ns(when)
        alert = {"version": 1, "id": f"00000000-0000-8000-8000-{self.n_alerts:012}", "status": status,
                 "time": {"first": rfc3339(at - SECOND), "last": rfc3339(at - SECOND), "published": rfc3339(at)}, "count": 1,
                 "rule": {"id": rule, "title": f"title of {rule}", "level": "medium", "type": "detection",
                          "tags": ["attack.initial-access", "attack.t1190"]},
                 "severity": severity, "evidence": [], "delivery": "national", **more}
        self.text("correlator/alerts", at - SECOND, at - SECOND, alert)
        return self.n_alerts

    def loss(self, when, kind="sequence-gap", count=5, agent="web1", first=None, source=""):
        at = ns(when)
        begin = ns(first) if first else at
        self.text("correlator/losses", begin, at, {
            "v": 1, "kind": kind, "time": rfc3339(at), "first": rfc3339(begin), "last": rfc3339(at), "count": count,
            "by": "correlator", "agent": agent, "source": source})

    def receipt(self, when, index, outcome="delivered", destination="ncsc"):
        at = ns(when)
        self.text("forwarder/receipts", at, at, {
            "time": rfc3339(at), "destination": destination, "alert": f"00000000-0000-8000-8000-{index:012}", "index": index,
            "outcome": outcome, "profile": "vn-ncsc-alert@0.1.0", "status": 422 if outcome == "dead" else 200})

    def make(self, segment_bytes=0):
        for name, orders in self.orders.items():
            os.makedirs(os.path.dirname(os.path.join(self.data, name)), exist_ok=True)
            subprocess.run([MAKER, os.path.join(self.data, name), str(segment_bytes)], check=True, timeout=600,
                           input="".join(order + "\n" for order in orders).encode())
            self.orders[name] = []

    def report(self, *args):
        return self.run_haidang("report", "--data", self.data, *args)

    def doc(self, *args, code=OK):
        result = self.report("--json", *args)
        self.assertEqual(result.code, code, result.err)
        if code == OK:
            self.assertEqual(result.err, "")
        return json.loads(result.out)

    def unknown(self, doc):
        return {row["what"] for row in doc["unknown"]}

    def inventory(self):
        return self.write("inventory.csv", "id,name,agency,level,hosts,networks\n"
                          "portal,Cổng dịch vụ công,Sở A,3,web1,\nmail,Thư điện tử,Sở B,2,,192.0.2.0/24\n"
                          "hidden,Hệ thống ẩn,Sở C,4,never,\nsmall,Nhỏ,Sở D,1,nobody,\n")


class Periods(Report):
    def fill(self):
        """On both sides of each end of the months of 2025Q4, and within."""
        times = [f"2025-{month:02}-{day}" for month, day in
                 ((9, "30 23:59:59"), (10, "01 00:00:00"), (10, "15 12:00:00"), (10, "31 23:59:59"), (11, "01 00:00:00"),
                  (11, "30 23:59:59"), (12, "01 00:00:00"), (12, "31 23:59:59"))] + ["2026-01-01 00:00:00"]
        for i, when in enumerate(times):
            self.batch(*((when, k % 2, "x" * (i + 1)) for k in range(i + 1)), hosts=("web1", "web2"))
            index = self.alert(when, rule=f"r{i % 3}", severity=i % 4 + 1)
            self.loss(when, count=i + 1)
            self.receipt("2026-01-02 00:00:00", index, outcome=("delivered", "dead")[i % 2])
        # one batch over the end of a month, and a loss that began in the one before
        self.batch(("2025-10-31 23:59:59", 0, "before"), ("2025-11-01 00:00:00", 0, "after"))
        self.loss("2025-12-01 00:00:01", first="2025-11-20 00:00:00", count=1000)
        self.make(segment_bytes=4096)

    def totals(self, *args):
        doc = self.doc("--top", "100", *args)
        return {
            "lines": doc["lines"]["lines"], "bytes": doc["lines"]["bytes"],
            **{f"host {row['name']}": row["count"] for row in doc["lines"]["hosts"]},
            **{f"day {row['day']}": row["lines"] for row in doc["lines"]["days"] if row["lines"]},
            "alerts": doc["alerts"]["alerts"],
            **{f"level {name}": n for name, n in doc["alerts"]["by_level"].items()},
            **{f"rule {row['id']}": row["alerts"] for row in doc["alerts"]["rules"]},
            **{f"technique {row['id']}": row["alerts"] for row in doc["alerts"]["techniques"]},
            **{f"{what} {row['name']}": row[what] for row in doc["delivery"]["destinations"]
               for what in ("delivered", "dead", "pending", "not_for_it")},
            **{f"lost {kind}": n for kind, n in doc["losses"]["by_kind"].items()},
        }

    def test_a_quarter_is_the_sum_of_its_months(self):
        self.fill()
        months = [self.totals("--month", month) for month in ("2025-10", "2025-11", "2025-12")]
        total = {}
        for month in months:
            for name, n in month.items():
                total[name] = total.get(name, 0) + n
        self.assertEqual(self.totals("--quarter", "2025Q4"), total)
        self.assertEqual(total["lines"], sum(range(2, 9)) + 2)
        self.assertEqual(total["alerts"], 7)
        # sequence gaps in the period, and dead letters in January by the time of their receipts
        self.assertEqual(total["lost sequence-gap"], sum(range(2, 9)) + 1000)
        self.assertEqual([month["lines"] for month in months], [2 + 3 + 4 + 1, 5 + 6 + 1, 7 + 8])

    def test_lines_are_those_that_search_finds(self):
        self.fill()
        for since, until in (("2025-10-01T00:00:00+07:00", "2025-11-01T00:00:00+07:00"),
                             ("2025-09-30T23:59:59.5+07:00", "2025-12-31T23:59:59+07:00")):
            found = self.run_haidang("search", "", "--count", "--since", since, "--until", until, f"{self.data}/correlator/archive")
            self.assertEqual(self.doc("--since", since, "--until", until)["lines"]["lines"], int(found.out))

    def test_losses_are_those_that_losses_shows(self):
        self.fill()
        shown = self.run_haidang("losses", "--since", "2025-11-01T00:00:00+07:00", "--lang", "en",
                                 "--dir", f"{self.data}/correlator/losses", "--receipts", f"{self.data}/forwarder/receipts")
        totals = dict(re.findall(r"[ ,]([a-z-]+) (\d+) \w+", shown.out.splitlines()[-1]))
        by_kind = self.doc("--since", "2025-11-01")["losses"]["by_kind"]
        self.assertEqual({kind: int(n) for kind, n in totals.items()}, by_kind)
        self.assertEqual(set(by_kind), {"sequence-gap", "dead-letter"})

    def test_a_copy_without_marks_tells_the_same(self):
        self.fill()
        whole = self.totals("--year", "2025")
        for name in ("correlator/archive", "correlator/alerts", "correlator/losses", "forwarder/receipts"):
            for file in ("mark", "lock"):
                os.remove(os.path.join(self.data, name, file))
        self.assertEqual(self.totals("--year", "2025"), whole)

    def test_the_number_of_threads_changes_nothing(self):
        self.fill()
        one, many = (self.doc("--year", "2025", "--jobs", jobs) for jobs in ("1", "7"))
        one.pop("made"), many.pop("made")
        self.assertEqual(one, many)

    def test_units_and_zone(self):
        self.fill()
        for args, since, until in ((("--day", "2025-10-15"), "2025-10-14T17:00:00.000Z", "2025-10-15T17:00:00.000Z"),
                                   (("--week", "2025-W42"), "2025-10-12T17:00:00.000Z", "2025-10-19T17:00:00.000Z"),
                                   (("--half", "2025H2", "--utc"), "2025-07-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"),
                                   (("--since", "2025-10-15", "--until", "2025-10-16"), "2025-10-14T17:00:00.000Z",
                                    "2025-10-15T17:00:00.000Z")):
            period = self.doc(*args)["period"]
            self.assertEqual((period["since"], period["until"]), (since, until))
            self.assertEqual(period["zone"], "UTC" if "--utc" in args else "Asia/Ho_Chi_Minh")
        self.assertEqual(self.doc("--day", "2025-10-15")["lines"]["lines"], 3)

    def test_alerts_of_the_period_before(self):
        self.fill()
        self.assertEqual(self.doc("--month", "2025-11")["alerts"]["period_before"], 3)
        self.assertEqual(self.doc("--day", "2025-11-01")["alerts"]["period_before"], 1)

    def test_wrong_periods(self):
        self.make()
        for args, text in (
                (("--month", "2026-13"), "--month: no calendar has '2026-13'"),
                (("--month", "11/2026"), "--month is written as in 2026-11, not '11/2026'"),
                (("--week", "2025-W53"), "--week: no calendar has '2025-W53'"),
                (("--day", "2261-12-31"), "the period has not begun: it begins at 2261-12-30T17:00:00Z"),
                (("--day", "2026-01-01", "--month", "2026-01"), "name one period: "),
                (("--since", "1d", "--month", "2026-01"), "name one period: "),
                (("--since", "2026-01-02", "--until", "2026-01-02"), "--since is not before --until"),
                (("--since", "2001-01-01"), "a report is about ten years at most"),
                (("--since", "yesterday"), "--since is a duration such as 10m"),
                (("--html", "--json"), "--json or --html, not both"),
                (("--sign", "key"), "--sign wants --output"),
                (("--top", "0"), "--jobs and --top are at least 1"),
                (("--lang", "fr"), "--lang is en or vi")):
            result = self.report(*args)
            self.assertEqual((result.code, result.out), (USAGE, ""), args)
            self.assertIn(text, result.err)


class Content(Report):
    MONTH = ("--month", "2025-10")

    def test_systems_hosts_and_agents(self):
        self.batch(("2025-10-02 00:00:00", 0, "one"), ("2025-10-02 00:00:01", 0, "three"), ("2025-10-02 00:00:02", 1, "x"),
                   hosts=("web1", "other"), agent="a1")
        self.batch(("2025-10-03 00:00:00", 0, "mail"), agent="a2", hosts=("m",), peer="192.0.2.9")
        self.make()
        doc = self.doc(*self.MONTH, "--inventory", self.inventory())
        lines = doc["lines"]
        self.assertEqual((lines["lines"], lines["bytes"]), (4, 13))
        self.assertEqual([(s["id"], s["level"], s["lines"], s["bytes"]) for s in lines["systems"]],
                         [("portal", 3, 2, 8), ("mail", 2, 1, 4)])
        self.assertEqual(lines["no_system"], {"lines": 1, "bytes": 1})
        self.assertEqual([s["id"] for s in lines["systems_unheard"]], ["hidden"])
        self.assertEqual(lines["agents"], [{"name": "a1", "count": 3, "bytes": 9}, {"name": "a2", "count": 1, "bytes": 4}])
        self.assertEqual([h["name"] for h in lines["hosts"]], ["web1", "m", "other"])
        self.assertNotIn("no-inventory", self.unknown(doc))
        self.assertIn("no-inventory", self.unknown(self.doc(*self.MONTH)))
        short = self.doc(*self.MONTH, "--top", "1")["lines"]
        self.assertEqual((len(short["hosts"]), short["hosts_more"]), (1, 2))

    def test_hours_without_lines_and_time_before_the_archive(self):
        self.batch(("2025-10-02 00:30:00", 0, "x"))
        self.batch(("2025-10-02 05:10:00", 0, "x"))
        self.batch(("2025-10-31 23:59:59", 0, "x"))
        self.make()
        doc = self.doc("--since", "2025-10-01", "--until", "2025-10-03")
        self.assertEqual(doc["lines"]["days"], [{"day": "2025-10-02", "lines": 2}])  # of the first nothing is known
        self.assertEqual(doc["lines"]["gaps"], [{"since": "2025-10-01T18:00:00.000Z", "until": "2025-10-01T22:00:00.000Z"},
                                                {"since": "2025-10-01T23:00:00.000Z", "until": "2025-10-02T17:00:00.000Z"}])
        self.assertEqual(doc["lines"]["hours_without_lines"], 4 + 18)
        self.assertIn("before-archive", self.unknown(doc))
        whole = self.doc("--since", "2025-10-02T00:30:00+07:00", "--until", "2025-10-03")
        self.assertNotIn("before-archive", self.unknown(whole))
        across = self.doc("--since", "2025-10-01T20:40:00+07:00", "--until", "2025-10-02T05:11:00+07:00")
        self.assertEqual(across["lines"]["days"], [{"day": "2025-10-02", "lines": 2}])
        early = self.doc("--month", "2025-09")
        self.assertNotIn("lines", early)
        self.assertIn("before-archive", self.unknown(early))

    def test_what_becomes_of_alerts(self):
        for outcome in ("delivered", "retry", None, "dead", "withheld", None, None):
            test = {"status": "test", "canary": {"id": "x", "class": "udp", "key": "k", "sent": rfc3339(ns("2025-10-02 00:00:00")),
                                                 "parts": 1}} if outcome == "withheld" else {}
            index = self.alert("2025-10-02 00:00:00", **test)
            if outcome:
                self.receipt("2025-10-02 00:00:01", index, outcome)
        self.receipt("2025-10-02 00:00:02", 1, "delivered", destination="province")
        self.batch(("2025-10-01 00:00:00", 0, "x"))
        self.make()
        doc = self.doc(*self.MONTH)
        self.assertEqual(doc["alerts"]["alerts"], 6)
        self.assertEqual(doc["canaries"]["alerts"], 1)
        self.assertEqual((doc["canaries"]["rules_proven"], doc["canaries"]["rules"][0]["id"]), (1, "r1"))
        ncsc, province = doc["delivery"]["destinations"]
        self.assertEqual({k: v for k, v in ncsc.items() if isinstance(v, int)},
                         {"delivered": 1, "dead": 1, "withheld": 0, "not_for_it": 2, "pending": 2})
        self.assertEqual(ncsc["profiles"], ["vn-ncsc-alert@0.1.0"])
        self.assertEqual((province["delivered"], province["pending"]), (1, 5))
        self.assertEqual(doc["losses"]["by_kind"], {"dead-letter": 1})

    def test_no_loss_is_said_plainly(self):
        self.batch(("2025-10-01 00:00:00", 0, "x"))
        self.make()
        plain = "No line was lost or refused, and no alert."
        self.assertIn(plain, self.report(*self.MONTH, "--lang", "en").out)
        self.assertIn("Không có dòng nào bị mất hoặc bị từ chối, cảnh báo cũng vậy.", self.report(*self.MONTH, "--lang", "vi").out)
        since = self.report("--month", "2025-10", "--since", "30d").code
        self.assertEqual(since, USAGE)
        older = self.report("--since", "2025-09-01", "--until", "2025-11-01", "--lang", "en").out
        self.assertIn("No line was lost or refused, and no alert, since the archive begins.", older)
        shutil.rmtree(f"{self.data}/forwarder")
        result = self.report(*self.MONTH, "--lang", "en")
        self.assertEqual(result.code, OK)  # there need be no forwarder
        self.assertIn("No line was lost or refused (of alerts it is not known).", result.out)
        self.assertEqual(self.report(*self.MONTH, "--receipts", f"{self.data}/forwarder").code, RUNTIME)
        shutil.rmtree(f"{self.data}/correlator/losses")
        result = self.report(*self.MONTH, "--lang", "en")
        self.assertEqual(result.code, RUNTIME)
        self.assertNotIn(plain, result.out)
        self.assertIn("Nothing is written down as lost in what could be read", result.out)

    def test_losses_say_who_when_and_why(self):
        self.batch(("2025-10-01 00:00:00", 0, "x"))
        self.loss("2025-10-05 00:00:00", kind="udp-kernel-drops", count=7, source="syslog-udp :514")
        self.loss("2025-10-06 00:00:00", kind="udp-kernel-drops", count=8, source="syslog-udp :514")
        self.make()
        row, = self.doc(*self.MONTH, "--inventory", self.inventory())["losses"]["rows"]
        self.assertEqual((row["agent"], row["source"], row["count"], row["records"]), ("web1", "syslog-udp :514", 15, 2))
        self.assertEqual((row["first"], row["last"]), ("2025-10-04T17:00:00.000Z", "2025-10-05T17:00:00.000Z"))
        self.assertEqual((row["why"], row["system"]["id"]), ("the socket's receive buffer was full", "portal"))
        vietnamese = self.report(*self.MONTH, "--lang", "vi").out
        self.assertIn("15 gói UDP", vietnamese)
        self.assertIn("- tổng cộng: udp-kernel-drops, 15 gói UDP\n", vietnamese)
        self.assertIn("bộ đệm nhận của socket bị đầy", vietnamese)

    def test_it_only_reads(self):
        self.batch(("2025-10-01 00:00:00", 0, "x"))
        self.alert("2025-10-01 00:00:00")
        self.make()
        def state():
            return sorted((path, name, os.stat(os.path.join(path, name)).st_mtime_ns) for path, _, names in os.walk(self.data) for name in names)
        before = state()
        self.doc(*self.MONTH)
        self.assertEqual(state(), before)


class Damage(Report):
    def fill(self):
        for day in range(1, 29):
            self.batch(*((f"2025-10-{day:02} 00:00:{i:02}", 0, os.urandom(100).hex()) for i in range(20)))
        self.make(segment_bytes=4096)
        return sorted(os.path.join(self.data, "correlator/archive", f) for f in os.listdir(f"{self.data}/correlator/archive")
                      if f.endswith(".zst"))

    def test_damage_is_told_and_the_rest_is_counted(self):
        segments = self.fill()
        with open(segments[3], "r+b") as file:
            file.seek(200)
            file.write(b"\0" * 64)
        doc = self.doc("--month", "2025-10", code=RUNTIME)
        self.assertIn("damage", self.unknown(doc))
        self.assertTrue(0 < doc["lines"]["lines"] < 28 * 20)
        text = self.report("--month", "2025-10", "--lang", "en").out
        self.assertIn("Places that do not verify; what is in them is not counted: 1", text)
        self.assertNotIn("No line was lost", text)

    def test_segments_that_retention_took_are_told(self):
        segments = self.fill()
        for segment in segments[:5]:
            os.remove(segment)
        doc = self.doc("--month", "2025-10")
        self.assertLessEqual({"before-archive", "expired"}, self.unknown(doc))
        self.assertEqual(self.unknown(self.doc("--day", "2025-10-28")) & {"before-archive", "expired"}, set())

    def test_journals_that_cannot_be_read(self):
        self.batch(("2025-10-01 00:00:00", 0, "x"))
        self.alert("2025-10-01 00:00:00")
        self.text("correlator/alerts", ns("2025-10-02 00:00:00"), ns("2025-10-02 00:00:00"), '{"no": "alert"}')
        self.text("correlator/losses", ns("2025-10-02 00:00:00"), ns("2025-10-02 00:00:00"), "no loss")
        self.text("forwarder/receipts", ns("2025-10-02 00:00:00"), ns("2025-10-02 00:00:00"), "[1]")
        self.make()
        doc = self.doc("--month", "2025-10", code=RUNTIME)
        self.assertEqual(doc["alerts"]["alerts"], 1)
        self.assertEqual({os.path.basename(row["about"]) for row in doc["unknown"] if row["what"] == "unreadable"},
                         {"alerts", "losses", "receipts"})
        for name in ("correlator/alerts", "correlator/losses", "forwarder/receipts"):
            shutil.rmtree(os.path.join(self.data, name))
        doc = self.doc("--month", "2025-10", code=RUNTIME)
        self.assertEqual({os.path.basename(row["about"]) for row in doc["unknown"] if row["what"] == "no-journal"},
                         {"alerts", "losses"})
        self.assertIn("no-receipts", self.unknown(doc))
        self.assertEqual({"alerts", "canaries", "delivery"} & set(doc), set())
        self.assertIn("Not known; see above.", self.report("--month", "2025-10", "--lang", "en").out)

    def test_no_archive_and_an_empty_one(self):
        result = self.report("--day", "2025-10-01")
        self.assertEqual((result.code, result.out), (STORE, ""))
        self.assertIn("is no archive that can be read: not found; name the directory with --data", result.err)
        self.make()
        doc = self.doc("--day", "2025-10-01")
        self.assertIn("nothing-archived", self.unknown(doc))
        self.assertNotIn("lines", doc)
        text = self.report("--day", "2025-10-01", "--lang", "en").out
        self.assertNotIn("No line was lost", text)

    def test_a_period_that_is_not_over(self):
        self.batch((datetime.now(timezone.utc).strftime("%Y-01-01 00:00:00"), 0, "x"))
        self.make()
        self.assertIn("not-over", self.unknown(self.doc("--year", datetime.now(timezone.utc).strftime("%Y"))))


class Hostile(Report):
    class Reader(html.parser.HTMLParser):
        ALLOWED = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "ul", "li", "table", "tr", "th", "td"}

        def __init__(self):
            super().__init__(convert_charrefs=True)
            self.tags, self.attributes, self.seen = set(), set(), ""

        def handle_starttag(self, tag, attrs):
            self.tags.add(tag)
            self.attributes |= {name for name, _ in attrs}

        def handle_data(self, data):
            self.seen += data

    def fill(self):
        self.batch(("2025-10-01 00:00:00", 0, "x"), hosts=(HOSTILE.replace("\t", " "),), agent="a<b>&")
        self.alert("2025-10-01 00:00:00", rule=HOSTILE, host={"name": HOSTILE},
                   system={"id": "x", "name": HOSTILE, "agency": HOSTILE, "level": 3},
                   category={"tactic": "TA0001", "name": HOSTILE})
        self.loss("2025-10-01 00:00:00", agent=HOSTILE, source=HOSTILE)
        self.receipt("2025-10-01 00:00:00", 1, destination=HOSTILE)
        self.make()

    def test_nothing_of_strangers_is_html(self):
        self.fill()
        result = self.report("--day", "2025-10-01", "--html")
        self.assertEqual((result.code, result.err), (OK, ""))
        reader = self.Reader()
        reader.feed(result.out)
        reader.close()
        self.assertLessEqual(reader.tags, reader.ALLOWED)
        self.assertLessEqual(reader.attributes, {"lang", "charset", "http-equiv", "content", "name", "class"})
        self.assertGreater(reader.seen.count('<script>alert("x")</script>'), 8)
        self.assertNotIn("\x1b", result.out)
        self.assertNotIn("\u202e", result.out)
        self.assertNotIn("http://b", re.sub(r"\\?&#?\w+;", "", "".join(re.findall(r'(?:src|href)="[^"]*"', result.out))))

    def test_nothing_of_strangers_is_markdown(self):
        self.fill()
        text = self.report("--day", "2025-10-01").out
        self.assertEqual(re.findall(r"(?<!\\)<", text), [])
        self.assertEqual(re.findall(r"(?<!\\)\[", text), [])
        self.assertEqual(re.findall(r"http://", text), [])
        self.assertNotIn("\x1b", text)
        for table in re.findall(r"(?:^\|.*\n)+", text, re.M):  # as many cells a row
            self.assertEqual(len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}), 1, table)


class Output(Report):
    def test_a_signed_file_verifies_with_openssl(self):
        self.batch(("2025-10-01 00:00:00", 0, "x"))
        self.make()
        key, path = os.path.join(self.dir, "key"), os.path.join(self.dir, "report.html")
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
        os.chmod(key, 0o600)
        subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", f"{key}.pub"], check=True, capture_output=True)
        result = self.report("--day", "2025-10-01", "--html", "-o", path, "--sign", key)
        self.assertEqual((result.code, result.out, result.err), (OK, "", ""))
        check = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", f"{key}.pub", "-rawin", "-in", path, "-sigfile", f"{path}.sig"]
        self.assertEqual(subprocess.run(check, capture_output=True, check=False).returncode, 0)
        with open(path, "ab") as file:
            file.write(b" ")
        self.assertNotEqual(subprocess.run(check, capture_output=True, check=False).returncode, 0)
        result = self.report("--day", "2025-10-01", "-o", path, "--sign", f"{key}.pub")
        self.assertEqual(result.code, CERT)
        self.assertEqual(self.report("--day", "2025-10-01", "-o", f"{self.dir}/nowhere/x").code, STORE)

    def test_every_text_is_there_in_both_languages(self):
        self.batch(("2025-10-01 00:00:00", 0, "x"))
        self.alert("2025-10-01 00:00:00")
        self.make()
        english = self.report("--month", "2025-10", "--lang", "en").out
        vietnamese = self.report("--month", "2025-10", "--lang", "vi").out
        self.assertTrue(english.isascii())
        self.assertEqual(len(english.splitlines()), len(vietnamese.splitlines()))
        for heading in re.findall(r"^## .*", english, re.M):
            self.assertNotIn(heading, vietnamese)
        self.assertIn("not endorsed by NCSC or A05", english)
        self.assertIn("chưa được NCSC hay A05 xác nhận", vietnamese)

    def test_programs_that_do_not_answer_are_named(self):
        self.batch(("2025-10-01 00:00:00", 0, "x"))
        self.make()
        self.assertIn("not-asked", self.unknown(self.doc("--day", "2025-10-01")))
        doc = self.doc("--day", "2025-10-01", "--run-dir", self.dir)
        self.assertEqual([row["about"] for row in doc["unknown"] if row["what"] == "no-answer"], ["correlator", "forwarder"])


if __name__ == "__main__":
    console.main()
