"""The application that answers viewers: walks each request through `STEPS`, and sees to its end.

Hot file (bench/http_hit.py): a fresh hit makes no task and no timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from nearcast.cache.key import cache_key
from nearcast.edge.context import EdgeContext
from nearcast.edge.deliver import Later
from nearcast.edge.request_state import RequestState
from nearcast.edge.steps import ANSWERED, STEPS
from nearcast.model.snapshot import Site
from nearcast.serve.http_exchange import Exchange


class EdgeApplication:
    """Answers requests for content on one edge; made anew with each Snapshot."""

    def __init__(self, context: EdgeContext) -> None:
        self.context = context
        self._askings = context.askings
        self._counters = context.counters
        self._clock = context.clock
        self._loop = asyncio.get_running_loop()

    def __call__(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """Answer one request."""
        context = self.context
        self._counters.requests += 1
        state = RequestState(exchange, self._askings.of(exchange.request), self._clock())
        came_at = 0.0 if context.access_log is None else self._loop.time()
        try:
            for step in STEPS:
                result = step(context, state)
                if result is ANSWERED:
                    break
                if result is not None:
                    # The one Answered there is was dealt with.
                    return self._see_through(state, result, came_at)  # type: ignore[arg-type]
            else:
                raise AssertionError("the last step answers")
        except Exception:
            self._crashed(state, came_at)
            raise
        self._end(state, came_at)
        return None

    async def _see_through(self, state: RequestState, later: Later, came_at: float) -> None:
        try:
            await later
        except (asyncio.CancelledError, ConnectionResetError):
            state.outcome.end = "left"
            self._end(state, came_at)
            raise
        except Exception:
            self._crashed(state, came_at)
            raise
        self._end(state, came_at)

    def _crashed(self, state: RequestState, came_at: float) -> None:
        """Our mistake: whoever called us says 500, or breaks the answer off."""
        outcome = state.outcome
        outcome.kind = "crashed"
        outcome.end = "broken off" if state.exchange.status else "error"
        self._end(state, came_at)

    def _end(self, state: RequestState, came_at: float) -> None:
        """The request is over: count and log what became of it, once."""
        outcome, exchange = state.outcome, state.exchange
        outcome.status = exchange.status
        outcome.bytes_sent = exchange.bytes_sent
        self._counters.count(outcome)
        log = self.context.access_log
        if log is not None:
            seconds = self._loop.time() - came_at
            log.add(state.now, seconds, exchange.peer[0], exchange.request, state.asking.log_part, outcome)

    def purge(self, site: Site, targets: Iterable[str] | None) -> int:
        """Drop normalised targets of `site` (None: all of them); how many there were.

        OSError when a crash might bring one back.
        """
        store, fills = self.context.store, self.context.fills
        if targets is not None:
            keys = [cache_key(site.name, target) for target in targets]
        elif site is self.context.snapshot.sole_site:
            fills.purge(None)
            return store.purge_all()
        else:
            stem = cache_key(site.name, "/")
            keys = [key for key in (*store.keys(), *fills.keys()) if key.startswith(stem)]
        fills.purge(keys)
        return store.purge(keys)
