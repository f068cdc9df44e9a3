"""What must be true of every line of given bandwidth."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from nearcast.player.bandwidth import BURST_SECONDS, Bucket, Profile

gaps = st.lists(st.tuples(st.floats(0.1, 20), st.floats(0, 1e6)), max_size=6)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    steps, at = [], 0.0
    for gap, rate in draw(gaps):
        steps.append((at, rate))
        at += gap
    return Profile([*steps, (at, draw(st.floats(1e3, 1e6)))])


def carried(profile: Profile, start: float, end: float) -> float:
    """Bits that the line can carry from `start` to `end`, summed the plain way."""
    edges = sorted({start, end, *(at for at, _ in profile.steps if start < at < end)})
    return sum(profile.rate_at((a + b) / 2) * (b - a) for a, b in itertools.pairwise(edges))


@given(profiles(), st.floats(0, 100), st.floats(0, 1e7))
def test_what_is_carried_by_a_moment_is_what_the_rates_add_up_to(
    profile: Profile, start: float, bits: float
) -> None:
    end = profile.carried_by(start, bits)
    assert end >= start
    assert abs(carried(profile, start, end) - bits) <= 1e-6 * bits + 1e-3


@given(profiles(), st.lists(st.tuples(st.floats(0, 3), st.integers(0, 100_000)), max_size=20))
def test_no_more_passes_than_the_line_carries(profile: Profile, pieces: list[tuple[float, int]]) -> None:
    bucket, now, bits = Bucket(profile), 0.0, 0
    for gap, octets in pieces:
        now += gap
        now += bucket.pause(now, octets)
        bits += octets * 8
        burst = carried(profile, -BURST_SECONDS, 0) + 1e6 * BURST_SECONDS
        assert bits <= carried(profile, 0.0, now) + burst + 1


@given(profiles(), st.lists(st.integers(0, 100_000), min_size=1, max_size=20))
def test_a_busy_line_is_used_wholly(profile: Profile, sizes: list[int]) -> None:
    bucket, now = Bucket(profile), 0.0
    for octets in sizes:
        now += bucket.pause(now, octets)
    expected = profile.carried_by(0.0, sum(sizes) * 8)
    assert now <= expected + 1e-6 * (1 + expected)


@given(profiles(), st.integers(1, 50_000), st.integers(1, 50))
def test_cutting_a_piece_does_not_make_it_faster(profile: Profile, octets: int, parts: int) -> None:
    whole, cut, now = Bucket(profile), Bucket(profile), 0.0
    at_once = whole.pause(0.0, octets * parts)
    for _ in range(parts):
        now += cut.pause(now, octets)
    assert abs(now - at_once) <= 1e-6 * (1 + at_once)
