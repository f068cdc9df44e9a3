"""The programs as machines: what they hold, what they leave lying, what they let fall."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from nearcast.serve.limits import StreamLimits
from nearcast.simulate.play.checkers.checker import Checker
from nearcast.simulate.play.observations import Request

if TYPE_CHECKING:
    from nearcast.simulate.play.play import Play

UNSENT_BYTES_MAX = StreamLimits().write_buffer_bytes + 2 * 256 * 1024  # and what is written in one go
CONNECTIONS_MAX = StreamLimits().connections_max + 1024
TASKS_MAX = 64  # of a program with nothing to do; each connection may have a few
TASKS_PER_CONNECTION_MAX = 4
REQUEST_SECONDS_MAX = 20.0  # connecting and waiting for the origin's head take 13 s at most


class Bounded(Checker):
    """Counts what every program holds, and at the end what it should have let go."""

    sentence = "Queues and memory stay bounded."

    def sampled(self) -> None:
        for member in self.play.roster.programs:
            self._look_at(member.name, member.kind)

    def _look_at(self, name: str, kind: str) -> None:
        host = self.play.host(name)
        streams = host.incarnation.streams
        if len(streams) > CONNECTIONS_MAX:
            self.broke(f"{name} holds {len(streams)} connections.")
        for endpoint in streams.values():
            if endpoint.flow.unsent_bytes > UNSENT_BYTES_MAX:
                self.broke(f"{name} holds {endpoint.flow.unsent_bytes} bytes for one slow peer.")
        tasks = sum(not task.done() for task in host.incarnation.tasks)
        if tasks > TASKS_MAX + TASKS_PER_CONNECTION_MAX * max(len(streams), len(self.play.roster.viewers)):
            self.broke(f"{name} has {tasks} tasks for {len(streams)} connections.")
        if kind == "edge" and host.disk.bytes_used > self.play.fleet.servers[name].cache_bytes_max:
            self.broke(f"{name} has {host.disk.bytes_used} bytes on its disk.")

    def ended(self, everybody_left: bool) -> None:
        if not everybody_left:
            return
        for member in self.play.roster.programs:
            host = self.play.host(member.name)
            if not host.up or host.incarnation.frozen:
                continue
            tasks = [task for task in host.incarnation.tasks if not task.done()]
            if len(tasks) > TASKS_MAX:
                self.broke(f"{member.name} still has {len(tasks)} tasks when all is quiet.")
            left = sum(
                self.play.roster.members[peer.name].audience is not None
                for endpoint in host.incarnation.streams.values()
                if (peer := self.play.at(endpoint.remote[0])) is not None
            )
            if left:
                self.broke(f"{member.name} still holds {left} connections of viewers who have left.")


class RequestsEnd(Checker):
    """Follows every request at the content ports: it must move on, however the origin behaves. What a viewer
    who does not read holds up is not counted."""

    sentence = "Every request ends (answer, error or close) within its limit."

    def __init__(self, play: Play) -> None:
        super().__init__(play)
        self._open: dict[Request, tuple[tuple[int, int], float]] = {}

    def requested(self, request: Request) -> None:
        self._open[request] = request.moves, self.play.now

    def sampled(self) -> None:
        now = self.play.now
        for request, (moves, since) in list(self._open.items()):
            if request.over:
                del self._open[request]
            elif request.moves != moves or request.waits_for_peer:
                self._open[request] = request.moves, now
            elif now - since > REQUEST_SECONDS_MAX:
                del self._open[request]
                self.broke(
                    f"{request.host} has not gone on for {now - since:.1f} s with "
                    f"{request.exchange.request.target}, asked for at {request.began:.3f} s by "
                    f"{request.exchange.peer[0]}."
                )


class NoCrash(Checker):
    """Hears what programs log as their own fault, and what falls out of their tasks."""

    sentence = "No program lets an exception fall."

    def overhear(self, record: logging.LogRecord) -> None:
        """An error was logged, by a program or by asyncio."""
        text = record.getMessage().splitlines()[0]
        if record.exc_info and record.exc_info[1] is not None:
            text += f": {record.exc_info[1]!r}"
        self.broke(f"It says: {text}.")

    def sampled(self) -> None:
        for member in self.play.roster.programs:
            if (fault := self.play.host(member.name).fallen()) is not None:
                self.broke(f"The program of {member.name} ended: {fault!r}.")
