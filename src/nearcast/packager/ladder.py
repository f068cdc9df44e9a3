"""The ladder: which picture sizes and bit rates a source is worth.

The rules:
- at least three rungs, so that there is something to switch between;
- never larger than the source: enlarging costs the viewer bytes and adds nothing;
- the display aspect of the source, with square pixels and even sides (4:2:0 needs them);
- a rung is named after its shorter side, so a portrait of 1080x1920 is "1080p" too;
- bits follow pixels and, outside 20 to 30 pictures a second, the square root of the frame rate:
  neighbours in time resemble each other more, the closer they are.

Sources beyond 1080 lines get 1080p as their top rung: a larger one costs more time to encode than all
others together. Whoever wants it gives a ladder.
"""

from __future__ import annotations

from fractions import Fraction
from math import sqrt
from typing import NamedTuple

RUNGS_MIN = 3
SIDE_MIN = 16
"""Below this many pixels a side there is nothing left to halve."""

# Shorter side and bit/s, for 16:9 at up to 30 pictures per second.
STANDARD = ((144, 160_000), (240, 400_000), (360, 800_000), (480, 1_300_000), (540, 1_600_000),
            (720, 3_000_000), (1080, 5_500_000), (1440, 9_000_000), (2160, 16_000_000))  # fmt: skip
PREFERRED = (360, 540, 720, 1080)
FALLBACK = (480, 360, 240, 144)
TOP_MAX = 1080
APART = 0.85
"""Two rungs closer than this are one rung too many."""


class Rung(NamedTuple):
    """One size to encode: even sides in square pixels, and the average rate in bit/s to aim at."""

    width: int
    height: int
    bit_rate: int

    @property
    def name(self) -> str:
        return f"{min(self.width, self.height)}p"


def ladder_for(width: int, height: int, pixel_aspect: Fraction, frame_rate: Fraction) -> tuple[Rung, ...]:
    """The ladder of a source of `width` x `height` pixels of shape `pixel_aspect`, smallest rung first.

    Raises `ValueError` when the picture has fewer than `SIDE_MIN` pixels on a side.
    """
    if min(width, height) < SIDE_MIN:
        raise ValueError(f"a picture of {width}x{height} is too small: {SIDE_MIN} pixels a side at least")
    display_width = width * (pixel_aspect if pixel_aspect > 0 else Fraction(1))
    if display_width < SIDE_MIN:
        raise ValueError(f"a picture of {width}x{height} with pixels of {pixel_aspect} is too narrow")
    aspect = display_width / height
    shorter = int(display_width if aspect < 1 else height) // 2 * 2
    return tuple(_rung(side, aspect, frame_rate) for side in sides_for(shorter))


def sides_for(shorter: int) -> list[int]:
    """The shorter sides of the rungs for a source with this shorter side, smallest first."""
    top = min(shorter, TOP_MAX)
    sides = [top]
    for side in (*reversed(PREFERRED), *FALLBACK):
        if side <= sides[-1] * APART and (side in PREFERRED or len(sides) < RUNGS_MIN):
            sides.append(side)
    while len(sides) < RUNGS_MIN:
        sides.append(max(2, int(sides[-1] * 0.7) // 2 * 2))
    return sorted(sides)


def _rung(side: int, aspect: Fraction, frame_rate: Fraction) -> Rung:
    width, height = (_even(side * aspect), side) if aspect >= 1 else (side, _even(side / aspect))
    pixels_of_standard = side * side * 16 / 9
    tempo = sqrt(frame_rate / min(max(frame_rate, Fraction(20)), Fraction(30)))
    return Rung(width, height, round(_standard_rate(side) * width * height / pixels_of_standard * tempo))


def _standard_rate(side: int) -> float:
    """The table, with straight lines in between and pixels in proportion beyond its ends."""
    below = max((row for row in STANDARD if row[0] <= side), default=None)
    above = min((row for row in STANDARD if row[0] >= side), default=None)
    if below is None or above is None:
        nearest_side, rate = below or above or STANDARD[0]
        return rate * (side / nearest_side) ** 2
    if below == above:
        return below[1]
    return below[1] + (above[1] - below[1]) * (side - below[0]) / (above[0] - below[0])


def _even(pixels: Fraction) -> int:
    return max(2, round(pixels / 2) * 2)
