"""How the content servers are, as far as the router can know: an immutable, numbered value.

Selection is a pure function of the Snapshot, the Conditions and the client's routing zone. Whoever
learns something new (the router's probes) makes new Conditions; nobody changes old ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Condition:
    """One content server: may it be named, how loaded is it (0 … 1 of capacity), and how do we know."""

    healthy: bool = True
    load: float = 0.0
    why: str = "not probed yet"


UNKNOWN = Condition()


@dataclass(frozen=True, slots=True)
class Conditions:
    """The condition of every server by name; a server nobody has probed yet counts as healthy."""

    number: int = 0
    servers: Mapping[str, Condition] = field(default_factory=dict)

    def of(self, server: str) -> Condition:
        return self.servers.get(server, UNKNOWN)
