"""What holds for every policy that can be chosen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearcast.cache.policies.registry import POLICIES, POLICY_DEFAULT, policy_named

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["stored", "used", "removed", "evict"]), st.sampled_from("abcde"), st.integers(1, 9)
    )
)


def test_the_default_is_there() -> None:
    assert POLICY_DEFAULT in POLICIES


def test_an_unknown_name_is_told_those_there_are() -> None:
    with pytest.raises(ValueError, match='"fifo"; there are lru, s3-fifo'):
        policy_named("fifo")


@pytest.mark.parametrize("name", sorted(POLICIES))
@given(steps=STEPS)
def test_the_victim_is_always_somebody_who_is_there(name: str, steps: list[tuple[str, str, int]]) -> None:
    policy = policy_named(name)
    there: set[str] = set()
    for step, key, size in steps:
        if step == "stored" and policy.admits(key, size):
            policy.stored(key, size)
            there.add(key)
        elif step == "used":
            policy.used(key)
        elif step == "removed":
            policy.removed(key)
            there.discard(key)
        elif step == "evict" and (victim := policy.victim()) is not None:
            policy.evicted(victim)
            there.remove(victim)
        victim = policy.victim()
        assert (victim in there) if there else (victim is None)
    while there:
        victim = policy.victim()
        assert victim is not None
        policy.evicted(victim)
        there.remove(victim)
    assert policy.victim() is None


def test_each_choice_is_a_policy_of_its_own() -> None:
    one, other = policy_named("lru"), policy_named("lru")
    one.stored("a", 1)
    assert other.victim() is None
