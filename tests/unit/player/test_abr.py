"""Decisions of the player, one situation each."""

from __future__ import annotations

import pytest

from nearcast.player.abr import RenditionRate, Throughput, choose, harmonic_mean, speak_rate

LADDER = [RenditionRate("720p", 3_000_000), RenditionRate("360p", 800_000), RenditionRate("540p", 1_600_000)]


def test_the_lowest_starts_soonest_while_nothing_is_measured() -> None:
    assert choose(LADDER, None, None, 0.0).rendition == "360p"


def test_a_fast_line_gets_the_highest() -> None:
    assert choose(LADDER, "360p", 20e6, 8.0).rendition == "720p"


def test_a_reserve_is_kept() -> None:
    assert choose(LADDER, "360p", 3_100_000, 8.0).rendition == "540p"


def test_with_a_short_buffer_the_reserve_is_larger() -> None:
    assert choose(LADDER, "360p", 2_300_000, 8.0).rendition == "540p"
    assert choose(LADDER, "360p", 2_300_000, 0.5).rendition == "360p"


def test_climbing_needs_more_than_staying() -> None:
    just_enough = 3_000_000 / 0.8 + 1
    assert choose(LADDER, "540p", just_enough, 8.0).rendition == "540p"
    assert choose(LADDER, "720p", just_enough, 8.0).rendition == "720p"


def test_a_comfortable_buffer_bears_the_lack_of_reserve() -> None:
    assert choose(LADDER, "720p", 3_100_000, 20.0).rendition == "720p"
    assert choose(LADDER, "720p", 3_100_000, 5.0).rendition == "540p"


def test_no_buffer_bears_a_rate_above_the_estimate() -> None:
    assert choose(LADDER, "720p", 2_900_000, 1000.0).rendition == "540p"


def test_the_maximum_is_not_exceeded_even_when_it_plays_already() -> None:
    assert choose(LADDER, "720p", 50e6, 20.0, bandwidth_max=2_000_000).rendition == "540p"


def test_when_nothing_is_within_the_maximum_the_lowest_plays() -> None:
    assert choose(LADDER, None, 50e6, 20.0, bandwidth_max=1).rendition == "360p"


def test_a_line_that_carries_nothing_gets_the_lowest_and_the_reason_says_so() -> None:
    choice = choose(LADDER, "720p", 0.0, 0.0)
    assert choice.rendition == "360p"
    assert choice.reason.startswith("down: 0 kb/s measured, 0.0 s buffered")


def test_a_reason_names_the_figures() -> None:
    reason = choose(LADDER, "360p", 20e6, 8.0).reason
    assert reason == "up: 20.0 Mb/s measured, 8.0 s buffered; 720p needs 3.0 Mb/s of 16.0 Mb/s safe"


def test_a_ladder_of_one_leaves_no_choice() -> None:
    assert choose([RenditionRate("a128", 128_000)], None, 1.0, 0.0).rendition == "a128"


def test_one_lucky_segment_lifts_the_estimate_little() -> None:
    line = Throughput()
    for octets in (125_000, 125_000, 12_500_000):
        line.add(octets, 1.0)
    assert 1e6 < (line.estimate or 0) < 2e6


def test_a_fall_is_believed_sooner_than_a_rise() -> None:
    falling, rising = Throughput(), Throughput()
    for octets in (1_250_000, 1_250_000, 125_000):
        falling.add(octets, 1.0)
    for octets in (125_000, 125_000, 1_250_000):
        rising.add(octets, 1.0)
    assert falling.estimate == pytest.approx(harmonic_mean([10e6, 1e6]))
    assert rising.estimate == pytest.approx(harmonic_mean([1e6, 1e6, 10e6]))


def test_empty_segments_say_nothing() -> None:
    line = Throughput()
    line.add(0, 1.0)
    assert line.estimate is None


def test_a_segment_within_no_time_is_no_division_by_zero() -> None:
    line = Throughput()
    line.add(1000, 0.0)
    assert line.estimate == pytest.approx(8e6)


@pytest.mark.parametrize(
    ("rate", "spoken"),
    [(0, "0 kb/s"), (812_400, "812 kb/s"), (999_600, "1.0 Mb/s"), (3e6, "3.0 Mb/s"), (2.1e9, "2.10 Gb/s")],
)
def test_rates_are_spoken(rate: float, spoken: str) -> None:
    assert speak_rate(rate) == spoken
