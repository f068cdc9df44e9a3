"""Rendezvous hashing: the same everywhere, and a lost member moves only its own keys."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nearcast.selection.rendezvous import rank, weight

names = st.sets(st.text("abc123", min_size=1, max_size=4), min_size=1, max_size=8)


def test_the_weight_is_equal_in_every_process() -> None:
    assert weight("movie/s07", "ia2") == 0x9B23B7EB96B10ED4


@given(st.text(max_size=8), names)
def test_the_order_of_the_others_does_not_change_when_one_leaves(key: str, members: set[str]) -> None:
    order = rank(key, members)
    assert sorted(order) == sorted(members)
    for gone in members:
        assert rank(key, members - {gone}) == [name for name in order if name != gone]
