"""Which rendition next: a pure decision from measured throughput and buffered seconds.

The estimate is the harmonic mean of the last segments' rates, as in FESTIVE (Jiang, Sekar, Zhang,
CoNEXT 2012) and MPC (Yin, Jindal, Sekar, Sinopoli, SIGCOMM 2015): one lucky segment cannot lift it
much. The shorter of two windows counts when it is lower, so that a fall is believed sooner than a rise.

The decision is rate-based with the buffer as its second opinion (Huang, Johari, McKeown, Trunnell,
Watson, SIGCOMM 2014, show why both are needed):

- before anything was measured, the lowest rendition: it starts soonest;
- otherwise the highest whose rate fits into a *safe share* of the estimate; the share is smaller while
  the buffer is short, since then a mistake is seen as a standstill;
- hysteresis: climbing needs `CLIMB_MARGIN` more than that, and a rendition whose rate still fits into
  the whole estimate is kept while the buffer is comfortable;
- never a rate above the estimate when there is a lower one, never above the given maximum.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

SAMPLES_MAX = 3
SECONDS_MIN = 0.001  # the loop's clock may count no finer (uvloop's does not)
SAMPLES_RECENT = 2
SAFE_SHARE = 0.8
SHORT_BUFFER_SHARE = 0.6
SHORT_BUFFER_SECONDS = 2.0
COMFORTABLE_BUFFER_SECONDS = 10.0
CLIMB_MARGIN = 1.1


class RenditionRate(NamedTuple):
    """What a rendition asks of the line: its name, and `bandwidth` in bit/s."""

    name: str
    bandwidth: int


class AbrChoice(NamedTuple):
    """The rendition for the next segment, and why in words."""

    rendition: str
    reason: str


class Throughput:
    """The rates at which the last segments arrived."""

    def __init__(self) -> None:
        self._rates: deque[float] = deque(maxlen=SAMPLES_MAX)

    def add(self, octets: int, seconds: float) -> None:
        """One segment of `octets` bytes arrived within `seconds`. Empty ones say nothing."""
        if octets > 0:
            self._rates.append(octets * 8 / max(seconds, SECONDS_MIN))

    @property
    def estimate(self) -> float | None:
        """What the line carries, bit/s, or None before the first segment."""
        rates = list(self._rates)
        if not rates:
            return None
        return min(harmonic_mean(rates), harmonic_mean(rates[-SAMPLES_RECENT:]))


def harmonic_mean(rates: Sequence[float]) -> float:
    """The mean that weighs slow samples as the time they took."""
    return len(rates) / sum(1 / rate for rate in rates)


def choose(
    rates: Sequence[RenditionRate],
    current: str | None,
    estimate: float | None,
    buffer_seconds: float,
    *,
    bandwidth_max: int | None = None,
) -> AbrChoice:
    """The next rendition among `rates` (any order, at least one).

    `current` is the one playing, `estimate` the throughput left for pictures in bit/s; renditions above
    `bandwidth_max` bit/s are left out unless nothing else remains.
    """
    ladder = sorted(rates, key=lambda rate: rate.bandwidth)
    if bandwidth_max is not None:
        ladder = [rate for rate in ladder if rate.bandwidth <= bandwidth_max] or ladder[:1]
    if len(ladder) == 1:
        return AbrChoice(ladder[0].name, "the only rendition there is to choose")
    if estimate is None:
        return AbrChoice(ladder[0].name, "nothing measured yet, so the lowest starts soonest")
    return _choose(ladder, current, estimate, buffer_seconds)


def _choose(
    ladder: list[RenditionRate], current: str | None, estimate: float, buffer_seconds: float
) -> AbrChoice:
    short = buffer_seconds < SHORT_BUFFER_SECONDS
    safe = estimate * (SHORT_BUFFER_SHARE if short else SAFE_SHARE)
    measured = f"{speak_rate(estimate)} measured, {buffer_seconds:.1f} s buffered"
    playing = next((rate for rate in ladder if rate.name == current), None)
    fitting = _highest(ladder, safe)
    if playing is None:
        return AbrChoice(fitting.name, f"{measured}: {_fits(fitting, safe)}")
    if fitting.bandwidth > playing.bandwidth:
        climb = _highest(ladder, safe / CLIMB_MARGIN)
        if climb.bandwidth > playing.bandwidth:
            return AbrChoice(climb.name, f"up: {measured}; {_fits(climb, safe)}")
        return AbrChoice(playing.name, f"stay: {measured}; {fitting.name} would fit, but only just")
    if fitting.bandwidth < playing.bandwidth:
        if playing.bandwidth <= estimate and buffer_seconds >= COMFORTABLE_BUFFER_SECONDS:
            return AbrChoice(playing.name, f"stay: {measured}; the buffer bears the lack of reserve")
        return AbrChoice(
            fitting.name,
            f"down: {measured}; {playing.name} needs {speak_rate(playing.bandwidth)} with reserve",
        )
    return AbrChoice(playing.name, f"stay: {measured}; {_fits(playing, safe)}")


def _highest(ladder: list[RenditionRate], limit: float) -> RenditionRate:
    """The highest rate within `limit`, else the lowest there is."""
    return next((rate for rate in reversed(ladder) if rate.bandwidth <= limit), ladder[0])


def _fits(rate: RenditionRate, safe: float) -> str:
    needs = f"{rate.name} needs {speak_rate(rate.bandwidth)}"
    return f"{needs} of {speak_rate(safe)} safe" if rate.bandwidth <= safe else f"{needs}, the least there is"


def speak_rate(bits_per_second: float) -> str:
    """`812 kb/s`, `3.0 Mb/s`, `1.20 Gb/s`."""
    if bits_per_second >= 999.5e6:
        return f"{bits_per_second / 1e9:.2f} Gb/s"
    if bits_per_second >= 999.5e3:
        return f"{bits_per_second / 1e6:.1f} Mb/s"
    return f"{bits_per_second / 1e3:.0f} kb/s"
