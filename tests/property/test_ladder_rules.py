"""The ladder's rules hold for every source."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nearcast.packager.ladder import RUNGS_MIN, ladder_for

sides = st.integers(16, 8000)
pixel_aspects = st.fractions(Fraction(1), Fraction(3), max_denominator=50)
frame_rates = st.fractions(Fraction(1), Fraction(120), max_denominator=1001)


@given(sides, sides, pixel_aspects, frame_rates)
def test_every_ladder_keeps_the_rules(
    width: int, height: int, pixel_aspect: Fraction, rate: Fraction
) -> None:
    rungs = ladder_for(width, height, pixel_aspect, rate)
    assert len(rungs) >= RUNGS_MIN
    assert len({rung.name for rung in rungs}) == len(rungs)
    shown_width = width * pixel_aspect
    for rung in rungs:
        assert rung.width % 2 == rung.height % 2 == 0
        assert rung.width >= 2 and rung.height >= 2
        assert rung.height <= height + 1 and rung.width <= shown_width + 2
        assert rung.bit_rate > 0
        shorter, longer = sorted((rung.width, rung.height))
        exact = max(shown_width / height, height / shown_width)
        assert abs(longer - shorter * exact) <= 1, "one pixel of error on the longer side, from evenness"
    for below, above in pairwise(rungs):
        assert below.width <= above.width and below.height <= above.height
        assert below.bit_rate <= above.bit_rate
