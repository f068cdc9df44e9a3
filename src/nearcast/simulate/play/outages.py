"""Outages: whom a fault schedule leaves unable to do their work, and when.

Derived from the faults alone, never from what programs say of themselves. It is generous: times may
overlap and restarts are counted in, so that whoever is free of trouble here was so beyond doubt. What a CDN
has to bear without its viewers noticing is no trouble: failing disks, clocks, resets, a little loss.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from nearcast.simulate.play.faults import (
    BlackHole,
    Crash,
    Disturb,
    Drain,
    Fault,
    Hang,
    Impostor,
    Kill,
    Partition,
    Pause,
    Refuse,
    Restart,
)

FOREVER = float("inf")
RESTART_SECONDS = 1.0
LOSS_BORNE = 0.05
LATENCY_BORNE_SECONDS = 0.5
RATE_BORNE = 2_000_000.0  # bits per second

OutageSpan = tuple[float, float]


class Outages:
    """Spans of trouble by host, and by pair of hosts."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._spans: dict[str | frozenset[str], list[OutageSpan]] = {}
        for fault in faults:
            match fault:
                case Crash() | Kill() | Hang() | Pause() | Drain() | Impostor() | Refuse() | BlackHole():
                    self._add(fault.host, fault.at, fault.seconds)
                case Restart():
                    self._add(fault.host, fault.at, 0.0)
                case Partition():
                    self._add(frozenset((fault.one, fault.other)), fault.at, fault.seconds)
                case Disturb() if _is_hard(fault):
                    self._add(frozenset((fault.one, fault.other)), fault.at, fault.seconds)

    def _add(self, whom: str | frozenset[str], at: float, seconds: float | None) -> None:
        until = FOREVER if seconds is None else at + seconds + RESTART_SECONDS
        self._spans.setdefault(whom, []).append((at, until))

    def free(self, *hosts: str, since: float, until: float) -> bool:
        """Whether these hosts, and the links from each to the next, were free of trouble all the time."""
        whom: list[str | frozenset[str]] = [*hosts]
        whom += [frozenset(pair) for pair in pairwise(hosts)]
        return not any(at < until and since < end for each in whom for at, end in self._spans.get(each, ()))


def _is_hard(fault: Disturb) -> bool:
    return (
        (fault.loss or 0.0) > LOSS_BORNE
        or (fault.latency_seconds or 0.0) > LATENCY_BORNE_SECONDS
        or (fault.jitter_seconds or 0.0) > LATENCY_BORNE_SECONDS
        or (fault.bits_per_second or FOREVER) < RATE_BORNE
    )
