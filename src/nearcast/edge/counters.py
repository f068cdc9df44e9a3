"""What an edge counts, and how busy it is. Plain numbers, touched on every request."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import get_args

from nearcast.edge.outcome import Kind, Outcome

SMOOTHING_SECONDS = 5.0


class LoadMeter:
    """The rate of what is sent, smoothed exponentially over the last seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now  # monotonic seconds: the loop's time
        self._at = now()
        self._bits_per_second = 0.0

    def sent(self, size: int) -> None:
        """`size` bytes were sent."""
        if self._now() > self._at:
            self._decay()
        self._bits_per_second += size * 8 / SMOOTHING_SECONDS

    def load(self, capacity_bits_per_second: float) -> float:
        """The part of the capacity in use, 0 to 1."""
        self._decay()
        return min(1.0, self._bits_per_second / capacity_bits_per_second)

    def _decay(self) -> None:
        now = self._now()
        if now > self._at:
            self._bits_per_second *= math.exp((self._at - now) / SMOOTHING_SECONDS)
            self._at = now


class EdgeCounters:
    """Counts since the start: every request once, by the kind of its outcome, and what went wrong with some.

    errors: answers of our own with 5xx, and answers broken off.
    """

    def __init__(self, load_meter: LoadMeter) -> None:
        self.load_meter = load_meter
        self.requests = 0  # begun
        self.kinds: dict[Kind, int] = dict.fromkeys(get_args(Kind), 0)
        self.errors = 0
        self.left = 0  # viewers who went before the end
        self.revalidations = 0
        self.bytes_sent = 0
        self.bytes_filled = 0

    def count(self, outcome: Outcome) -> None:
        """A request has ended."""
        self.kinds[outcome.kind] += 1
        if outcome.end != "whole":
            if outcome.end == "left":
                self.left += 1
            else:
                self.errors += 1
        if outcome.revalidated:
            self.revalidations += 1

    def sent(self, size: int) -> None:
        """`size` bytes of a body were handed to the network."""
        self.bytes_sent += size
        self.load_meter.sent(size)

    def filled(self, size: int) -> None:
        """`size` bytes of a body came from upstream."""
        self.bytes_filled += size
