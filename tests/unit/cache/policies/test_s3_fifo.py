from __future__ import annotations

import random

from nearcast.cache.policies.lru import Lru
from nearcast.cache.policies.s3_fifo import S3Fifo


def full(policy: S3Fifo | Lru, keys: str | list[str], capacity: int) -> list[str]:
    """Store `keys` of size 1 where `capacity` fit; those that were evicted."""
    gone = []
    held = 0
    for key in keys:
        while held >= capacity:
            victim = policy.victim()
            assert victim is not None
            policy.evicted(victim)
            gone.append(victim)
            held -= 1
        policy.stored(key, 1)
        held += 1
    return gone


def test_what_was_never_used_leaves_in_the_order_it_came() -> None:
    assert full(S3Fifo(), "abcdef", 3) == ["a", "b", "c"]


def test_what_was_used_while_it_was_new_stays() -> None:
    policy = S3Fifo()
    full(policy, "abc", 3)
    policy.used("a")
    assert full(policy, "def", 0 + 3) == []
    assert [policy.victim(), policy.victim()] == ["b", "b"]  # asking changes nothing
    policy.evicted("b")
    assert policy.victim() == "c"


def test_who_comes_back_soon_belongs_to_the_main_queue() -> None:
    policy = S3Fifo()
    policy.stored("a", 1)
    policy.evicted("a")
    policy.stored("a", 1)
    full(policy, "bcd", 9)
    assert policy.victim() == "b"


def test_a_purged_object_leaves_no_ghost() -> None:
    policy = S3Fifo()
    policy.stored("a", 1)
    policy.removed("a")
    policy.stored("a", 1)
    full(policy, "bcd", 9)
    assert policy.victim() == "a"


def test_what_is_used_often_goes_round_as_often_and_then_leaves() -> None:
    policy = S3Fifo()
    policy.stored("a", 1)
    for _ in range(100):
        policy.used("a")
    assert policy.victim() == "a"  # to the main queue, round three times, and out: it is alone


def test_a_scan_does_not_push_out_what_is_read_daily() -> None:
    dice = random.Random(1)
    kept: dict[str, int] = {}
    for name, policy in (("lru", Lru()), ("s3-fifo", S3Fifo())):
        held: set[str] = set()
        hits = 0
        for number in range(20_000):
            key = f"daily {dice.randrange(80)}" if number % 2 else f"once {number}"
            if key in held:
                policy.used(key)
                hits += 1
                continue
            while len(held) >= 100:
                victim = policy.victim()
                assert victim is not None
                held.remove(victim)
                policy.evicted(victim)
            policy.stored(key, 1)
            held.add(key)
        kept[name] = hits
    assert kept["s3-fifo"] > 1.3 * kept["lru"]


def test_ghosts_are_bounded() -> None:
    policy = S3Fifo()
    full(policy, [str(number) for number in range(5000)], 10)
    assert len(policy._ghosts) <= 64
