"""The life of a request for content, as a list of named steps.

`STEPS` is the whole story; `application.py` walks it. A step that has answered says so, one that must wait
hands back a coroutine, and otherwise the next step has its turn. A fresh hit is answered before the step
returns.

Stale answers keep to RFC 5861, Cache-Status to RFC 9211, loop detection to RFC 8586. Request directives
that would make the origin work (no-cache, max-age=0) are not followed, as RFC 9111 5.2.1 allows: anybody
could take the cache away from everybody. `only-if-cached` is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from nearcast.cache.entry import ObjectHead, StoredObject
from nearcast.cache.key import cache_key, normal_target
from nearcast.edge.context import EdgeContext
from nearcast.edge.deliver import Later, deliver, fail, refuse
from nearcast.edge.fill import Fill, FillRequest
from nearcast.edge.outcome import Kind
from nearcast.edge.request_state import RequestState
from nearcast.edge.response_range import ResponseRange, response_range
from nearcast.edge.shares import client_of
from nearcast.edge.stream import Follower
from nearcast.edge.upstream import timed_out
from nearcast.model.faults import UpstreamFault
from nearcast.serve.http_channel import NO_FIELDS
from nearcast.wire.http.cache_status import CacheStatus, encode_cache_status
from nearcast.wire.http.cross_origin import METHODS, PREFLIGHT
from nearcast.wire.http.field_block import FieldBlock
from nearcast.wire.http.message import Fields

_PREFLIGHT = FieldBlock(PREFLIGHT)
_RETRY_SOON = {"retry-after": "1"}


class Answered:
    """A step has answered the request."""


ANSWERED: Final = Answered()
StepResult = Answered | Later | None
Step = Callable[[EdgeContext, RequestState], StepResult]


def check_method(edge: EdgeContext, state: RequestState) -> StepResult:
    """GET and HEAD go on; a preflight is answered; nothing else is done here, or passed on."""
    method = state.exchange.request.method
    if method in ("GET", "HEAD"):
        return None
    if method == "OPTIONS":
        state.outcome.kind = "preflight"
        state.exchange.respond(204, _PREFLIGHT)
    else:
        refuse(state, 405, f"Only {METHODS} are understood here.", {"allow": METHODS})
    return ANSWERED


def find_site(edge: EdgeContext, state: RequestState) -> StepResult:
    """Host says whose content it is."""
    site = state.asking.site
    if site is None:
        refuse(state, 421, f'No site here is called "{state.asking.host}".')
        return ANSWERED
    state.outcome.site = site.name
    return None


def refuse_loop(edge: EdgeContext, state: RequestState) -> StepResult:
    """A request that came through us before would come for ever (RFC 8586)."""
    if not state.asking.looped:
        return None
    refuse(state, 508, "This request has been here before: the origin leads back here.")
    return ANSWERED


def name_object(edge: EdgeContext, state: RequestState) -> StepResult:
    """The key: what makes two requests ask for the same."""
    try:
        state.target = normal_target(state.exchange.request.target)
    except ValueError as fault:
        refuse(state, 414, f"This cannot be asked for: {fault}.")
        return ANSWERED
    state.key = cache_key(state.site.name, state.target)
    return None


def pass_private(edge: EdgeContext, state: RequestState) -> StepResult:
    """What a viewer asks for with credentials is between the viewer and the origin (RFC 9111 3.5)."""
    if not state.asking.private:
        return None
    fields = state.exchange.request.fields
    asked = edge.upstream.forwarded(fields) | {"authorization": fields["authorization"]}
    state.outcome.kind = "bypass"
    return _by_fill(edge, state, replace(_wanted(state, asked), shared=False), "bypass")


def look_up(edge: EdgeContext, state: RequestState) -> StepResult:
    """What the store has, and whether it is fresh."""
    state.held = held = edge.store.get(state.key)
    if held is None:
        return None
    now = state.now
    ttl = held.head.ttl(now)
    if ttl <= 0:
        return None
    return _from_store(edge, state, "hit", held, now, f"{edge.hit}; ttl={int(ttl)}")


def serve_while_revalidating(edge: EdgeContext, state: RequestState) -> StepResult:
    """A little stale: served now, confirmed in the background (RFC 5861 3)."""
    held, now = state.held, state.now
    if held is None or not held.head.serves_while_revalidating(now):
        return None
    if edge.fills.running(state.key) is None:
        forwarded = edge.upstream.forwarded(state.exchange.request.fields)
        edge.fills.start(replace(_wanted(state, forwarded), client=""))
    return _from_store(edge, state, "stale", held, now, f"{edge.hit}; ttl={int(held.head.ttl(now))}")


def heed_only_if_cached(edge: EdgeContext, state: RequestState) -> StepResult:
    """Who wants nothing but a stored answer gets no other (RFC 9111 5.2.1.7)."""
    if not state.asking.only_if_cached:
        return None
    refuse(state, 504, "It is not in the cache.")
    return ANSWERED


def fill(edge: EdgeContext, state: RequestState) -> StepResult:
    """Everything else waits for the origin, all for one object together."""
    forwarded = edge.upstream.forwarded(state.exchange.request.fields)
    state.outcome.kind = "miss"
    return _by_fill(edge, state, _wanted(state, forwarded), "miss" if state.held is None else "stale")


STEPS: Final[tuple[Step, ...]] = (
    check_method,
    find_site,
    refuse_loop,
    name_object,
    pass_private,
    look_up,
    serve_while_revalidating,
    heed_only_if_cached,
    fill,
)


# --- from the store -------------------------------------------------------------------------------
def _from_store(
    edge: EdgeContext, state: RequestState, kind: Kind, held: StoredObject, now: float, cache_status: str
) -> StepResult:
    state.outcome.kind = kind
    head, body = held.head, held.body
    if state.asking.conditional:
        part = response_range(state.exchange.request, head.status, head.block, body.length, now)
    else:
        part = ResponseRange(head.status, head.block, NO_FIELDS, 0, body.length)
    more = {"age": str(int(head.age(now))), "cache-status": cache_status}
    return deliver(edge, state, part, body, more) or ANSWERED


# --- by a fill ------------------------------------------------------------------------------------
def _wanted(state: RequestState, fields: Fields) -> FillRequest:
    """The fill this request needs; `fields` go upstream."""
    client = client_of(state.exchange.peer[0])
    return FillRequest(state.key, state.site, state.target, fields, state.held, client)


async def _by_fill(edge: EdgeContext, state: RequestState, wanted: FillRequest, reason: str) -> None:
    fill = edge.fills.running(state.key) if wanted.shared else None
    collapsed = fill is not None
    if fill is None:
        fill = edge.fills.start(wanted)
    if fill is None:
        fail(state, 503, "Too much is being fetched at the moment.", _RETRY_SOON)
        return
    follower = fill.stream.follow()
    try:
        await fill.opened.wait()
        if not (collapsed and fill.why_private):
            await _from_fill(edge, state, fill, follower, reason, collapsed)
            return
    finally:
        follower.leave()
    await _by_fill(edge, state, replace(wanted, shared=False), reason)  # that answer is another's


async def _from_fill(
    edge: EdgeContext, state: RequestState, fill: Fill, follower: Follower, reason: str, collapsed: bool
) -> None:
    outcome = state.outcome
    outcome.fill_seconds = fill.head_seconds
    if collapsed:
        outcome.kind = "collapsed"
    else:
        outcome.revalidated = reason == "stale"
    report = CacheStatus(edge.host, fwd=reason, fwd_status=fill.origin_status, collapsed=collapsed)
    later: StepResult
    if fill.refused:
        fail(state, 503, "Too much is passing through at the moment.", _RETRY_SOON)
        return
    if fill.fault is not None:
        later = _stale_or_fail(edge, state, fill.fault, report)
    elif fill.confirmed is not None:
        later = _from_store(edge, state, outcome.kind, fill.confirmed, state.now, encode_cache_status(report))
    else:
        later = _follow(edge, state, fill, follower, report)
    if later is not None and not isinstance(later, Answered):
        await later


def _follow(
    edge: EdgeContext, state: RequestState, fill: Fill, follower: Follower, report: CacheStatus
) -> StepResult:
    """Pass on what is on its way."""
    head = fill.head
    assert head is not None
    if state.asking.conditional:
        request = state.exchange.request
        part = response_range(request, head.status, head.block, follower.length, edge.clock())
    else:
        part = ResponseRange(head.status, head.block, NO_FIELDS, 0, follower.length)
    report = replace(report, stored=fill.why_not_stored is None, detail=fill.why_not_stored)
    timing = f"fill;dur={fill.head_seconds * 1000:.1f}"
    before = head.block.fields.get("server-timing")
    more = {
        "cache-status": encode_cache_status(report, head.block.fields.get("cache-status")),
        "server-timing": f"{before}, {timing}" if before else timing,
    }
    return deliver(edge, state, part, follower, more)


def _stale_or_fail(
    edge: EdgeContext, state: RequestState, fault: UpstreamFault, report: CacheStatus
) -> StepResult:
    """The origin cannot be had: what we hold may still do (RFC 5861 4), unless it was purged."""
    held, now = state.held, edge.clock()
    if held is not None and held.head.serves_on_error(now) and _is_there(edge, held.head):
        report = replace(report, ttl=int(held.head.ttl(now)), detail=fault.sentence)
        return _from_store(edge, state, "stale", held, now, encode_cache_status(report))
    status = 504 if timed_out(fault) else 502
    named = {"cache-status": encode_cache_status(report)}
    fail(state, status, f"The origin cannot be had: {fault}.", named)
    return ANSWERED


def _is_there(edge: EdgeContext, head: ObjectHead) -> bool:
    return edge.store.head(head.key) is head
