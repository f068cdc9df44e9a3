"""Writing answers: the one place where bodies leave, wherever they come from.

A small body that is at hand is answered before the call returns: no task, no timer, no copy. Any other is
written piece by piece, each when the viewer has taken the ones before.
"""

from __future__ import annotations

from collections.abc import Coroutine
from contextlib import aclosing
from typing import Any

from nearcast.cache.body import Body, BodyBroken
from nearcast.edge.context import EdgeContext
from nearcast.edge.request_state import RequestState
from nearcast.edge.response_range import ResponseRange
from nearcast.wire.http.cross_origin import OPEN_TO_ALL
from nearcast.wire.http.field_block import FieldBlock
from nearcast.wire.http.message import Fields

Later = Coroutine[Any, Any, None]

_SENTENCE = FieldBlock(
    {**OPEN_TO_ALL, "content-type": "text/plain; charset=utf-8", "cache-control": "no-store"}
)


def deliver(
    edge: EdgeContext, state: RequestState, part: ResponseRange, body: Body, more: Fields
) -> Later | None:
    """Answer with `part` of `body`; `more` are fields of this answer alone. None when it is done already."""
    exchange = state.exchange
    if part.more:
        more = {**more, **part.more}
    if exchange.request.method == "HEAD" or part.stop == 0:
        exchange.begin(part.status, part.fields, None if part.stop is None else part.stop - part.start, more)
        exchange.end()
        return None
    octets = body.at_hand(part.start, part.stop)
    if octets is None:
        return _in_pieces(edge, state, part, body, more)
    exchange.respond(part.status, part.fields, octets, more)
    edge.counters.sent(exchange.bytes_sent)
    return None


async def _in_pieces(
    edge: EdgeContext, state: RequestState, part: ResponseRange, body: Body, more: Fields
) -> None:
    exchange = state.exchange
    exchange.begin(part.status, part.fields, None if part.stop is None else part.stop - part.start, more)
    async with aclosing(body.pieces(part.start, part.stop)) as pieces:
        try:
            async for piece in pieces:
                edge.counters.sent(len(piece))
                await exchange.write(piece)
        except BodyBroken:
            state.outcome.end = "broken off"
            exchange.break_off()
            return
    exchange.end()


def refuse(state: RequestState, status: int, sentence: str, fields: Fields | None = None) -> None:
    """Say what the viewer did wrong."""
    state.outcome.kind = "refused"
    _say(state, status, sentence, fields or {})


def fail(state: RequestState, status: int, sentence: str, fields: Fields) -> None:
    """Say that the origin, or we, cannot do what was asked."""
    state.outcome.end = "error"
    _say(state, status, sentence, fields)


def _say(state: RequestState, status: int, sentence: str, fields: Fields) -> None:
    state.exchange.respond(status, _SENTENCE, f"{sentence}\n".encode(), fields)
