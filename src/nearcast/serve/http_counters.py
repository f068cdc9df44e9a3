"""What happened on one HTTP listener, in plain numbers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class HttpCounters:
    """Counts since the listener began; shown on the metrics page."""

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
