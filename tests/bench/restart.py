#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long the correlator takes from its start until it has acknowledged a batch, over a large archive.
usage: tests/bench/restart.py [SEGMENTS]      of 64 MiB; default 1,600 (100 GiB, of which the disk holds 4)

The segments are made by big_archive: right in every header, holes for payloads; the last one is real and was
not sealed. Cold: what the kernel has cached of files and of the file system is dropped before (as root).
HD_BENCH_ROUNDS (default 5) restarts of each kind, in turn; medians."""
import os
import signal
import socket
import ssl
import statistics
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from world import BUILD, Failure, World, program, wait_until  # noqa: E402
import install  # noqa: E402
import rogue  # noqa: E402

ROUNDS = int(os.environ.get("HD_BENCH_ROUNDS", "5"))
PATIENCE = 600.0
POLYNOMIAL = 0x82F63B78  # of CRC-32C, reflected


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def one_line_batch(boot):
    """BATCH with one record, in a zstd frame that holds it as it is."""
    now = int(time.time())
    text = (f'{{"v":1,"agent":"agent1","boot":"{boot}","first":1,"last":1,"time_min":{now}000000000,'
            f'"time_max":{now}000000000,"sources":[{{"host":"web1","kind":"file","name":"/x","format":"auto"}}]}}\n'
            f'{now}.000000 0 after the restart\n').encode()
    payload = struct.pack("<IBI", 0xFD2FB528, 0xA0, len(text)) + struct.pack("<I", len(text) << 3 | 1)[:3] + text
    return rogue.batch(1, 1, payload, crc32c(payload), len(text))


def deliver(world, context):
    """Connects as soon as somebody listens; (seconds since 1970 of the welcome, of the acknowledgement)."""
    boot = os.urandom(16).hex()
    batch = one_line_batch(boot)
    end = time.monotonic() + PATIENCE
    while True:
        try:
            agent = rogue.RogueAgent(world, context=context)
            break
        except (ConnectionError, ssl.SSLError, socket.timeout) as error:
            if time.monotonic() > end:
                raise Failure(f"nobody listens: {error}") from error
            time.sleep(0.002)
    with agent:
        agent.send(rogue.hello("agent1", boot))
        if agent.read_frame()[0] != rogue.WELCOME:
            raise Failure("no welcome")
        welcomed = time.monotonic()
        agent.send(batch)
        while True:
            kind, body = agent.read_frame()
            if kind == rogue.ACK and struct.unpack(">Q", body[:8])[0] >= 1:
                return welcomed, time.monotonic()


def is_dropped():
    """Drops what the kernel has cached; False when it does not let us."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
            file.write("3")
    except OSError:
        return False
    return True


def start(world, config, context):
    """Seconds from the start to the acknowledgement of a batch."""
    begin = time.monotonic()
    correlator = world.start("correlator", [program("haidang-correlator"), "--config", config])
    _, acknowledged = deliver(world, context)
    return acknowledged - begin, correlator


def stop(world, correlator, how):
    correlator.kill(how)
    correlator.reader.join()
    world.processes.remove(correlator)


def check_read(correlator, at_most):
    """The table of agents came from its snapshot, not from the whole archive."""
    line = next(line for line in correlator.lines if "agents recovered" in line)
    entries = int(line.split("entries_read=")[1].split()[0])
    if entries > at_most:
        raise Failure(f"{entries} entries were read at the start")
    return entries


def say(what, took):
    print(f"  {what:58} {statistics.median(took):6.2f} s   (each: {', '.join(f'{t:.2f}' for t in took)})", flush=True)


def main():
    segments = int(sys.argv[1]) if len(sys.argv) > 1 else 1600
    with World() as world:
        world.make_ca()
        archive = world.path("correlator", "archive")
        os.makedirs(world.path("correlator"))
        begin = time.monotonic()
        size = int(world.run(os.path.join(BUILD, "tests", "bench", "big_archive"), archive, str(segments), "1").stdout)
        held = sum(os.stat(os.path.join(archive, n)).st_blocks * 512 for n in os.listdir(archive))
        print(f"archive: {segments + 1:,} segments, {size / 1e9:.1f} GB ({held / 1e9:.1f} GB on the disk), made in "
              f"{time.monotonic() - begin:.0f} s; from exec to the first acknowledged batch, medians:", flush=True)
        config = world.write("correlator.yml", install.correlator_config(world, archive="  reserve: 0"))
        context = rogue.client_context(world, "agent1")
        took, correlator = start(world, config, context)
        say(f"the table of agents is lost: {check_read(correlator, 1 << 40):,} entries read", [took])
        wait_until("all to be examined", lambda: world.status("correlator")["detect"]["lag_bytes"] == 0)
        stop(world, correlator, signal.SIGTERM)
        kinds = {"after an orderly end": (signal.SIGTERM, False), "after SIGKILL": (signal.SIGKILL, False),
                 "after an orderly end, nothing cached": (signal.SIGTERM, True),
                 "after SIGKILL, nothing cached": (signal.SIGKILL, True)}
        times = {what: [] for what in kinds}
        for _ in range(ROUNDS):
            for what, (how, is_cold) in kinds.items():
                _, correlator = start(world, config, context)
                stop(world, correlator, how)
                if is_cold and not is_dropped():
                    continue
                took, correlator = start(world, config, context)
                check_read(correlator, 1000)
                times[what].append(took)
                stop(world, correlator, signal.SIGTERM)
        for what, took in times.items():
            if took:
                say(what, took)
            else:
                print(f"  {what}: not measured, the caches cannot be dropped here")


if __name__ == "__main__":
    main()
