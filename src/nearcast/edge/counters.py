"""What an edge counts, and how busy it is. Plain numbers, touched on every request."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

SMOOTHING_SECONDS = 5.0


class LoadMeter:
    """The rate of what is sent, smoothed exponentially over the last seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now  # monotonic seconds: the loop's time
        self._at = now()
        self._bits_per_second = 0.0

    def sent(self, size: int) -> None:
        """`size` bytes were sent."""
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


@dataclass(slots=True)
class Counters:
    """Counts since the start. Each request is one of hit, miss, stale, collapsed, bypass or refused.

    stale: served beyond its lifetime. collapsed: waited for somebody else's fill. errors: answers of our
    own with 5xx, and answers broken off.
    """

    load_meter: LoadMeter
    requests: int = 0
    hits: int = 0
    misses: int = 0
    stale: int = 0
    collapsed: int = 0
    bypasses: int = 0
    refused: int = 0
    errors: int = 0
    revalidations: int = 0
    bytes_sent: int = 0
    bytes_filled: int = 0

    def sent(self, size: int) -> None:
        """`size` bytes of a body were handed to the network."""
        self.bytes_sent += size
        self.load_meter.sent(size)

    def filled(self, size: int) -> None:
        """`size` bytes of a body came from upstream."""
        self.bytes_filled += size
