from __future__ import annotations

from nearcast.cache.policies.lru import Lru


def test_the_victim_is_who_was_used_longest_ago() -> None:
    policy = Lru()
    assert policy.victim() is None
    for key in "abc":
        policy.stored(key, 1)
    policy.used("a")
    assert policy.victim() == "b"
    policy.stored("b", 2)  # replaced: as good as used
    assert policy.victim() == "c"
    policy.removed("c")
    policy.removed("c")
    policy.used("unknown")
    assert policy.victim() == "a"
