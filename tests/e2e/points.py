# SPDX-License-Identifier: Apache-2.0
"""The points at which the programs are killed or refused by the system: each call that changes a disk or speaks
to a peer, by the kind of file. tests/support/fault.c finds them, so the programs need no hooks."""
import collections
import fnmatch

# when: how the call is made to happen
START, LOAD, BIG, END = "at a start", "with lines", "with many bytes of lines", "at an orderly end"
FIRST = "at the first start"

Row = collections.namedtuple("Row", "program call pattern when")
Point = collections.namedtuple("Point", "row action")


def journal(program, directory, grows):
    """What the one writer of a journal does."""
    segment = f"*/{directory}/0*.zst"
    return [Row(program, "create", f"*/{directory}/lock", START), Row(program, "create", f"*/{directory}/mark", START),
            Row(program, "write", segment, LOAD), Row(program, "sync", segment, LOAD),
            Row(program, "write", f"*/{directory}/mark", LOAD),
            Row(program, "create", segment, grows), Row(program, "sync", f"*/{directory}", grows)]


def whole_file(program, path, when):
    """A small file that is written aside and renamed."""
    return [Row(program, "create", f"*/{path}.tmp-*", when), Row(program, "write", f"*/{path}.tmp-*", when),
            Row(program, "sync", f"*/{path}.tmp-*", when), Row(program, "rename", f"*/{path}", when)]


def reader(program, path, when):
    return [Row(program, "create", f"*/{path}", START), Row(program, "write", f"*/{path}", when)]


def mirror(program, journal_name):
    """A segment is copied aside, read back, and placed."""
    part, directory = f"*/mirror/{journal_name}/.part/0*.zst", f"*/mirror/{journal_name}"
    return [*(Row(program, call, part, LOAD) for call in ("create", "write", "sync", "read")),
            Row(program, "rename", f"{directory}/0*.zst", LOAD), Row(program, "sync", directory, LOAD),
            *whole_file(program, f"mirror/{journal_name}/mark", LOAD)]


def stamps(program, owner, journal_name, end):
    """Requests (tsq) or replies (tsr)."""
    directory = f"{owner}/{journal_name}/stamps"
    return [*whole_file(program, f"{directory}/0*.{end}", LOAD), Row(program, "sync", f"*/{directory}", LOAD)]


TABLE = [
    *whole_file("agent", "agent1/boot", FIRST),
    *whole_file("correlator", "correlator/seal.key.pub", FIRST),
    *whole_file("correlator", "correlator/seal.key", FIRST),
    Row("correlator", "create", "*/correlator/archive/write-once-min", START),
    Row("correlator", "write", "*/correlator/archive/write-once-min", FIRST),
    Row("correlator", "sync", "*/correlator/archive/write-once-min", START),
    *whole_file("forwarder", "forwarder/seal.key.pub", FIRST),
    *whole_file("forwarder", "forwarder/seal.key", FIRST),

    *journal("agent", "agent1/spool", BIG),
    Row("agent", "unlink", "*/agent1/spool/0*.zst", BIG),
    *reader("agent", "agent1/spool/readers/uplink", BIG),
    *whole_file("agent", "agent1/state", END),
    Row("agent", "sync", "*/agent1", END),
    Row("agent", "read", "*/logs/app.log", LOAD),
    Row("agent", "unlink", "*/run/agent.sock", START),
    Row("agent", "connect", "tcp", START), Row("agent", "write", "tcp", LOAD), Row("agent", "read", "tcp", LOAD),

    *journal("correlator", "correlator/archive", LOAD),
    *reader("correlator", "correlator/archive/readers/detect-0", LOAD),
    Row("correlator", "read", "*/correlator/archive/0*.zst", LOAD),
    *journal("correlator", "correlator/alerts", LOAD),
    *whole_file("correlator", "correlator/detect.state", LOAD),
    *whole_file("correlator", "correlator/agents.json", END),
    Row("correlator", "sync", "*/correlator", END),
    Row("correlator", "unlink", "*/run/correlator.sock", START),
    Row("correlator", "write", "tcp", LOAD), Row("correlator", "read", "tcp", LOAD),

    *mirror("correlator", "archive"), *stamps("correlator", "correlator", "archive", "tsq"),
    *stamps("forwarder", "correlator", "archive", "tsr"),
    *mirror("forwarder", "receipts"), *stamps("forwarder", "forwarder", "receipts", "tsq"),
    *whole_file("forwarder", "forwarder/receipts/stamps/0*.tsr", LOAD),

    *journal("forwarder", "forwarder/receipts", LOAD),
    *reader("forwarder", "correlator/alerts/readers/forwarder-ncsc", LOAD),
    Row("forwarder", "read", "*/correlator/alerts/0*.zst", LOAD),
    Row("forwarder", "unlink", "*/run/forwarder.sock", START),
    Row("forwarder", "connect", "tcp", LOAD), Row("forwarder", "write", "tcp", LOAD),
    Row("forwarder", "read", "tcp", LOAD),
]

# Changes that need no point: directories that are synced once more; tables that can be made again from a journal;
# statements about what was lost, which are no one's only trace of it.
HARMLESS = [
    *(Row(program, call, f"*/mirror/{directory}", LOAD) for program in ("correlator", "forwarder")
      for call in ("create", "unlink", "write", "sync", "rename")
      for directory in ("alerts/*", "losses/*", "alerts", "losses", "*/lock", "*/.part/*", "*/stamps", "*/stamps/*")),
    *(Row(program, call, f"*/correlator/{directory}/stamps*", LOAD) for program in ("correlator", "forwarder")
      for directory in ("alerts", "losses") for call in ("create", "write", "sync", "rename")),
    *(Row(program, "sync", pattern, START) for program in ("agent", "correlator", "forwarder")
      for pattern in ("*/readers*", f"*/{program}")),
    *(Row(program, call, pattern, START) for program in ("agent", "correlator", "forwarder")
      for call in ("create", "write", "sync", "rename") for pattern in ("*.json", "*.json.tmp-*", "*/losses", "*/losses/*"))]


def is_known(program, call, path):
    return any(r.program == program and r.call == call and fnmatch.fnmatchcase(path, r.pattern)
               for r in TABLE + HARMLESS)


KILLS = {"write": ("before", "torn", "after")}
ERRORS = {"create": ("eio", "enospc"), "write": ("short", "eio", "enospc"), "sync": ("eio", "lose"),
          "rename": ("eio",), "unlink": ("eio",), "connect": ("eio",), "read": ("eio",)}


def kill_points():
    return [Point(row, action) for row in TABLE for action in KILLS.get(row.call, ("before", "after"))]


def error_points():
    """A first start that fails ends in a refusal, so errors are for programs that have run."""
    return [Point(row, action) for row in TABLE for action in ERRORS[row.call]
            if row.when != FIRST and (row.pattern != "tcp" or action != "enospc")]
