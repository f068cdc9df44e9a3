"""The lane of hits: answers what most requests are, a plain GET of something small, fresh and at hand.

It wraps the application and has its signature; whatever is not plain goes to the application, and what it
answers the application would answer alike: the tests of the edge run with it and without. It is born with a
Snapshot's application, remembers nothing of its own, and `[serving] lanes = false` removes it.

Hot file, paid for by bench/http_hit.py: one look-up of what the fields ask for, one of the object.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from nearcast.cache.body import PIECE_BYTES
from nearcast.edge.application import EdgeApplication
from nearcast.edge.outcome import Outcome
from nearcast.serve.http_exchange import Exchange


class HitLane:
    """`EdgeApplication` for whoever asks plainly."""

    def __init__(self, application: EdgeApplication) -> None:
        context = application.context
        self._application = application
        self._known = context.askings.known
        self._store = context.store
        self._counters = context.counters
        self._clock = context.clock
        self._log = context.access_log
        self._hit = context.hit

    def __call__(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """Answer one request."""
        request = exchange.request
        asking = self._known.get(id(request.fields))
        if asking is None or not asking.plain or request.method != "GET":
            return self._application(exchange)
        # Every key in the store is normal: what is found under this target as it came has no other spelling.
        key = asking.stem + request.target
        stored = self._store.at_hand(key)
        if stored is None or len(stored.body.octets) > PIECE_BYTES:
            return self._application(exchange)
        head = stored.head
        now = self._clock()
        resident = now - head.stored_at
        ttl = head.freshness.ttl(resident)
        if ttl <= 0 or not head.written_out:
            return self._application(exchange)
        self._store.used(key)
        counters = self._counters
        counters.requests += 1
        more = {
            "age": str(int(head.freshness.age(resident))),
            "cache-status": f"{self._hit}; ttl={int(ttl)}",
        }
        exchange.respond(head.status, head.block, stored.body.octets, more)
        size = exchange.bytes_sent
        counters.sent(size)
        counters.kinds["hit"] += 1
        if self._log is not None:
            outcome = Outcome("hit", head.status, size, asking.site_name)
            self._log.add(now, 0.0, exchange.peer[0], request, asking.log_part, outcome)
        return None
