"""What the resolver did for one question: whom it asked what, what came back, how long it took."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

TRACES_KEPT = 256


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One question to one name server; `server` is "cache" for what was known already."""

    zone: str
    server: str
    question: str
    client_subnet: str | None
    answer: str
    ms: float


@dataclass(slots=True)
class Resolution:
    """One client question. `at` is Unix seconds, `ms` how long the client waited for us."""

    at: float
    question: str
    type: str
    client: str
    client_subnet: str | None
    rcode: str = ""
    answer: tuple[str, ...] = ()
    scope: int = 0
    ms: float = 0.0
    steps: list[TraceStep] = field(default_factory=list)

    @property
    def cached(self) -> bool:
        """Nobody was asked."""
        return all(step.server == "cache" for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "cached": self.cached}


class Traces:
    """The last resolutions."""

    def __init__(self) -> None:
        self._ring: deque[Resolution] = deque(maxlen=TRACES_KEPT)

    def add(self, resolution: Resolution) -> None:
        self._ring.append(resolution)

    def last(self, name: str, count: int) -> list[Resolution]:
        """The `count` most recent resolutions of `name` ("" for any), newest first."""
        fitting = (each for each in reversed(self._ring) if name in ("", each.question))
        return [each for each, _ in zip(fitting, range(count), strict=False)]
