"""Bugs to be put into the programs, each with the sentence that it must break.

Every one is a mistake that a careful person could make, and each is a few lines over the real code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from nearcast.cache.account import Account
from nearcast.cache.entry import ObjectHead
from nearcast.cache.object_file import Found
from nearcast.cache.object_writer import ObjectWriter
from nearcast.cache.policies.lru import Lru
from nearcast.cache.store import Store
from nearcast.edge import application, response_range, steps
from nearcast.edge.fill import Fill
from nearcast.edge.fills import Fills
from nearcast.edge.program import Edge
from nearcast.edge.stream import Follower, Stream
from nearcast.model.faults import UpstreamFault
from nearcast.player.download import ProgressiveFile
from nearcast.player.fetch import Fetcher, RetryPolicy
from nearcast.resolver import recursion, rrset_cache
from nearcast.resolver.recursion import Recursion
from nearcast.router import health
from nearcast.router.health import Record
from nearcast.selection import standing, table
from nearcast.selection.decide import Selector
from nearcast.serve.http_client import Incoming
from nearcast.serve.http_connection import HttpConnection
from nearcast.serve.http_upstream import UpstreamConnection
from nearcast.serve.tcp import Connection
from nearcast.simulate.play.checkers.content import ByteExact, ConditionHeeded, NotPurged, NotTorn, OwnName
from nearcast.simulate.play.checkers.freshness import Fresh, KeptWhileUsed, OneFill, StaleOnError
from nearcast.simulate.play.checkers.recovery import AccountsRight, Recovers
from nearcast.simulate.play.checkers.resolving import ToldOnly
from nearcast.simulate.play.checkers.routing import NamesHealthy, OwnFirst, SpreadOut
from nearcast.simulate.play.checkers.soundness import Bounded, NoCrash, NotBrokenOff, RequestsEnd
from nearcast.simulate.play.checkers.viewers import FailedLast, FetchedOnce, Finishes

Put = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Bug:
    """`put` puts it in; within the seeds 1 to `seeds` of the scenario it breaks `sentence`."""

    name: str
    put: Put
    sentence: str
    seeds: int
    scenario: str = "rough"


def partial_fill_passes_for_whole(patch: pytest.MonkeyPatch) -> None:
    """A body that broke off is stored like one that is complete."""

    def fail(self: Fill, fault: UpstreamFault) -> None:
        if self.opened.is_set() and self.stream.arrived:
            self._complete()
            self.finished.set()
        else:
            honest(self, fault)

    honest = Fill.fail
    patch.setattr(Fill, "fail", fail)


def unhealthy_server_stays(patch: pytest.MonkeyPatch) -> None:
    """Failed probes are counted and never acted upon."""
    patch.setattr(Record, "failed", lambda self, why, health: setattr(self, "successes", 0))


def torn_body_is_not_noticed(patch: pytest.MonkeyPatch) -> None:
    """Nothing was synced, and what is found at start is believed."""
    patch.setattr(Found, "body_is_sound", lambda self, file: True)


def waiters_are_lost(patch: pytest.MonkeyPatch) -> None:
    """A fill that fails tells nobody."""

    def fail(self: Fill, fault: UpstreamFault) -> None:
        self.fault = fault
        self.finished.set()

    patch.setattr(Fill, "fail", fail)


def retry_sends_twice(patch: pytest.MonkeyPatch) -> None:
    """When the body breaks off, what has come is sent once more before the end is believed."""

    async def pieces(self: Incoming) -> Iterator[bytes]:  # type: ignore[misc]
        came = []
        try:
            async for piece in honest(self):
                came.append(piece)
                yield piece
        except UpstreamFault:
            for piece in came:
                yield piece

    honest = Incoming.pieces
    patch.setattr(Incoming, "pieces", pieces)


def running_fill_survives_the_purge(patch: pytest.MonkeyPatch) -> None:
    """A purge drops what is stored, and forgets what is being fetched."""
    patch.setattr(Fills, "purge", lambda self, keys: None)


def purge_drops_nothing(patch: pytest.MonkeyPatch) -> None:
    """A purge is acknowledged, and that is all."""
    patch.setattr(Store, "purge", lambda self, keys: 0)
    patch.setattr(Store, "purge_all", lambda self: 0)


def stale_is_fresh(patch: pytest.MonkeyPatch) -> None:
    """What is stored stays fresh for ever."""
    patch.setattr(ObjectHead, "ttl", lambda self, now: 1.0)


def misses_are_not_shared(patch: pytest.MonkeyPatch) -> None:
    """Every miss fetches for itself."""
    patch.setattr(Fills, "running", lambda self, key: None)


def versions_are_mixed(patch: pytest.MonkeyPatch) -> None:
    """A player goes on from the byte reached, whichever version the server has by now."""

    def begin(self: ProgressiveFile, head, source: str) -> None:  # type: ignore[no-untyped-def]
        if self.reached and head.status == 206:
            self._validator = head.fields.get("etag")
        honest(self, head, source)

    honest = ProgressiveFile.begin
    fields = ProgressiveFile.fields
    patch.setattr(ProgressiveFile, "begin", begin)
    patch.setattr(
        ProgressiveFile, "fields", lambda self: {k: v for k, v in fields(self).items() if k != "if-range"}
    )


def back_pressure_is_ignored(patch: pytest.MonkeyPatch) -> None:
    """Answers are written as fast as they come, whether the peer reads or not."""

    async def at_once(self: HttpConnection) -> None:
        return

    patch.setattr(HttpConnection, "until_peer_reads", at_once)


def connections_never_expire(patch: pytest.MonkeyPatch) -> None:
    """The deadline of an idle connection passes without consequence."""
    patch.setattr(Connection, "_look_at_deadline", lambda self: None)


def player_gives_up_too_soon(patch: pytest.MonkeyPatch) -> None:
    """A player does not wait for the answer to expire that named dead servers."""
    turns, pause, pause_max, _ = RetryPolicy.__init__.__defaults__  # type: ignore[misc]
    patch.setattr(RetryPolicy.__init__, "__defaults__", (turns, pause, pause_max, 0.0))


def fill_forgets_its_way_out(patch: pytest.MonkeyPatch) -> None:
    """An error of the origin that nobody catches."""

    async def run(self: Fill) -> None:
        await self._fetch()
        self.opened.set()
        self.finished.set()

    patch.setattr(Fill, "run", run)


# --- the store ------------------------------------------------------------------------------------------
def account_leaks(patch: pytest.MonkeyPatch) -> None:
    """A little of every file that was removed stays on the account."""

    def remove(self: Account, path: str) -> bool:
        removed = honest(self, path)
        self._bytes += 16
        return removed

    honest = Account.remove
    patch.setattr(Account, "remove", remove)


def hits_do_not_count(patch: pytest.MonkeyPatch) -> None:
    """What came first leaves first, however often it is asked for."""
    patch.setattr(Lru, "used", lambda self, key: None)


def only_the_last_piece_is_summed(patch: pytest.MonkeyPatch) -> None:
    """The checksum of a body is that of the piece that came last."""

    def write(self: ObjectWriter, octets: bytes) -> bool:
        self._sum = 0
        return honest(self, octets)

    honest = ObjectWriter.write
    patch.setattr(ObjectWriter, "write", write)


def full_disk_breaks_viewers(patch: pytest.MonkeyPatch) -> None:
    """What cannot be written cannot be passed on."""

    async def put(self: Stream, piece: bytes) -> None:
        if self.writer is not None and not self.writer.write(b""):
            raise UpstreamFault("the disk", "is full")
        await honest(self, piece)

    honest = Stream.put
    patch.setattr(Stream, "put", put)


# --- the edge -------------------------------------------------------------------------------------------
def wrong_clock(patch: pytest.MonkeyPatch) -> None:
    """What is stored ages by a clock that began with the machine."""
    patch.setattr(ObjectHead, "ttl", lambda self, now: self.freshness.ttl(now - 1_700_000_000.0))


def condition_is_ignored(patch: pytest.MonkeyPatch) -> None:
    """A range is a range, of whatever version (If-Range)."""
    patch.setattr(response_range, "if_range_holds", lambda *_: True)


def followers_never_leave(patch: pytest.MonkeyPatch) -> None:
    """Who is gone is still waited for."""
    patch.setattr(Follower, "leave", lambda self: None)


def query_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What stands behind the question mark is not in the key."""
    honest = steps.normal_target
    patch.setattr(steps, "normal_target", lambda target: honest(target.partition("?")[0]))


def no_stale_on_error(patch: pytest.MonkeyPatch) -> None:
    """When the origin fails, what is held is of no use."""
    patch.setattr(ObjectHead, "serves_on_error", lambda self, now: False)


def drain_cuts_fills(patch: pytest.MonkeyPatch) -> None:
    """Whoever ends begins with the fills."""

    async def drain(self: Edge, seconds: float) -> None:
        await self._fills.cancel()
        await honest(self, seconds)

    honest = Edge.drain
    patch.setattr(Edge, "drain", drain)


def every_stale_request_fetches(patch: pytest.MonkeyPatch) -> None:
    """Each request for what is being confirmed in the background confirms it once more."""

    def serve(edge: Any, state: Any) -> Any:
        running, edge.fills.running = edge.fills.running, lambda key: None
        try:
            return honest(edge, state)
        finally:
            edge.fills.running = running

    honest = steps.serve_while_revalidating
    walked = tuple(serve if step is honest else step for step in steps.STEPS)
    patch.setattr(application, "STEPS", walked)


def short_body_passes_for_whole(patch: pytest.MonkeyPatch) -> None:
    """The origin says that it sends no more: so that was all."""

    async def piece(self: UpstreamConnection) -> bytes | None:
        try:
            return await honest(self)
        except UpstreamFault:
            if self._fault is None:
                raise
            return None

    honest = UpstreamConnection.piece
    patch.setattr(UpstreamConnection, "piece", piece)


# --- routing and names ----------------------------------------------------------------------------------
def standby_in_the_same_rack(patch: pytest.MonkeyPatch) -> None:
    """Every server is a failure domain of its own."""
    honest = Selector._of_pop

    def of_pop(self: Selector, key: str, pop: int, wanted: int) -> Any:
        down = self.standing.available.down
        alive = [each for each in self._table.ranked(key, pop) if each.name not in down]
        return alive[:wanted] if len(alive) >= wanted else honest(self, key, pop, wanted)

    patch.setattr(Selector, "_of_pop", of_pop)


def own_isp_is_one_of_many(patch: pytest.MonkeyPatch) -> None:
    """Clients of an ISP with servers inside are strangers to it."""
    honest = table.compile_order

    def compiled(number: int, zone: Any, *rest: Any) -> Any:
        return honest(number, replace(zone, own_pop=None), *rest)

    patch.setattr(table, "compile_order", compiled)


def spill_is_inverted(patch: pytest.MonkeyPatch) -> None:
    """Those who have room give way to those who have none."""
    honest = standing._look

    def look(*seen: Any) -> Any:
        healthy, load = honest(*seen)
        return healthy, 1.0 - load

    patch.setattr(standing, "_look", look)


def probing_dies_of_a_bad_page(patch: pytest.MonkeyPatch) -> None:
    """A page that cannot be read ends the task that probes."""

    def read(body: bytes) -> Any:
        try:
            return honest(body)
        except ValueError:
            raise asyncio.CancelledError from None

    honest = health.read_health
    patch.setattr(health, "read_health", read)


def who_was_down_stays_down(patch: pytest.MonkeyPatch) -> None:
    """Good probes of a server that was taken out are not believed."""

    def succeeded(self: Record, *rest: Any) -> None:
        was_up = self.up
        honest(self, *rest)
        self.up = was_up

    honest = Record.succeeded
    patch.setattr(Record, "succeeded", succeeded)


def scope_is_ignored(patch: pytest.MonkeyPatch) -> None:
    """The resolver gives to everybody what was said to one."""
    patch.setattr(recursion, "audience_of", lambda subnet, scope: rrset_cache.EVERYONE)


def denials_last_like_answers(patch: pytest.MonkeyPatch) -> None:
    """That there is no such name is believed for a day."""

    def keep(self: Recursion, told: Any, *rest: Any) -> Any:
        if isinstance(told, recursion.Denial):
            told = told._replace(seconds=86_400)
        return honest(self, told, *rest)

    honest = Recursion._keep
    patch.setattr(Recursion, "_keep", keep)


def answers_do_not_age(patch: pytest.MonkeyPatch) -> None:
    """The resolver measures what is left of a TTL by the wrong clock."""
    patch.setattr(rrset_cache.Kept, "ttl", lambda self, now: self.records.ttl if self.records else 60)


# --- the player -----------------------------------------------------------------------------------------
def film_begins_anew_after_a_failover(patch: pytest.MonkeyPatch) -> None:
    """Another server, another film."""

    def fields(self: ProgressiveFile) -> Any:
        if self.troubles and self.reached:
            self._begin_anew("another server")
            self.restarts = 0
        return honest(self)

    honest = ProgressiveFile.fields
    patch.setattr(ProgressiveFile, "fields", fields)


def failed_server_is_asked_first(patch: pytest.MonkeyPatch) -> None:
    """The order of the answer is kept, whatever happened."""
    patch.setattr(
        Fetcher, "_by_trust", lambda self, addresses, port: [(address, port) for address in addresses]
    )


CONDITION = "regressions/condition_is_ignored"
FOLLOWERS = "regressions/followers_never_leave"
STALE = "regressions/every_stale_request_fetches"

BUGS = (
    Bug("partial fill passes for whole", partial_fill_passes_for_whole, NotTorn.sentence, 3),
    Bug("unhealthy server stays", unhealthy_server_stays, NamesHealthy.sentence, 3),
    Bug("torn body is not noticed", torn_body_is_not_noticed, NotTorn.sentence, 3),
    Bug("waiters are lost", waiters_are_lost, RequestsEnd.sentence, 3),
    Bug("retry sends twice", retry_sends_twice, NoCrash.sentence, 3),
    Bug("running fill survives the purge", running_fill_survives_the_purge, NotPurged.sentence, 5),
    Bug("purge drops nothing", purge_drops_nothing, NotPurged.sentence, 3),
    Bug("stale is fresh", stale_is_fresh, Fresh.sentence, 3),
    Bug("misses are not shared", misses_are_not_shared, OneFill.sentence, 3),
    Bug("versions are mixed", versions_are_mixed, ByteExact.sentence, 3),
    Bug("back-pressure is ignored", back_pressure_is_ignored, Bounded.sentence, 3),
    Bug("connections never expire", connections_never_expire, Bounded.sentence, 3),
    Bug("player gives up too soon", player_gives_up_too_soon, Finishes.sentence, 5),
    Bug("fill forgets its way out", fill_forgets_its_way_out, NoCrash.sentence, 3),
    Bug("account leaks", account_leaks, AccountsRight.sentence, 3, "varied"),
    Bug("hits do not count", hits_do_not_count, KeptWhileUsed.sentence, 3, "varied"),
    Bug("only the last piece is summed", only_the_last_piece_is_summed, KeptWhileUsed.sentence, 4, "varied"),
    Bug("full disk breaks viewers", full_disk_breaks_viewers, NotBrokenOff.sentence, 3, "varied"),
    Bug("wrong clock", wrong_clock, KeptWhileUsed.sentence, 3, "varied"),
    Bug(
        "condition is ignored",
        condition_is_ignored,
        ConditionHeeded.sentence,
        1,
        "regressions/condition_is_ignored",
    ),
    Bug("followers never leave", followers_never_leave, RequestsEnd.sentence, 1, FOLLOWERS),
    Bug("query is forgotten", query_is_forgotten, OwnName.sentence, 1, "varied"),
    Bug("no stale on error", no_stale_on_error, StaleOnError.sentence, 3, "varied"),
    Bug("drain cuts fills", drain_cuts_fills, NotBrokenOff.sentence, 3, "varied"),
    Bug("every stale request fetches", every_stale_request_fetches, OneFill.sentence, 1, STALE),
    Bug("short body passes for whole", short_body_passes_for_whole, ByteExact.sentence, 4, "varied"),
    Bug("standby in the same rack", standby_in_the_same_rack, SpreadOut.sentence, 1, "varied"),
    Bug("own ISP is one of many", own_isp_is_one_of_many, OwnFirst.sentence, 1, "varied"),
    Bug("spill is inverted", spill_is_inverted, OwnFirst.sentence, 1, "varied"),
    Bug("probing dies of a bad page", probing_dies_of_a_bad_page, NamesHealthy.sentence, 3, "varied"),
    Bug("who was down stays down", who_was_down_stays_down, Recovers.sentence, 1, "varied"),
    Bug("scope is ignored", scope_is_ignored, ToldOnly.sentence, 1, "varied"),
    Bug("denials last like answers", denials_last_like_answers, ToldOnly.sentence, 1, "varied"),
    Bug("answers do not age", answers_do_not_age, ToldOnly.sentence, 1, "varied"),
    Bug("film begins anew", film_begins_anew_after_a_failover, FetchedOnce.sentence, 3, "varied"),
    Bug("failed server is asked first", failed_server_is_asked_first, FailedLast.sentence, 3, "varied"),
)
