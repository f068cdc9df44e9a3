"""What happened on a listener since it began, in plain numbers: the place where metrics read them.

Every listener has its own as `counters`.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class StreamCounters:
    """Of TCP connections."""

    accepted_total: int = 0
    turned_away_total: int = 0  # newcomers for whom there was no room
    given_up_total: int = 0  # connections closed to make room for newcomers
    expired_total: int = 0  # connections that were idle for too long


@dataclass(slots=True)
class HttpCounters(StreamCounters):
    """Of HTTP on top of it."""

    requests_total: list[int] = field(
        default_factory=lambda: [0] * 6
    )  # by the status' first digit; 0: others
    bytes_sent_total: int = 0  # of bodies
    refused_total: int = 0  # requests that no application saw: malformed, too large, too slow
    broken_off_total: int = 0  # answers that ended before their end
    crashes_total: int = 0  # exceptions of the application that were our fault

    def add(self, status: int, body_bytes: int) -> None:
        """Count one complete answer."""
        self.requests_total[status // 100 if status < 600 else 0] += 1
        self.bytes_sent_total += body_bytes


@dataclass(slots=True)
class DatagramCounters:
    """Of UDP datagrams."""

    received_total: int = 0
    dropped_total: int = 0  # questions and answers for which there was no room
