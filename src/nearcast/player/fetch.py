"""Fetching one object, whatever happens to the servers on the way.

The rules, in this order, when a server refuses, resets, times out, breaks off or answers 5xx:

1. the next address of the same DNS answer is tried; servers that failed of late come last;
2. when all have failed, the DNS is asked afresh, after a pause that doubles and is spread by chance so
   that many viewers do not come back at once (RFC 8085 section 3.1.1 asks for no less of retries);
3. after `turns_max` turns the object is given up, but not before the answer that named the failed servers
   has expired: as long as resolvers keep it, the CDN cannot name others.

What to ask for and what to keep is the business of the `Download` object: a segment begins anew, a
progressive film goes on from the byte reached. Only GET is used, so that asking again is always safe.
Redirects are followed; a retry begins at the URL that redirected, for it may know a better server.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from nearcast.model.faults import UpstreamFault
from nearcast.player.bandwidth import Line
from nearcast.player.download import Download
from nearcast.player.lookup import Names, is_address
from nearcast.player.url import Url
from nearcast.player.viewing import Fetched, Trace
from nearcast.serve.http_client import HttpClient, Incoming
from nearcast.wire.addresses import endpoint_text
from nearcast.wire.http.cache_status import parse_cache_status
from nearcast.wire.http.message import Fields

REDIRECTS = (301, 302, 303, 307, 308)
REDIRECTS_MAX = 5
OTHERS_MAY_KNOW = (408, 421, 425, 429)  # not 5xx, and yet another server may do better
AVOID_SECONDS = 30.0
TTL_STEP_SECONDS = 1  # TTLs count whole seconds


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a viewer puts up with failing servers."""

    turns_max: int = 5
    """Rounds through all addresses, each after a fresh look-up."""
    backoff_seconds: float = 0.25
    """The pause before the second round; it doubles from round to round."""
    backoff_seconds_max: float = 4.0
    """No pause is longer."""
    answer_seconds_max: float = 60.0
    """How long the expiry of an answer is awaited at most."""


class Unwatchable(Exception):
    """The viewing cannot go on; `sentence` says why."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        super().__init__(sentence)


class Unreachable(Unwatchable):
    """No server that should have the object gives it; another one, named elsewhere, may."""


class Fetcher:
    """One viewer's way to objects."""

    def __init__(
        self,
        names: Names,
        client: HttpClient,
        trace: Trace,
        line: Line | None,
        rng: random.Random,
        retry: RetryPolicy,
        clock: Callable[[], float],
    ) -> None:
        """`clock` measures what is told in milliseconds: uvloop's own time counts in whole ones."""
        self._loop = asyncio.get_running_loop()
        self._names = names
        self._client = client
        self._trace = trace
        self._line = line
        self._rng = rng
        self._retry = retry
        self._clock = clock
        self._failed: dict[tuple[str, int], float] = {}  # when, in loop time
        self._expires: float | None = None  # the first fresh answer all of whose servers failed, in loop time

    async def fetch(self, url: Url, download: Download) -> Url:
        """Give `download` its object; returns the URL it came from after redirects.

        Raises Unreachable when every server failed, Unwatchable when a server says that there is no
        such object.
        """
        turn, began, self._expires = 0, 0.0, None
        while turn < self._retry.turns_max or began < (self._expires or 0.0):
            if turn:
                await self._pause(turn)
                whom = url.authority if is_address(url.host) else f"the DNS for {url.host}"
                self._trace.tell("again", f"asking {whom} again, round {turn + 1}")
            source, began = url, self._loop.time()
            for _ in range(REDIRECTS_MAX + 1):
                at = await self._from_any_address(source, download, fresh=turn > 0)
                if at is None:
                    break
                if at == source:
                    return at
                self._trace.tell("redirect", f"{source.authority} redirects to {at}")
                source = at
            else:
                raise Unwatchable(f"{url} leads through more than {REDIRECTS_MAX} redirects")
            turn += 1
        raise Unreachable(f"no server gives {url}; tried {turn} rounds")

    async def _pause(self, turn: int) -> None:
        seconds = self._retry.backoff_seconds * 2.0 ** (turn - 1)
        await asyncio.sleep(min(seconds, self._retry.backoff_seconds_max) * self._rng.uniform(0.5, 1.0))

    async def _from_any_address(self, url: Url, download: Download, *, fresh: bool) -> Url | None:
        """`url` when it was fetched, where it redirects to, or None when every address failed."""
        try:
            lookup = await self._names.look_up(url.host, fresh=fresh)
        except UpstreamFault as fault:
            self._trace.tell("failed", f"the resolver {fault.source} gives no answer: {fault.sentence}")
            return None
        if lookup.rcode == "NXDOMAIN":
            raise Unreachable(f"there is no host {url.host}: NXDOMAIN")
        if not lookup.addresses:
            self._trace.tell("failed", f"no address for {url.host}: {lookup.rcode}")
            return None
        for address in self._by_trust(lookup.addresses, url.port):
            try:
                at = await self._from(address, url, download)
            except UpstreamFault as fault:
                self._failed[address] = self._loop.time()
                download.troubles += 1
                where = endpoint_text(*address)
                self._trace.tell("failed", f"{where}: {fault.sentence}, at {download.title}", address[0])
                continue
            if at == url and download.troubles:
                download.troubles = 0
                self._trace.tell("resumed", f"{address[0]} gives {download.title}", address[0])
            return at
        if fresh and self._expires is None and lookup.ttl_seconds is not None:
            left = min(lookup.ttl_seconds + TTL_STEP_SECONDS, self._retry.answer_seconds_max)
            self._expires = self._loop.time() + left
        return None

    def _by_trust(self, addresses: tuple[str, ...], port: int) -> list[tuple[str, int]]:
        """In the order of the answer, but those that failed of late behind the others."""
        since = self._loop.time() - AVOID_SECONDS
        all_of_them = [(address, port) for address in addresses]
        return sorted(all_of_them, key=lambda address: self._failed.get(address, since) > since)

    async def _from(self, address: tuple[str, int], url: Url, download: Download) -> Url:
        """One request to one server: `url`, or where it redirects to. UpstreamFault: try another one."""
        began, asked_at = self._loop.time(), self._clock()
        source = endpoint_text(*address)
        fields = {"host": url.authority, "user-agent": "nearcast", **download.fields()}
        async with self._client.request("GET", address, url.target, fields) as incoming:
            self._trace.reached = True
            status = incoming.head.status
            if status in REDIRECTS and (location := incoming.head.fields.get("location")):
                return redirected(url, location, source)
            if status >= 500 or status in OTHERS_MAY_KNOW:
                raise UpstreamFault(source, f"answers {status} for {url.path}")
            if status not in (200, 206):
                raise Unwatchable(f"{url} is not to be had: {source} answers {status}")
            download.begin(incoming.head, source)
            try:
                await self._receive(incoming, download, source)
            except UpstreamFault:
                if download.keeps_parts and download.bytes:
                    self._record(asked_at, url, incoming, download)
                raise
            download.seconds = self._loop.time() - began
            self._record(asked_at, url, incoming, download)
        return url

    async def _receive(self, incoming: Incoming, download: Download, source: str) -> None:
        async for piece in incoming.pieces():
            if self._line:
                await self._line.carry(len(piece))
            download.take(piece)
        download.end(source)

    def _record(self, asked_at: float, url: Url, incoming: Incoming, download: Download) -> None:
        server, word = served_by(incoming.head.fields)
        self._trace.add(
            Fetched(
                at=self._trace.now(),
                url=str(url),
                server_address=incoming.address[0],
                server_host=server,
                status=incoming.head.status,
                bytes=download.bytes,
                ms=max(0.0, self._clock() - asked_at) * 1000,
                cache_status=word,
                sha256=download.sha256,
                kind=download.kind,
                rendition=download.rendition,
                number=download.number,
                first_byte=download.first_byte,
            )
        )


def redirected(url: Url, location: str, source: str) -> Url:
    """Where `location` leads from `url`."""
    try:
        target = url.join(location)
    except ValueError as fault:
        raise UpstreamFault(source, f"redirects to {location!r}: {fault}") from None
    if target == url:
        raise UpstreamFault(source, f"redirects {url} to itself")
    return target


def served_by(fields: Fields) -> tuple[str | None, str]:
    """Who served, as it calls itself, and `hit`, `miss`, `stale` or `bypass`; what is not said is None, "".

    The last member of Cache-Status is the cache nearest to us (RFC 9211 section 2), as is that of Via
    (RFC 9110 section 7.6.3).
    """
    try:
        reports = parse_cache_status(fields.get("cache-status", ""))
    except ValueError:
        reports = []
    if reports:
        nearest = reports[-1]
        if nearest.hit:
            return nearest.cache, "hit"
        forwarded = nearest.fwd or ""
        return nearest.cache, "miss" if forwarded.endswith("miss") else forwarded
    via = fields.get("via", "").split(",")[-1].split()
    return (via[1] if len(via) > 1 else None), ""
