"""What checkers may see of a play: the world from outside, the script, and what the play itself has done.

A play satisfies `Stage`; so may any other, smaller thing that wants to be judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nearcast.simulate.play.distributions import Distributions
from nearcast.simulate.play.faults import Fault
from nearcast.simulate.play.intent import Intent
from nearcast.simulate.play.observations import Purged
from nearcast.simulate.play.oracle import Oracle
from nearcast.simulate.play.outages import Outages
from nearcast.simulate.play.overheard.transfer import Transfer
from nearcast.simulate.play.roster import Member, Roster
from nearcast.simulate.play.scenario import Scenario
from nearcast.simulate.world.host import Host
from nearcast.simulate.world.world import World

SAMPLE_SECONDS = 0.25


class Stage(Protocol):
    """Read it, change nothing."""

    @property
    def now(self) -> float:
        """Virtual seconds."""

    @property
    def world(self) -> World: ...

    @property
    def scenario(self) -> Scenario: ...

    @property
    def intent(self) -> Intent: ...

    @property
    def roster(self) -> Roster: ...

    @property
    def distributions(self) -> Distributions: ...

    @property
    def oracle(self) -> Oracle: ...

    @property
    def faults(self) -> Sequence[Fault]:
        """All that strike."""

    @property
    def outages(self) -> Outages: ...

    @property
    def purges(self) -> Sequence[Purged]:
        """All that were sent so far."""

    @property
    def under_way(self) -> Sequence[Transfer]:
        """The transfers that have not ended."""

    def at(self, address: str) -> Member | None:
        """Who has an address."""

    def host(self, name: str) -> Host: ...

    def site_of(self, viewer: Member) -> str:
        """The distribution that a viewer watches."""

    def origin_of(self, path: str) -> str:
        """The host of the origin that has the content at a URL path."""

    def is_beset(self, site: str) -> bool:
        """A distribution's own origin or name server is an enemy: its viewers may fail."""

    def kind(self, name: str) -> str:
        """The kind of a host, "" when it is not on the roster."""
