"""Bugs to be put into the programs, each with the sentence that it must break.

Every one is a mistake that a careful person could make, and each is a few lines over the real code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from nearcast.cache.entry import ObjectHead
from nearcast.cache.object_file import Found
from nearcast.cache.store import Store
from nearcast.edge.fill import Fill
from nearcast.edge.fills import Fills
from nearcast.model.faults import UpstreamFault
from nearcast.player.download import ProgressiveFile
from nearcast.player.fetch import RetryPolicy
from nearcast.router.health import Record
from nearcast.serve.http_client import Incoming
from nearcast.serve.http_connection import HttpConnection
from nearcast.serve.tcp import Connection
from nearcast.simulate.play.checkers.content import ByteExact, Fresh, NotPurged, NotTorn
from nearcast.simulate.play.checkers.fills import OneFill
from nearcast.simulate.play.checkers.finishes import Finishes
from nearcast.simulate.play.checkers.routing import NamesHealthy
from nearcast.simulate.play.checkers.soundness import Bounded, NoCrash, RequestsEnd

Put = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Bug:
    """`put` puts it in; within the seeds 1 to `seeds` it breaks `sentence`."""

    name: str
    put: Put
    sentence: str
    seeds: int


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
)
