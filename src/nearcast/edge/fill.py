"""A fill: one fetch of one object from the origin, for everybody who waits for it.

Its life: ask → `opened` (the head is here, or a fault, or a confirmation of what we hold) → the body
streams to the store and to the followers → `finished`. Exactly one of these is true once opened:

    fault      the origin cannot be had, or answered an error while a stale copy may be served instead
    confirmed  304: the held object is fresh again
    head       an answer, whose body is in `stream`

A fill goes on when those who asked for it have left, as long as it is being stored. When the body breaks
off, so do its followers' connections, and nothing is stored: a short body never passes for a whole one.

A body that is not stored takes memory until its viewers have it, so it needs one of the places for those
that pass through; when there is none the fill is `refused`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from nearcast.cache.entry import ObjectHead, StoredObject
from nearcast.cache.freshness import Terms, freshness, why_not_stored, why_private
from nearcast.cache.store import Store
from nearcast.edge.shares import Shares
from nearcast.edge.stream import Abandoned, Stream
from nearcast.edge.upstream import Upstream
from nearcast.model.faults import UpstreamFault
from nearcast.model.snapshot import Site
from nearcast.serve.http_client import Incoming
from nearcast.wire.http.conditions import weakly_equal
from nearcast.wire.http.cross_origin import OPEN_TO_ALL
from nearcast.wire.http.field_block import FieldBlock
from nearcast.wire.http.message import Fields

# Of one passage, not of the object: passed on with a fill, not stored with it.
_PASSING = ("age", "cache-status", "server-timing", "set-cookie")


class Refused(Exception):
    """There is no place for a body that is not stored."""


@dataclass(frozen=True, slots=True)
class FillRequest:
    """What a fill is to fetch."""

    key: str
    site: Site
    target: str
    fields: Fields  # that go upstream
    held: StoredObject | None = None  # a stale copy, to be confirmed
    client: str = ""  # who asked first, as `shares` counts; "": we ourselves
    shared: bool = True  # False: for the one who asked only


@dataclass(frozen=True, slots=True)
class FillDependencies:
    """What every fill of an edge works with. `clock` gives wall time (Unix seconds)."""

    store: Store
    upstream: Upstream
    clock: Callable[[], float]
    count_filled: Callable[[int], None]  # bytes that came from upstream
    passing: Shares  # places for bodies that are not stored


class PassedHead(NamedTuple):
    """The head of an answer as it is passed on."""

    status: int
    block: FieldBlock


class Fill:
    """One running or finished fill."""

    def __init__(self, wanted: FillRequest, means: FillDependencies) -> None:
        self.wanted = wanted
        self.opened = asyncio.Event()
        self.finished = asyncio.Event()
        self.stream = Stream()
        self.fault: UpstreamFault | None = None
        self.confirmed: StoredObject | None = None
        self.head: PassedHead | None = None
        self.refused = False  # there was no place for a body that is not stored
        self.origin_status: int | None = None  # what the origin answered
        self.head_seconds = 0.0  # from the question to the head
        self.why_private: str | None = None  # the answer is for one viewer only
        self.why_not_stored: str | None = None
        self.stored = False
        self.purged = False  # a purge came meanwhile: what we fetch may be what was purged
        self._use = means
        self._has_place = False

    @property
    def joinable(self) -> bool:
        """Whoever comes now can still have all of it."""
        return (
            not self.purged
            and not self.finished.is_set()
            and (not self.opened.is_set() or self.stream.stored)
        )

    async def run(self) -> None:
        """Fetch. Never raises because of the origin or the disk."""
        try:
            if not self.wanted.shared and not self._take_place():
                raise Refused
            await self._fetch()
        except UpstreamFault as fault:
            self.fail(fault)
        except Abandoned:
            self.fail(UpstreamFault(self.wanted.site.origin.host, "nobody waits for it any more"))
        except Refused:
            self.refused = True
            self.fail(UpstreamFault(self.wanted.site.origin.host, "too much is passing through"))
        else:
            self.opened.set()
            self.finished.set()
        finally:
            if self._has_place:
                self._use.passing.give_back(self.wanted.site.name, self.wanted.client)

    def _take_place(self) -> bool:
        """A place for a body that is not stored; false when there is none."""
        if not self._has_place:
            self._has_place = self._use.passing.take(self.wanted.site.name, self.wanted.client)
        return self._has_place

    async def _fetch(self) -> None:
        wanted, loop = self.wanted, asyncio.get_running_loop()
        held = wanted.held.head if wanted.held is not None else None
        asked_at, began = self._use.clock(), loop.time()
        async with self._use.upstream.fetch(wanted.site, wanted.target, wanted.fields, held) as incoming:
            self.head_seconds = loop.time() - began
            came_at = self._use.clock()
            status = self.origin_status = incoming.head.status
            source = wanted.site.origin.host
            if status == 304 and wanted.held is not None:
                self._confirm(wanted.held, incoming.head.fields, asked_at, came_at)
            elif status in (206, 304):
                raise UpstreamFault(source, f"answered {status}, which nobody asked for")
            elif status >= 500 and held is not None and held.serves_on_error(came_at):
                raise UpstreamFault(source, f"answered {status}")
            else:
                await self._take(incoming, asked_at, came_at)

    def _confirm(self, held: StoredObject, news: Fields, asked_at: float, came_at: float) -> None:
        """Update the held object from a 304 (RFC 9111 4.3.4)."""
        old = held.head
        if "etag" in news and old.etag is not None and not weakly_equal(news["etag"], old.etag):
            self._use.store.remove(old.key)
            raise UpstreamFault(self.wanted.site.origin.host, "confirmed another version than ours")
        updates = {
            name: text
            for name, text in self._use.upstream.passed_on(news).items()
            if not name.startswith("content-") and name not in _PASSING
        }
        fields = {name: text for name, text in old.fields.items() if name != "date"} | updates
        ages = freshness(old.status, {**fields, **_age(news)}, self._terms(), asked_at, came_at)
        new = ObjectHead(old.key, old.status, fields, came_at, ages)
        self._use.store.refresh(old, new)
        if why_not_stored(new.status, fields) is not None and self._use.store.head(old.key) is new:
            self._use.store.remove(old.key)
        self.confirmed = replace(held, head=new)

    async def _take(self, incoming: Incoming, asked_at: float, came_at: float) -> None:
        """Store the answer where that is allowed and possible, and let everybody follow it."""
        status, stream, store = incoming.head.status, self.stream, self._use.store
        fields = {**OPEN_TO_ALL, **self._use.upstream.passed_on(incoming.head.fields)}
        if status == 200:
            fields["accept-ranges"] = "bytes"
        stream.length = incoming.length
        self.why_private = why_private(fields)
        self.why_not_stored = self._why_not(status, incoming)
        if self.why_not_stored is None:
            kept = {name: text for name, text in fields.items() if name not in _PASSING}
            ages = freshness(status, fields, self._terms(), asked_at, came_at)
            head = ObjectHead(self.wanted.key, status, kept, came_at, ages)
            if (writer := store.begin(head, incoming.length)) is not None:
                stream.store_in(writer)
            else:
                self.why_not_stored = "no room"
        if self.why_not_stored is not None and status < 500 and self.wanted.shared:
            store.remove(self.wanted.key)  # what we held is not what the origin answers now
        bodiless = incoming.length == 0 or status in (204, 304)
        if self.why_not_stored is not None and not bodiless and not self._take_place():
            raise Refused
        try:
            self.head = PassedHead(status, FieldBlock(fields))
        except ValueError as fault:
            raise UpstreamFault(self.wanted.site.origin.host, f"answered with {fault}") from None
        self.opened.set()
        async for piece in incoming.pieces():
            self._use.count_filled(len(piece))
            await stream.put(piece)
        self._complete()

    def _complete(self) -> None:
        writer = self.stream.writer
        if writer is not None:
            if self.purged:
                writer.discard()
                self.why_not_stored = "purged"
            elif writer.commit() is not None:
                self.stored = True
            else:
                self.why_not_stored = "no room"
        self.stream.finish()

    def _why_not(self, status: int, incoming: Incoming) -> str | None:
        if not self.wanted.shared:
            return "private"
        if self.purged:
            return "purged"
        if incoming.length is None and "transfer-encoding" not in incoming.head.fields and status != 204:
            return "no length"  # ends with its connection: nobody can tell whether it is whole
        return why_not_stored(status, incoming.head.fields)

    def fail(self, fault: UpstreamFault) -> None:
        """End here: nothing is stored, and whoever follows is broken off."""
        if not self.opened.is_set():
            self.fault = fault
        self.why_not_stored = self.why_not_stored or fault.sentence
        self.stream.break_off()
        self.opened.set()
        self.finished.set()

    def _terms(self) -> Terms:
        site = self.wanted.site
        return Terms(site.fresh_seconds_default, site.stale_if_error_seconds)


def _age(fields: Fields) -> dict[str, str]:
    return {"age": fields["age"]} if "age" in fields else {}
