#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second copy of what is sealed, kept by the real correlator: it catches up after an outage and after kills, says what
is behind, never delays a line, and is judged by `haidang archive compare` and `verify`.
HD_MIRROR_KILLS (default 3): how often the correlator is killed while it copies."""
import array
import fcntl
import os

from chain import Chain
from world import Failure, NotRun, World, main, wait_until

KILLS = int(os.environ.get("HD_MIRROR_KILLS", "3"))
JOURNALS = ("archive", "alerts", "losses")
KEYS = {"archive": "  segment_age: 100ms\n", "alerts": "  segment_age: 100ms\n",
        "correlator": "mirror: {dir: mirror, same_disk: yes, retry: 100ms, alarm: 1s}\n"}


def start(world):
    chain = Chain(world, KEYS)
    chain.start_all()
    return chain


def behind(world):
    return {j["journal"]: j for j in world.status("correlator")["mirror"]["journals"]}


def segments(world, *path):
    directory = world.path(*path)
    return sorted(n for n in os.listdir(directory) if n.endswith(".zst")) if os.path.isdir(directory) else []


def fill(world, chain, more):
    """Lines until so many more segments of the archive are there."""
    enough = len(segments(world, "correlator", "archive")) + more

    def is_enough():
        chain.write(40)
        return len(segments(world, "correlator", "archive")) >= enough

    wait_until("segments to be sealed", is_enough)
    chain.drain()


def judge(world, chain):
    """How many segments the mirror holds, all of them right."""
    wait_until("the mirror to hold all", chain.is_mirrored)
    held = 0
    for name in JOURNALS:
        if not segments(world, "mirror", name):
            continue
        world.haidang("archive", "verify", world.path("mirror", name), "--key", world.path("correlator", "seal.key.pub"))
        wait_until(f"all of {name}, sealed by its age meanwhile", lambda journal=name: world.haidang(
            "archive", "compare", world.path("correlator", journal), world.path("mirror", journal), check=False).returncode == 0)
        held += len(segments(world, "mirror", name))
    return held


def test_it_follows_through_kills():
    with World() as world:
        chain = start(world)
        for _ in range(KILLS):
            fill(world, chain, 3)
            chain.kill("correlator")
            chain.start("correlator")
            chain.wait_up("correlator")
        fill(world, chain, 3)
        held = judge(world, chain)
        assert world.metric("correlator", "mirror_behind_segments") == 0
        print(f"     {KILLS} kills, {held} segments in the mirror, all verified; obligations {chain.drain():,}, broken 0")


def test_an_outage():
    """The disk of the mirror goes away and comes back: a problem is shown, lines and alerts go on."""
    with World() as world:
        chain = start(world)
        fill(world, chain, 2)
        judge(world, chain)
        os.rename(world.path("mirror"), world.path("unplugged"))
        fill(world, chain, 5)
        wait_until("the mirror to be behind", lambda: behind(world)["archive"]["behind"] >= 4)
        told = world.status("correlator")
        assert told["state"] == "degraded"
        assert any("the mirror of archive" in p and "is not there" in p for p in told["problems"]), told["problems"]
        assert behind(world)["archive"]["behind_bytes"] > 0
        wait_until("its age", lambda: behind(world)["archive"]["behind_s"] >= 1)
        assert world.metric("correlator", "mirror_failures_total") > 0
        assert not os.path.exists(world.path("mirror"))
        os.rename(world.path("unplugged"), world.path("mirror"))
        print(f"     5 segments later caught up: {judge(world, chain)} in the mirror")
        check_what_is_lost(world)
        judge(world, chain)


def check_what_is_lost(world):
    """A segment that is gone from the mirror comes again; one that is damaged there is found by verify."""
    mirror = world.path("mirror", "archive")
    first, second = (os.path.join(mirror, n) for n in segments(world, "mirror", "archive")[:2])
    with open(second, "r+b") as file:
        file.seek(200)
        byte = file.read(1)
        file.seek(200)
        file.write(bytes([byte[0] ^ 1]))
    done = world.haidang("archive", "verify", mirror, "--key", world.path("correlator", "seal.key.pub"), check=False)
    assert done.returncode == 1 and os.path.basename(second) in done.stdout, done.stdout
    os.remove(second)  # what a person does then
    os.remove(first)
    wait_until("them to be there again", lambda: os.path.exists(first) and os.path.exists(second))


# ---- write-once ----

GETFLAGS, SETFLAGS, IMMUTABLE = 0x80086601, 0x40086602, 0x10  # of FS_IOC_*; FS_IMMUTABLE_FL


def set_flag(path, is_on):
    """As chattr +i and -i do."""
    fd = os.open(path, os.O_RDONLY)
    try:
        flags = array.array("l", [0])
        fcntl.ioctl(fd, GETFLAGS, flags)
        flags[0] = flags[0] | IMMUTABLE if is_on else flags[0] & ~IMMUTABLE
        fcntl.ioctl(fd, SETFLAGS, flags)
    finally:
        os.close(fd)


def check_flags(world):
    path = world.write("flag", "x")
    try:
        set_flag(path, True)
        set_flag(path, False)
    except OSError as error:
        raise NotRun(f"no immutable files here: {error}") from error


def immutable_to(world):
    return next(j["immutable_to"] for j in world.status("correlator")["write_once"] if j["journal"] == "archive")


def archive_files(world):
    return [world.path("correlator", "archive", n) for n in segments(world, "correlator", "archive")]


def check_nobody_can(world):
    """We are root here."""
    first = archive_files(world)[0]
    for harm in (os.remove, lambda path: os.rename(path, path + ".away"), lambda path: open(path, "r+b").close(),
                 lambda path: os.chmod(path, 0o666)):
        try:
            harm(first)
        except PermissionError:
            continue
        raise Failure("somebody could change an immutable segment")


def test_write_once():
    """Sealed segments cannot be changed, nothing younger than the minimum goes, and retention removes what is older."""
    keys = dict(KEYS, archive=KEYS["archive"] + "  write_once: immutable\n  write_once_min: 1h\n  retain_age: 2h\n"
                              "  retain_bytes: 1\n")
    with World() as world:
        check_flags(world)
        chain = Chain(world, keys)
        try:
            chain.start_all()
            fill(world, chain, 4)
            chain.kill("correlator")
            chain.start("correlator")
            chain.wait_up("correlator")
            fill(world, chain, 2)
            wait_until("all but the last to be immutable",
                       lambda: immutable_to(world) >= int(segments(world, "correlator", "archive")[-2][:20]))
            check_nobody_can(world)
            held = len(archive_files(world))
            obligations = chain.drain()
            chain.keys = dict(keys, archive=KEYS["archive"] + "  write_once: immutable\n  retain_age: 1ms\n")
            chain.configure()
            first = archive_files(world)[0]
            chain.end("correlator")
            process = chain.start("correlator")
            chain.wait_up("correlator")
            process.wait_line("a write-once file is released")
            wait_until("retention to remove them", lambda: not os.path.exists(first))
            print(f"     {held} segments kept by their age, then removed; obligations {obligations:,}, broken 0")
        finally:
            if "correlator" in chain.processes:
                chain.kill("correlator")
            for path in archive_files(world):
                set_flag(path, False)


main(test_write_once, test_it_follows_through_kills, test_an_outage)
