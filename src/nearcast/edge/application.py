"""The life of a request for content, as a list of named steps.

`STEPS` is the whole story; one small loop walks it. A step that has answered says so, one that must wait
hands back a coroutine, and otherwise the next step has its turn. A fresh hit is answered before the call
returns: no task, no timer, no copy.

Stale answers keep to RFC 5861, Cache-Status to RFC 9211, loop detection to RFC 8586. Request directives
that would make the origin work (no-cache, max-age=0) are not followed, as RFC 9111 5.2.1 allows: anybody
could take the cache away from everybody. `only-if-cached` is.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from nearcast.cache.entry import ObjectHead, StoredObject
from nearcast.cache.key import cache_key, normal_target
from nearcast.cache.store import Store
from nearcast.edge.counters import Counters
from nearcast.edge.fill import Fill, FillRequest
from nearcast.edge.fills import Fills
from nearcast.edge.response_range import ResponseRange, response_range
from nearcast.edge.stream import PIECE_BYTES, BodyBroken, Follower
from nearcast.edge.upstream import Upstream, timed_out
from nearcast.model.faults import UpstreamFault
from nearcast.model.snapshot import EdgeSnapshot, Site
from nearcast.serve.http_server import Exchange
from nearcast.wire.addresses import address_text
from nearcast.wire.http.cache_control import parse_cache_control
from nearcast.wire.http.cache_status import CacheStatus, encode_cache_status
from nearcast.wire.http.cross_origin import METHODS, OPEN_TO_ALL, PREFLIGHT
from nearcast.wire.http.message import Fields

AT_ONCE_BYTES = PIECE_BYTES  # larger bodies are written in pieces, each when the peer has taken the last


class Answered:
    """A step has answered the request."""


ANSWERED: Final = Answered()
Outcome = Answered | Coroutine[Any, Any, None] | None


@dataclass(slots=True)
class RequestState:
    """What is known about one request so far."""

    exchange: Exchange
    now: float  # Unix seconds
    site: Site | None = None
    target: str = ""
    key: str = ""
    entry: StoredObject | None = None

    def wanted(self, fields: Fields) -> FillRequest:
        """The fill this request needs; `fields` go upstream."""
        assert self.site is not None
        return FillRequest(self.key, self.site, self.target, fields, self.entry)


class Application:
    """Answers requests for content on one edge; made anew with each Snapshot."""

    def __init__(
        self,
        snapshot: EdgeSnapshot,
        *,
        store: Store,
        fills: Fills,
        upstream: Upstream,
        counters: Counters,
        clock: Callable[[], float],
    ) -> None:
        self.snapshot = snapshot
        self.server = server = snapshot.server
        self.store = store
        self.fills = fills
        self.upstream = upstream
        self.counters = counters
        self.clock = clock
        addresses = {address_text(each) for each in (*server.addresses, *server.listen)}
        self._own_hosts = {server.host, "", *addresses}
        self._hit = encode_cache_status(CacheStatus(server.host, hit=True))

    def __call__(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """Answer one request."""
        self.counters.requests += 1
        state = RequestState(exchange, self.clock())
        for step in STEPS:
            outcome = step(self, state)
            if outcome is ANSWERED:
                return None
            if outcome is not None:
                return outcome  # type: ignore[return-value] # the one Answered there is was dealt with
        raise AssertionError("the last step answers")

    @property
    def load(self) -> float:
        """The part of the server's capacity in use, 0 to 1."""
        return self.counters.load_meter.load(self.server.capacity_bits_per_second)

    def purge(self, site: Site, targets: Iterable[str] | None) -> int:
        """Drop normalised targets of `site` (None: all of them); how many there were.

        OSError when a crash might bring one back.
        """
        if targets is not None:
            keys = [cache_key(site.name, target) for target in targets]
        elif site is self.snapshot.sole_site:
            self.fills.purge(None)
            return self.store.purge_all()
        else:
            stem = cache_key(site.name, "/")
            keys = [key for key in (*self.store.keys(), *self.fills.keys()) if key.startswith(stem)]
        self.fills.purge(keys)
        return self.store.purge(keys)

    # --- the steps --------------------------------------------------------------------------------
    def check_method(self, state: RequestState) -> Outcome:
        """GET and HEAD go on; a preflight is answered; nothing else is done here, or passed on."""
        method = state.exchange.request.method
        if method in ("GET", "HEAD"):
            return None
        if method == "OPTIONS":
            state.exchange.respond(204, PREFLIGHT)
            return ANSWERED
        return self._refuse(state, 405, f"Only {METHODS} are understood here.", {"allow": METHODS})

    def find_site(self, state: RequestState) -> Outcome:
        """Host says whose content it is; our own name or address means the only site there is."""
        host = state.exchange.request.host
        state.site = self.snapshot.site_for(host)
        if state.site is None and host in self._own_hosts:
            state.site = self.snapshot.sole_site
        if state.site is None:
            return self._refuse(state, 421, f'No site here is called "{host}".')
        return None

    def refuse_loop(self, state: RequestState) -> Outcome:
        """A request that came through us before would come for ever (RFC 8586)."""
        if self.upstream.was_here(state.exchange.request.fields):
            return self._refuse(state, 508, "This request has been here before: the origin leads back here.")
        return None

    def name_object(self, state: RequestState) -> Outcome:
        """The key: what makes two requests ask for the same."""
        assert state.site is not None
        try:
            state.target = normal_target(state.exchange.request.target)
        except ValueError as fault:
            return self._refuse(state, 414, f"This cannot be asked for: {fault}.")
        state.key = cache_key(state.site.name, state.target)
        return None

    def pass_private(self, state: RequestState) -> Outcome:
        """What a viewer asks for with credentials is between the viewer and the origin (RFC 9111 3.5)."""
        fields = state.exchange.request.fields
        if "authorization" not in fields:
            return None
        self.counters.bypasses += 1
        asked = self.upstream.forwarded(fields) | {"authorization": fields["authorization"]}
        return self._by_fill(state, replace(state.wanted(asked), shared=False), "bypass")

    def look_up(self, state: RequestState) -> Outcome:
        """What the store has, and whether it is fresh."""
        state.entry = entry = self.store.get(state.key)
        if entry is not None and entry.head.ttl(state.now) > 0:
            self.counters.hits += 1
            return self._from_store(state, entry, self._hit_status(entry.head, state.now))
        return None

    def serve_while_revalidating(self, state: RequestState) -> Outcome:
        """A little stale: served now, confirmed in the background (RFC 5861 3)."""
        entry = state.entry
        if entry is None or not entry.head.serves_while_revalidating(state.now):
            return None
        if self.fills.running(state.key) is None:
            self.fills.start(state.wanted(self.upstream.forwarded(state.exchange.request.fields)))
        self.counters.stale += 1
        return self._from_store(state, entry, self._hit_status(entry.head, state.now))

    def heed_only_if_cached(self, state: RequestState) -> Outcome:
        """Who wants nothing but a stored answer gets no other (RFC 9111 5.2.1.7)."""
        control = state.exchange.request.fields.get("cache-control")
        if control is not None and parse_cache_control(control).only_if_cached:
            return self._refuse(state, 504, "It is not in the cache.")
        return None

    def fill(self, state: RequestState) -> Outcome:
        """Everything else waits for the origin, all for one object together."""
        forwarded = self.upstream.forwarded(state.exchange.request.fields)
        reason = "miss" if state.entry is None else "stale"
        return self._by_fill(state, state.wanted(forwarded), reason)

    # --- from the store ---------------------------------------------------------------------------
    def _hit_status(self, head: ObjectHead, now: float) -> str:
        return f"{self._hit}; ttl={int(head.ttl(now))}"

    def _from_store(self, state: RequestState, entry: StoredObject, cache_status: str) -> Outcome:
        exchange, head = state.exchange, entry.head
        part = response_range(exchange.request, head.status, head.fields, entry.body.length, state.now)
        part.fields["age"] = str(int(head.age(state.now)))
        part.fields["cache-status"] = cache_status
        body = entry.body.octets[part.start : part.stop]
        if len(body) > AT_ONCE_BYTES and exchange.request.method == "GET":
            return self._in_pieces(exchange, part, body)
        exchange.respond(part.status, part.fields, body)
        self.counters.sent(exchange.bytes_sent)
        return ANSWERED

    async def _in_pieces(self, exchange: Exchange, part: ResponseRange, body: memoryview) -> None:
        exchange.begin(part.status, part.fields, len(body))
        for start in range(0, len(body), PIECE_BYTES):
            piece = body[start : start + PIECE_BYTES]
            self.counters.sent(len(piece))
            await exchange.write(piece)
        exchange.end()

    # --- by a fill --------------------------------------------------------------------------------
    async def _by_fill(self, state: RequestState, wanted: FillRequest, reason: str) -> None:
        fill = self.fills.running(state.key) if wanted.shared else None
        collapsed = fill is not None
        if fill is None:
            fill = self.fills.start(wanted)
        if fill is None:
            self._fail(state, 503, "Too much is being fetched at the moment.", {"retry-after": "1"})
            return
        follower = fill.stream.follow()
        try:
            await fill.opened.wait()
            if not (collapsed and fill.why_private):
                self._count(reason, collapsed)
                await self._from_fill(state, fill, follower, reason, collapsed)
                return
        finally:
            follower.leave()
        await self._by_fill(state, replace(wanted, shared=False), reason)  # that answer is another's

    def _count(self, reason: str, collapsed: bool) -> None:
        if collapsed:
            self.counters.collapsed += 1
        elif reason != "bypass":
            self.counters.misses += 1
            self.counters.revalidations += reason == "stale"

    async def _from_fill(
        self, state: RequestState, fill: Fill, follower: Follower, reason: str, collapsed: bool
    ) -> None:
        report = CacheStatus(self.server.host, fwd=reason, fwd_status=fill.origin_status, collapsed=collapsed)
        if fill.fault is not None:
            later = self._stale_or_fail(state, fill.fault, report)
        elif fill.confirmed is not None:
            later = self._from_store(state, fill.confirmed, encode_cache_status(report))
        else:
            later = self._follow(state.exchange, fill, follower, report)
        if isinstance(later, Coroutine):
            await later

    async def _follow(self, exchange: Exchange, fill: Fill, follower: Follower, report: CacheStatus) -> None:
        """Pass on what is on its way."""
        head = fill.head
        assert head is not None
        part = response_range(exchange.request, head.status, head.fields, fill.length, self.clock())
        report = replace(report, stored=fill.why_not_stored is None, detail=fill.why_not_stored)
        part.fields["cache-status"] = encode_cache_status(report, head.fields.get("cache-status"))
        timing = f"fill;dur={fill.head_seconds * 1000:.1f}"
        before = head.fields.get("server-timing")
        part.fields["server-timing"] = f"{before}, {timing}" if before else timing
        exchange.begin(part.status, part.fields, None if part.stop is None else part.stop - part.start)
        if exchange.request.method == "GET" and part.stop != 0:
            follower.skip_to(part.start)
            try:
                while (piece := await follower.piece(part.stop)) is not None:
                    self.counters.sent(len(piece))
                    await exchange.write(piece)
            except BodyBroken:
                self.counters.errors += 1
                exchange.break_off()
                return
        exchange.end()

    def _stale_or_fail(self, state: RequestState, fault: UpstreamFault, report: CacheStatus) -> Outcome:
        """The origin cannot be had: what we hold may still do (RFC 5861 4), unless it was purged."""
        entry, now = state.entry, self.clock()
        if entry is not None and entry.head.serves_on_error(now) and self.store.head(state.key) is entry.head:
            self.counters.stale += 1
            report = replace(report, ttl=int(entry.head.ttl(now)), detail=fault.sentence)
            return self._from_store(state, entry, encode_cache_status(report))
        status = 504 if timed_out(fault) else 502
        self._fail(
            state,
            status,
            f"The origin cannot be had: {fault}.",
            {"cache-status": encode_cache_status(report)},
        )
        return ANSWERED

    # --- refusals ---------------------------------------------------------------------------------
    def _refuse(
        self, state: RequestState, status: int, sentence: str, fields: dict[str, str] | None = None
    ) -> Answered:
        """The viewer's fault."""
        self.counters.refused += 1
        self._say(state, status, sentence, fields or {})
        return ANSWERED

    def _fail(self, state: RequestState, status: int, sentence: str, fields: dict[str, str]) -> None:
        """The origin's fault, or ours."""
        self.counters.errors += 1
        self._say(state, status, sentence, fields)

    def _say(self, state: RequestState, status: int, sentence: str, fields: dict[str, str]) -> None:
        described = {
            **OPEN_TO_ALL,
            "content-type": "text/plain; charset=utf-8",
            "cache-control": "no-store",
            **fields,
        }
        state.exchange.respond(status, described, f"{sentence}\n".encode())


STEPS: Final[tuple[Callable[[Application, RequestState], Outcome], ...]] = (
    Application.check_method,
    Application.find_site,
    Application.refuse_loop,
    Application.name_object,
    Application.pass_private,
    Application.look_up,
    Application.serve_while_revalidating,
    Application.heed_only_if_cached,
    Application.fill,
)
