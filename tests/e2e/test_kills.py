#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at random moments, for each of the three programs, while lines are written and files renamed. Then
everything drains, and an oracle counts lines, alerts, receipts and what the centre got.
HD_KILLS (default 30) kills; HD_SEED (default 1) makes another sequence, and the same one again.
The long run: HD_KILLS=1000 tests/e2e/test_kills.py"""
import os
import random
import threading

from chain import PROGRAMS, Chain
from world import Failure, World, main

KILLS = int(os.environ.get("HD_KILLS", "30"))
SEED = int(os.environ.get("HD_SEED", "1"))
JUDGE_EVERY = 250  # kills after which all must drain once, so that no backlog hides a loss


def victims(chance):
    """Mostly one of them, sometimes several at the same moment."""
    return chance.sample(PROGRAMS, chance.choices((1, 2, 3), (8, 1, 1))[0])


def kill_some(chain, chance):
    never = threading.Event()
    chain.write(chance.randrange(20, 300))
    if chance.random() < 0.1:
        chain.rotate()
    never.wait(0.2 * chance.random() ** 2)  # the moment of the kill is what varies
    names = victims(chance)
    for name in names:
        chain.kill(name)
    for name in names:
        chain.start(name)
    for name in names:
        if chance.random() < 0.8:  # the others may be killed again while they start
            chain.wait_up(name)


def test_random_kills():
    chance = random.Random(SEED)
    with World() as world:
        chain = Chain(world, {"agent": "spool_segment: 1MiB\n", "archive": "  segment: 1MiB\n  segment_age: 2s\n",
                              "alerts": "  segment_age: 2s\n", "receipts": "  segment_age: 2s\n"})
        chain.start_all()
        try:
            while chain.kills < KILLS:
                before = chain.kills
                kill_some(chain, chance)
                if before // JUDGE_EVERY < chain.kills // JUDGE_EVERY:
                    print(f"     kills {chain.kills}: obligations {chain.drain():,}, broken 0", flush=True)
            obligations = chain.drain()
        except Failure as failure:
            raise Failure(f"HD_SEED={SEED}, after {chain.kills} kills: {failure}") from failure
        print(f"     obligations made {obligations:,} ({chain.lines:,} lines), broken 0, kills {chain.kills}, "
              f"seed {SEED}")


def test_oracle():
    """The judge sees what is missing, what is double and what nobody wrote."""
    with World() as world:
        chain = Chain(world)
        chain.start_all()
        chain.write(100)
        chain.drain()
        taken = world.path("centre.jsonl")
        with open(taken, encoding="utf-8") as file:
            good = file.readlines()
        for lines, lists, told in ((100, [1, 0], good[1:]), (100, [0, 1], good + good[:1]), (101, [2, 0], good),
                                    (99, [0, 1], good)):
            chain.lines = lines
            with open(taken, "w", encoding="utf-8") as file:
                file.writelines(told)
            found = [len(words) for words in chain.broken()]
            if found != lists:
                raise Failure(f"{lines} lines, {len(told)} alerts taken: {found}, not {lists}")


if __name__ == "__main__":
    main(test_oracle, test_random_kills)
