"""What a viewing was: every look-up, every object fetched, every choice and every mishap, with figures.

A `Trace` collects them while the viewer watches and tells an observer of each as it happens; a `Viewing`
is the whole, frozen at the end. All `at` are seconds since the viewing began; `ms` are milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from nearcast.player.lookup import Lookup


@dataclass(frozen=True, slots=True)
class Fetched:
    """One response whose body arrived and was kept."""

    at: float
    url: str
    server_address: str
    server_host: str | None
    """What the server calls itself in Cache-Status or Via; None when it does not say."""
    status: int
    bytes: int
    ms: float
    """From asking to the last byte."""
    cache_status: str
    """`hit`, `miss`, `stale`, `bypass` as RFC 9211 means them, or `""` when the server does not say."""
    sha256: str
    """Of this body: the whole object, or the range from `first_byte`."""
    kind: str
    """`manifest`, `title`, `init`, `video`, `audio` or `progressive`."""
    rendition: str | None = None
    number: int | None = None
    """Of the segment, or of the range of a progressive film; from 1."""
    first_byte: int = 0

    @property
    def bits_per_second(self) -> float:
        return self.bytes * 8 / self.ms * 1000 if self.ms > 0 else 0.0


@dataclass(frozen=True, slots=True)
class RenditionChosen:
    """The choice of a rendition before a segment: every one, whether it changes anything or not."""

    at: float
    number: int
    rendition: str
    before: str | None
    reason: str

    @property
    def switched(self) -> bool:
        return self.before is not None and self.rendition != self.before


@dataclass(frozen=True, slots=True)
class ViewingEvent:
    """Something happened that a viewer should know of; `sentence` says it in words."""

    at: float
    kind: str
    """`redirect`, `failed` (a server), `again` (the DNS is asked anew), `resumed`, `restarted`,
    `moved` (the manifest now names another server), `ended`."""
    sentence: str
    server_address: str | None = None


Happening = Lookup | Fetched | RenditionChosen | ViewingEvent
Observer = Callable[[Happening], None]


@dataclass(frozen=True, slots=True)
class Viewing:
    """One viewing from the first question to the last byte. `complete`: all of the film arrived."""

    url: str
    mode: str
    """`dash`, `hls`, `progressive`, or `""` when it did not come so far."""
    began_at: float
    """Unix seconds."""
    complete: bool
    reached: bool
    """Some server answered."""
    problem: str | None
    """Why it is not complete, in one sentence."""
    lookups: tuple[Lookup, ...]
    fetched: tuple[Fetched, ...]
    choices: tuple[RenditionChosen, ...]
    events: tuple[ViewingEvent, ...]
    digests: dict[str, str]
    """URL → sha256 of every object that arrived whole, put together from its ranges where need be."""
    seconds: float
    film_seconds: float | None
    """How long the film that arrived plays, where that is known."""
    startup_ms: float | None
    """From the beginning to the first picture."""
    rebuffer_seconds: float
    stalls: int

    @property
    def bytes(self) -> int:
        return sum(each.bytes for each in self.fetched)

    @property
    def bits_per_second(self) -> float:
        """All bytes over the whole time, waiting included."""
        return self.bytes * 8 / self.seconds if self.seconds > 0 else 0.0

    @property
    def switches(self) -> tuple[RenditionChosen, ...]:
        return tuple(choice for choice in self.choices if choice.switched)

    @property
    def servers(self) -> tuple[str, ...]:
        """The names (else addresses) of those who served, in the order of their first object."""
        return tuple(dict.fromkeys(each.server_host or each.server_address for each in self.fetched))

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain values for `json.dump`."""
        return asdict(self) | {
            "bytes": self.bytes,
            "bits_per_second": round(self.bits_per_second),
            "switches": len(self.switches),
            "servers": list(self.servers),
        }


@dataclass(slots=True)
class Trace:
    """Collects what happens. `now` gives seconds since the viewing began."""

    now: Callable[[], float]
    observer: Observer | None = None
    happenings: list[Happening] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    reached: bool = False

    def add(self, happening: Happening) -> None:
        self.happenings.append(happening)
        if self.observer:
            self.observer(happening)

    def tell(self, kind: str, sentence: str, server_address: str | None = None) -> None:
        self.add(ViewingEvent(self.now(), kind, sentence, server_address))
