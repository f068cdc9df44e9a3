"""Places that are few: nobody takes them all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearcast.edge.shares import Shares, client_of


def takes(shares: Shares, site: str, client: str) -> int:
    count = 0
    while shares.take(site, client):
        count += 1
    return count


def test_one_site_gets_half_and_the_next_a_place_of_what_is_left() -> None:
    shares = Shares(1024)
    assert takes(shares, "hanging", "") == 512
    assert takes(shares, "hanging too", "") == 256
    assert takes(shares, "third", "") == 128
    assert shares.take("fourth", "")


def test_one_client_leaves_most_of_its_site_to_others() -> None:
    shares = Shares(1024)
    assert takes(shares, "movie", "greedy") == 205
    assert takes(shares, "movie", "other") > 150
    assert shares.take("movie", "third")


def test_what_we_ask_for_ourselves_counts_for_its_site_only() -> None:
    shares = Shares(16)
    assert takes(shares, "movie", "") == 8


@pytest.mark.parametrize("places", [1, 2, 3])
def test_the_first_place_goes_to_whoever_comes_first(places: int) -> None:
    assert Shares(places).take("movie", "192.0.2.1")


@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["", "x", "y"]), st.booleans()), max_size=200),
)
def test_places_come_back_and_no_name_is_kept_without_one(
    places: int, steps: list[tuple[str, str, bool]]
) -> None:
    shares = Shares(places)
    held: list[tuple[str, str]] = []
    for site, client, leaves in steps:
        if leaves and held:
            shares.give_back(*held.pop())
        elif shares.take(site, client):
            held.append((site, client))
        assert shares.taken == len(held) <= places
        assert len(shares._of_site) == len({site for site, _ in held})
        assert len(shares._of_client) == len({client for _, client in held})
    while held:
        shares.give_back(*held.pop())
    assert (shares.taken, shares._of_site, shares._of_client) == (0, {}, {})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_who_counts_as_one_client(one: str, other: str, same: bool) -> None:
    assert (client_of(one) == client_of(other)) is same
