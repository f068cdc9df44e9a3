"""Fills, as the origin sees them: requests of content servers whose answers are still on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearcast.simulate.play.checkers.checker import Checker
from nearcast.simulate.play.faults import DiskError, DiskFull, DiskReadOnly
from nearcast.simulate.play.observations import Request

if TYPE_CHECKING:
    from nearcast.simulate.play.play import Play


ON_THE_WAY_SECONDS = 13.0  # a fill may have begun so long before the origin hears of it, or was given up


class OneFill(Checker):
    """Looks at the origin's door. A second fetch is allowed when a purge came between (the first must not be
    used any more), and on servers whose disk fails: what cannot be stored cannot be shared by latecomers."""

    sentence = "No more than one fill is under way per object and server."

    def __init__(self, play: Play) -> None:
        super().__init__(play)
        self._last: dict[tuple[str, str, str], Request] = {}  # by server, origin and target
        self._newest: dict[int, Request] = {}  # by connection: only its answer can be on its way

    def requested(self, request: Request) -> None:
        play = self.play
        if play.roster.members[request.host].kind != "origin":
            return
        asking = play.at(request.exchange.peer[0])
        target = request.exchange.request.target
        if asking is None or asking.kind != "edge":
            return
        self._newest[request.connection] = request
        if "authorization" in request.exchange.request.fields:
            return  # what is asked for with credentials is nobody else's
        before = self._last.get((asking.name, request.host, target))
        self._last[asking.name, request.host, target] = request
        if before is None or self._newest[before.connection] is not before or not before.still_receiving:
            return
        if self._excused(asking.name, before, target):
            return
        self.broke(
            f"{asking.name} asked the origin for {target} at {before.began:.3f} s and again before that "
            "answer was there."
        )

    def _excused(self, server: str, before: Request, target: str) -> bool:
        purged = any(
            purge.server == server
            and purge.covers(target)
            and purge.acknowledged >= before.began - ON_THE_WAY_SECONDS
            for purge in self.play.purges
        )
        failing = any(
            isinstance(fault, DiskError | DiskFull | DiskReadOnly)
            and fault.host == server
            and fault.at <= self.play.now
            for fault in self.play.faults
        )
        return purged or failing or self.play.scenario.script.disks.capacity_megabytes is not None
