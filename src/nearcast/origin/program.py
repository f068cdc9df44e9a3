"""The origin: whole truths over HTTP, with everything a cache in front of it needs.

GET and HEAD, single ranges, validators and conditions, lifetimes by kind, and permission for players
on pages of other hosts to read all of it. It is deliberately plain: what makes a CDN fast happens in
front of it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nearcast.model.title import TITLE_JSON
from nearcast.origin.content import Content, ContentSource, Mounted, OnePage, Stacked
from nearcast.origin.directory import DirectorySource
from nearcast.origin.media import KINDS, MediaType, kind_of
from nearcast.origin.paths import content_name
from nearcast.serve.http_server import Exchange, HttpListener, listen_http
from nearcast.serve.limits import HttpLimits, StreamLimits
from nearcast.wire.http.conditions import failed_precondition
from nearcast.wire.http.cross_origin import METHODS, OPEN_TO_ALL, PREFLIGHT
from nearcast.wire.http.dates import encode_date
from nearcast.wire.http.ranges import (
    Span,
    Unsatisfiable,
    content_range,
    if_range_holds,
    requested_span,
    unsatisfied_range,
)

# Larger answers are written in pieces, each when the peer has taken the ones before.
PIECE_BYTES = 256 * 1024

_SENTENCES = {
    404: "There is nothing here.",
    405: "Only GET, HEAD and OPTIONS are understood here.",
    412: "The precondition does not hold.",
    416: "The range lies outside the object.",
}


class Origin:
    """A running origin. `fetches_total` counts the GET requests answered with content."""

    listener: HttpListener

    def __init__(
        self, source: ContentSource, clock: Callable[[], float], kinds: Mapping[str, MediaType] = KINDS
    ) -> None:
        self.fetches_total = 0
        self._source = source
        self._clock = clock
        self._kinds = kinds

    @property
    def port(self) -> int:
        """The port really bound."""
        return self.listener.port

    async def drain(self, seconds: float) -> None:
        await self.listener.drain(seconds)

    def abort(self) -> None:
        self.listener.abort()

    def __call__(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """Answer one request."""
        method = exchange.request.method
        if method == "OPTIONS":
            exchange.respond(204, PREFLIGHT)
            return None
        if method not in ("GET", "HEAD"):
            _refuse(exchange, 405, {"allow": METHODS})
            return None
        name = content_name(exchange.request.path)
        content = None if name is None else self._source.find(name)
        if name is not None and content is None and (page := self._page_of(name)):
            exchange.respond(302, {**OPEN_TO_ALL, "location": page, "cache-control": "public, max-age=60"})
            return None
        if name is None or content is None:
            _refuse(exchange, 404, {"cache-control": "public, max-age=1"})
            return None
        return self._answer(exchange, content)

    def _page_of(self, name: str) -> str | None:
        """The player page of the title called `name`, for those who type its address into a browser."""
        title = name.removesuffix("/index.html")
        page = f"watch/{title}"
        if self._source.find(f"{title}/{TITLE_JSON}") is None or self._source.find(page) is None:
            return None
        return "/" + quote(page)

    def _answer(self, exchange: Exchange, content: Content) -> Coroutine[Any, Any, None] | None:
        request, now = exchange.request, self._clock()
        fields = self._fields(content)
        failed = failed_precondition(request.method, request.fields, content.etag, content.modified, now)
        if failed == 304:
            exchange.respond(304, fields)
            return None
        if failed is not None:
            _refuse(exchange, failed, {})
            return None
        span: Span | Unsatisfiable | None = None
        if request.method == "GET" and if_range_holds(
            request.fields.get("if-range"), content.etag, content.modified, now
        ):  # RFC 9110 14.2: a Range field means something with GET only
            span = requested_span(request.fields.get("range"), content.size)
        if isinstance(span, Unsatisfiable):
            _refuse(exchange, 416, {"content-range": unsatisfied_range(content.size)})
            return None
        if request.method == "GET":
            self.fetches_total += 1
        if span is None:
            return _send(exchange, 200, fields, content.octets)
        fields["content-range"] = content_range(span, content.size)
        return _send(exchange, 206, fields, content.octets[span.start : span.stop])

    def _fields(self, content: Content) -> dict[str, str]:
        kind = kind_of(content.name, self._kinds)
        return {
            "content-type": kind.media_type,
            "cache-control": kind.cache_control,
            "etag": content.etag,
            "last-modified": encode_date(content.modified),
            "accept-ranges": "bytes",
            "x-content-type-options": "nosniff",
            **OPEN_TO_ALL,
        }


def _send(
    exchange: Exchange, status: int, fields: Mapping[str, str], octets: memoryview
) -> Coroutine[Any, Any, None] | None:
    if len(octets) > PIECE_BYTES and exchange.request.method == "GET":
        return _send_pieces(exchange, status, fields, octets)
    exchange.respond(status, fields, octets)
    return None


async def _send_pieces(
    exchange: Exchange, status: int, fields: Mapping[str, str], octets: memoryview
) -> None:
    exchange.begin(status, fields, len(octets))
    for start in range(0, len(octets), PIECE_BYTES):
        await exchange.write(octets[start : start + PIECE_BYTES])
    exchange.end()


def _refuse(exchange: Exchange, status: int, fields: Mapping[str, str]) -> None:
    described = {**OPEN_TO_ALL, "content-type": "text/plain; charset=utf-8", **fields}
    exchange.respond(status, described, f"{_SENTENCES[status]}\n".encode())


async def start_origin(
    root: Path | ContentSource,
    address: str,
    port: int,
    *,
    clock: Callable[[], float],
    pages: Path | ContentSource | None = None,
    kinds: Mapping[str, MediaType] = KINDS,
    limits: HttpLimits | None = None,
    stream_limits: StreamLimits | None = None,
) -> Origin:
    """Serve the titles in `root` on `address`:`port` until the origin is drained or aborted.

    `pages` are web pages: all of them below `/player/`, and their `watch.html` for every
    `/watch/<title>`. `kinds` says by suffix how contents are typed and kept. `clock`: Unix seconds.
    An address that cannot be bound raises OSError.
    """
    sources = [_source(root)]
    if pages is not None:
        web = _source(pages)
        sources += [Mounted("player", web), OnePage("watch", web, "watch.html")]
    origin = Origin(Stacked(*sources), clock, kinds)
    origin.listener = await listen_http(
        origin, address, port, clock=clock, limits=limits, stream_limits=stream_limits
    )
    return origin


def _source(where: Path | ContentSource) -> ContentSource:
    return DirectorySource(where) if isinstance(where, Path) else where
