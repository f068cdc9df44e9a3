"""What must be true of every choice of a rendition."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nearcast.player.abr import SAMPLES_RECENT, RenditionRate, Throughput, choose

ladders = st.lists(st.integers(1_000, 50_000_000), min_size=1, max_size=8, unique=True).map(
    lambda rates: [RenditionRate(f"r{rate}", rate) for rate in rates]
)
estimates = st.floats(0, 100e6)
buffers = st.floats(0, 120)


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[RenditionRate], str | None]:
    ladder = draw(ladders)
    return ladder, draw(st.sampled_from([None, *(rate.name for rate in ladder)]))


def bandwidth_of(ladder: list[RenditionRate], name: str) -> int:
    return next(rate.bandwidth for rate in ladder if rate.name == name)


@given(situations(), estimates, buffers)
def test_no_rate_above_the_estimate_is_chosen_when_there_is_a_lower_one(
    situation: tuple[list[RenditionRate], str | None], estimate: float, buffer_seconds: float
) -> None:
    ladder, current = situation
    chosen = bandwidth_of(ladder, choose(ladder, current, estimate, buffer_seconds).rendition)
    assert chosen <= estimate or chosen == min(rate.bandwidth for rate in ladder)


@given(situations(), estimates, estimates, buffers)
def test_a_faster_line_never_gets_a_lower_rendition(
    situation: tuple[list[RenditionRate], str | None], one: float, other: float, buffer_seconds: float
) -> None:
    ladder, current = situation
    slow, fast = sorted((one, other))
    slower = bandwidth_of(ladder, choose(ladder, current, slow, buffer_seconds).rendition)
    faster = bandwidth_of(ladder, choose(ladder, current, fast, buffer_seconds).rendition)
    assert slower <= faster


@given(situations(), estimates, buffers, buffers)
def test_a_longer_buffer_never_gets_a_lower_rendition(
    situation: tuple[list[RenditionRate], str | None], estimate: float, one: float, other: float
) -> None:
    ladder, current = situation
    short, long = sorted((one, other))
    with_short = bandwidth_of(ladder, choose(ladder, current, estimate, short).rendition)
    with_long = bandwidth_of(ladder, choose(ladder, current, estimate, long).rendition)
    assert with_short <= with_long


@given(situations(), st.none() | estimates, buffers, st.integers(0, 60_000_000))
def test_the_maximum_is_kept_wherever_it_can_be(
    situation: tuple[list[RenditionRate], str | None],
    estimate: float | None,
    buffer_seconds: float,
    bandwidth_max: int,
) -> None:
    ladder, current = situation
    choice = choose(ladder, current, estimate, buffer_seconds, bandwidth_max=bandwidth_max)
    chosen = bandwidth_of(ladder, choice.rendition)
    assert chosen <= bandwidth_max or chosen == min(rate.bandwidth for rate in ladder)


@given(situations(), estimates, buffers)
def test_a_steady_line_comes_to_rest(
    situation: tuple[list[RenditionRate], str | None], estimate: float, buffer_seconds: float
) -> None:
    ladder, current = situation
    first = choose(ladder, current, estimate, buffer_seconds).rendition
    second = choose(ladder, first, estimate, buffer_seconds).rendition
    assert choose(ladder, second, estimate, buffer_seconds).rendition == second


@given(situations(), estimates, buffers, st.randoms())
def test_the_order_of_the_ladder_is_of_no_account(
    situation: tuple[list[RenditionRate], str | None], estimate: float, buffer_seconds: float, dice: object
) -> None:
    ladder, current = situation
    other = list(ladder)
    dice.shuffle(other)  # type: ignore[attr-defined]
    assert choose(ladder, current, estimate, buffer_seconds) == choose(
        other, current, estimate, buffer_seconds
    )


@given(st.lists(st.tuples(st.integers(1, 10**8), st.floats(0.001, 1000)), min_size=1, max_size=20))
def test_the_estimate_lies_among_the_rates_measured(samples: list[tuple[int, float]]) -> None:
    line = Throughput()
    for octets, seconds in samples:
        line.add(octets, seconds)
    recent = [octets * 8 / seconds for octets, seconds in samples][-SAMPLES_RECENT:]
    rates = [octets * 8 / seconds for octets, seconds in samples]
    assert line.estimate is not None
    assert min(rates) * 0.999 <= line.estimate <= max(recent) * 1.001
