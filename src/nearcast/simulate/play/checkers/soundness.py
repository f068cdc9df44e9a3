"""The programs as machines: what they hold, leave lying, break off and let fall."""

from __future__ import annotations

import logging

from nearcast.simulate.play.checkers.checker import Checker
from nearcast.simulate.play.faults import DiskFull, DiskReadOnly, Disturb, Drain, Reset
from nearcast.simulate.play.outages import Outages
from nearcast.simulate.play.overheard.transfer import BROKEN_OFF, Transfer
from nearcast.simulate.play.stage import Stage

UNSENT_BYTES_MAX = 768 * 1024  # a write buffer, and what is written in one go
CONNECTIONS_MAX = 12_000
TASKS_MAX = 64  # of a program with nothing to do; each connection may have a few
TASKS_PER_CONNECTION_MAX = 4
REQUEST_SECONDS_MAX = 20.0  # connecting and waiting for the origin's head take 13 s at most
WAIT_SECONDS = 16.0  # what struck so long ago may still be felt
DRAIN_SLACK_SECONDS = 0.5
READING = ("read", "map", "*")  # disk operations without which a stored body cannot be had


class Bounded(Checker):
    """Counts what every program holds, and at the end what it should have let go."""

    sentence = "Queues and memory stay bounded."

    def sampled(self) -> None:
        for member in self.stage.roster.programs:
            self._look_at(member.name, member.kind)

    def _look_at(self, name: str, kind: str) -> None:
        host = self.stage.host(name)
        streams = host.incarnation.streams
        if len(streams) > CONNECTIONS_MAX:
            self.broke(f"{name} holds {len(streams)} connections.")
        for endpoint in streams.values():
            if endpoint.flow.unsent_bytes > UNSENT_BYTES_MAX:
                self.broke(f"{name} holds {endpoint.flow.unsent_bytes} bytes for one slow peer.")
        tasks = sum(not task.done() for task in host.incarnation.tasks)
        if tasks > TASKS_MAX + TASKS_PER_CONNECTION_MAX * max(len(streams), len(self.stage.roster.viewers)):
            self.broke(f"{name} has {tasks} tasks for {len(streams)} connections.")
        if kind == "edge" and host.disk.bytes_used > self.stage.intent.servers[name].cache_bytes_max:
            self.broke(f"{name} has {host.disk.bytes_used} bytes on its disk.")

    def ended(self, everybody_left: bool) -> None:
        if not everybody_left:
            return
        for member in self.stage.roster.programs:
            host = self.stage.host(member.name)
            if not host.up or host.incarnation.frozen:
                continue
            tasks = [task for task in host.incarnation.tasks if not task.done()]
            if len(tasks) > TASKS_MAX:
                self.broke(f"{member.name} still has {len(tasks)} tasks when all is quiet.")
            left = sum(
                self.stage.roster.members[peer.name].audience is not None
                for endpoint in host.incarnation.streams.values()
                if (peer := self.stage.at(endpoint.remote[0])) is not None
            )
            if left:
                self.broke(f"{member.name} still holds {left} connections of viewers who have left.")
        for transfer in self.stage.under_way:
            client = self.stage.host(transfer.client)
            if client.up and not transfer.dropped and (transfer.number, False) in client.incarnation.streams:
                self.broke(f"{transfer.client} still fetches {transfer.target}, which nobody waits for.")


class RequestsEnd(Checker):
    """Follows every request at the content ports: it must move on, however the origin behaves. What a viewer
    who does not read holds up is not counted."""

    sentence = "Every request ends (answer, error or close) within its limit."

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._since: dict[Transfer, float] = {}  # when it moved or had an excuse, the last time
        self._told: set[Transfer] = set()

    def sampled(self) -> None:
        now, before = self.stage.now, self._since
        self._since = {}
        for transfer in self.stage.under_way:
            if transfer.dropped or not transfer.turn or transfer in self._told:
                continue
            since = now if self._waits_for_peer(transfer) else max(before.get(transfer, now), transfer.moved)
            self._since[transfer] = since
            if now - since > REQUEST_SECONDS_MAX:
                self._told.add(transfer)
                self.broke(
                    f"{transfer.server} has not gone on for {now - since:.1f} s with {transfer.target}, "
                    f"asked for at {transfer.asked:.3f} s by {transfer.client}."
                )

    def _waits_for_peer(self, transfer: Transfer) -> bool:
        """It is the network or the peer that holds it up, or its own host, which hangs."""
        incarnation = self.stage.host(transfer.server).incarnation
        here = incarnation.streams.get((transfer.number, True))
        if here is None or incarnation.frozen:
            return True
        flow = here.flow
        return bool(flow.unsent or flow.transit or flow.in_flight > 0)


class NotBrokenOff(Checker):
    """An answer may fail or break off only where something has struck its server, the origin, the way between
    them or the way to the viewer. A disk that is full or refuses to be written to is no reason."""

    sentence = "No answer fails or breaks off while its server, its origin and its way are in order."

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        # A drain, and every disturbance of a link, is no reason either, but kills and cuts are.
        self._outages = Outages(each for each in stage.faults if not isinstance(each, Drain))

    def transferred(self, transfer: Transfer) -> None:
        stage = self.stage
        if stage.kind(transfer.server) != "edge" or stage.kind(transfer.client) != "viewer":
            return
        failed = transfer.status >= 500
        if not failed and not (transfer.outcome == BROKEN_OFF and transfer.answered is not None):
            return
        since, until = transfer.asked - WAIT_SECONDS, stage.now
        origin = stage.origin_of(transfer.path)
        if not self._outages.free(transfer.client, transfer.server, origin, since=since, until=until):
            return
        if self._struck(transfer, since, until):
            return
        how = f"answered {transfer.status}" if failed else f"broke off after {transfer.size} bytes"
        self.broke(
            f"{transfer.server} {how} to {transfer.client}, who had asked for {transfer.target} at "
            f"{transfer.asked:.3f} s."
        )

    def _struck(self, transfer: Transfer, since: float, until: float) -> bool:
        server = transfer.server
        for fault in self.stage.faults:
            if not (fault.at < until and since < fault.over):
                continue
            ends = {getattr(fault, "one", ""), getattr(fault, "other", "")}
            if isinstance(fault, Reset | Disturb) and server in ends:
                return True
            if getattr(fault, "host", "") != server:
                continue
            match fault:
                case Drain():
                    if until > fault.at + fault.grace_seconds - DRAIN_SLACK_SECONDS:
                        return True
                case DiskFull() | DiskReadOnly():
                    continue
                case _ if fault.disk and getattr(fault, "operation", "map") in READING:
                    return True
        # What the origin replaces while it is being confirmed is not to be had for a moment.
        return any(
            since < edition.since < until
            for edition in self.stage.oracle.editions(transfer.path)
            if edition.since
        )


class NoCrash(Checker):
    """Hears what programs log as their own fault, and what falls out of their tasks."""

    sentence = "No program lets an exception fall."

    def fell(self, record: logging.LogRecord) -> None:
        text = record.getMessage().splitlines()[0]
        if record.exc_info and record.exc_info[1] is not None:
            text += f": {record.exc_info[1]!r}"
        self.broke(f"It says: {text}.")

    def stuck(self, why: str) -> None:
        self.broke(why)

    def sampled(self) -> None:
        for member in self.stage.roster.programs:
            if (fault := self.stage.host(member.name).fallen()) is not None:
                self.broke(f"The program of {member.name} ended: {fault!r}.")
