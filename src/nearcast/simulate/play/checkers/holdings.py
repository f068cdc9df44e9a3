"""What each content server must still hold: known from what the origin gave it and what struck it since.

Generous to the servers: an object counts as held only where no purge, crash or disk fault can have taken it,
and where so little else was used since its last use that whoever keeps what is used must have it.
"""

from __future__ import annotations

from dataclasses import dataclass

from nearcast.simulate.play.faults import Crash, Fault
from nearcast.simulate.play.overheard.transfer import WHOLE, Transfer
from nearcast.simulate.play.stage import Stage

FILL_SECONDS_MAX = 13.0  # a fill may have begun so long before the origin heard of it
OVERHEAD_BYTES = 2048  # of a file beside the body
PRESSURE_MAX = 0.4  # part of the store that other objects may have used since
COMMIT_SECONDS = 0.05
CLOCK_STEP_SECONDS = 1.0


@dataclass(slots=True)
class Holding:
    """One object on one server."""

    asked: float
    """When the origin was asked for it, or asked to confirm it, the last time with success."""
    whole: float
    """When it was there."""
    stored: float
    """When the bytes that it holds were there: a confirmation changes nothing on the disk."""
    bytes: int


class Holdings:
    """Feed it `transferred` and `answered` of every transfer."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._by_server: dict[str, dict[str, Holding]] = {}  # by target, the least recently used first
        self._disk_faults: dict[str, list[Fault]] = {}
        self._restarts: dict[str, list[float]] = {}
        for fault in stage.faults:
            host = getattr(fault, "host", "")
            if fault.disk:
                self._disk_faults.setdefault(host, []).append(fault)
            if host and not fault.disk:
                self._restarts.setdefault(host, []).append(fault.at)

    def answered(self, transfer: Transfer) -> None:
        """A viewer gets it: it was used."""
        self._use(transfer.server, transfer.target)

    def transferred(self, transfer: Transfer) -> None:
        """The origin gave it, or confirmed it."""
        if self._stage.kind(transfer.server) != "origin" or transfer.outcome != WHOLE:
            return
        assert transfer.ended is not None
        held = self._by_server.setdefault(transfer.client, {})
        known = held.get(transfer.target)
        if "authorization" in transfer.wanted:
            return  # for one viewer only
        if transfer.status == 200 and transfer.method == "GET":
            held.pop(transfer.target, None)
            held[transfer.target] = Holding(
                transfer.asked, transfer.ended, transfer.ended, transfer.size + OVERHEAD_BYTES
            )
        elif transfer.status == 304 and known is not None:
            known.asked, known.whole = transfer.asked, transfer.ended
            self._use(transfer.client, transfer.target)
        else:
            held.pop(transfer.target, None)

    def surely(self, server: str, transfer: Transfer) -> Holding | None:
        """What `server` must hold of what `transfer` is about; None when there is any doubt."""
        stage, target = self._stage, transfer.target
        holding = self._by_server.get(server, {}).get(target)
        if holding is None or stage.scenario.script.disks.capacity_megabytes is not None:
            return None
        since, now = holding.stored, stage.now
        purged = any(
            each.server == server
            and each.covers(transfer.path)
            and each.acknowledged > since - FILL_SECONDS_MAX
            for each in stage.purges
        )
        lost = any(
            fault.over > since - FILL_SECONDS_MAX and fault.at <= now
            if not isinstance(fault, Crash)
            else since - COMMIT_SECONDS <= fault.at <= now
            for fault in self._disk_faults.get(server, ())
        )
        bytes_max = stage.intent.servers[server].cache_bytes_max
        if purged or lost or holding.bytes * 2.2 > bytes_max:
            return None
        return holding if self._pressure(server, target, holding) < PRESSURE_MAX * bytes_max else None

    def _pressure(self, server: str, target: str, holding: Holding) -> int:
        """Bytes that were used since this object was; after a restart, when nobody knows the order of use any
        more, bytes of all."""
        held = self._by_server[server]
        filling = sum(
            each.announced or each.size
            for each in self._stage.under_way
            if each.client == server and each.target != target
        )
        if any(
            at > holding.stored - COMMIT_SECONDS
            for at in self._restarts.get(server, ())
            if at <= self._stage.now
        ):
            return filling + sum(each.bytes for each in held.values())
        names = list(held)
        return filling + sum(held[each].bytes for each in names[names.index(target) + 1 :])

    def _use(self, server: str, target: str) -> None:
        held = self._by_server.get(server, {})
        if target in held:
            held[target] = held.pop(target)


def elapsed(stage: Stage, server: str, since: float, until: float) -> tuple[float, float]:
    """How long a span of virtual time was for a content server: at least, and at most. Its own clock may run
    apart from the true one, and may have told another age when the answer came, by the origin's Date."""
    clock = stage.host(server).clock_at
    own = clock(until) - clock(since)
    if own < -CLOCK_STEP_SECONDS:
        return 0.0, float("inf")  # its clock was set back: it cannot know
    apart = clock(since) - stage.host("origin").clock_at(since)
    true = until - since
    return max(0.0, min(true, own)), max(true, own) + max(0.0, apart)
