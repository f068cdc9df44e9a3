"""What every request to an edge is answered with: compiled from a Snapshot, and replaced whole with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from nearcast.cache.store import Store
from nearcast.edge.access_log import AccessLog
from nearcast.edge.asking import Askings
from nearcast.edge.counters import EdgeCounters
from nearcast.edge.fills import Fills
from nearcast.edge.shares import Shares
from nearcast.edge.upstream import Upstream
from nearcast.model.snapshot import EdgeSnapshot, Site
from nearcast.wire.addresses import address_text
from nearcast.wire.http.cache_status import CacheStatus, encode_cache_status


@dataclass(frozen=True, slots=True)
class EdgeContext:
    """`passing` are places for bodies that are not stored; `clock` gives wall time (Unix seconds)."""

    snapshot: EdgeSnapshot
    store: Store
    fills: Fills
    passing: Shares
    upstream: Upstream
    counters: EdgeCounters
    clock: Callable[[], float]
    access_log: AccessLog | None = None
    own_hosts: frozenset[str] = field(init=False)
    askings: Askings = field(init=False)
    hit: str = field(init=False)  # our Cache-Status of a hit, as far as it is always the same

    def __post_init__(self) -> None:
        set_once = object.__setattr__
        server = self.snapshot.server
        addresses = (address_text(each) for each in (*server.addresses, *server.listen))
        set_once(self, "own_hosts", frozenset((server.host, "", *addresses)))
        set_once(self, "askings", Askings(self._site_of, self.upstream.was_here))
        set_once(self, "hit", encode_cache_status(CacheStatus(server.host, hit=True)))

    @property
    def host(self) -> str:
        """Our own name."""
        return self.snapshot.server.host

    @property
    def load(self) -> float:
        """The part of the server's capacity in use, 0 to 1."""
        return self.counters.load_meter.load(self.snapshot.server.capacity_bits_per_second)

    def _site_of(self, host: str) -> Site | None:
        """Whose content a host is about; our own name or address means the only site there is."""
        site = self.snapshot.site_for(host)
        if site is None and host in self.own_hosts:
            return self.snapshot.sole_site
        return site
