"""What is known about one request so far."""

from __future__ import annotations

from nearcast.cache.entry import StoredObject
from nearcast.edge.asking import Asking
from nearcast.edge.outcome import Outcome
from nearcast.model.snapshot import Site
from nearcast.serve.http_exchange import Exchange


class RequestState:
    """Filled in by one step after the other; `outcome` is what will have become of it."""

    __slots__ = ("asking", "exchange", "held", "key", "now", "outcome", "target")

    def __init__(self, exchange: Exchange, asking: Asking, now: float) -> None:
        self.exchange = exchange
        self.asking = asking  # what its fields ask for
        self.now = now  # Unix seconds
        self.target = ""  # as it is spelt in the key
        self.key = ""
        self.held: StoredObject | None = None
        self.outcome = Outcome()

    @property
    def site(self) -> Site:
        """Whose content is asked for, once that is known to be somebody's."""
        assert self.asking.site is not None
        return self.asking.site
