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
    """The condition of every server by name; a server nobody has probed yet counts as healthy.

    `changed` says how these were made, where `with_server` made them: from which conditions, and which
    server alone differs.
    """

    number: int = 0
    servers: Mapping[str, Condition] = field(default_factory=dict)
    changed: tuple[Mapping[str, Condition], str] | None = field(default=None, compare=False, repr=False)

    def of(self, server: str) -> Condition:
        return self.servers.get(server, UNKNOWN)

    def with_server(self, server: str, condition: Condition) -> Conditions:
        """The next Conditions, in which one server has another condition."""
        return Conditions(self.number + 1, {**self.servers, server: condition}, (self.servers, server))
