"""Pauses: what had arrived before a process goes on is as good as if it had never stood still."""

from __future__ import annotations

from nearcast.simulate.play.checkers.checker import Checker
from nearcast.simulate.play.faults import Pause
from nearcast.simulate.play.stage import Stage
from nearcast.simulate.world.tcp import Endpoint

JUST_BEFORE_SECONDS = 1e-6
SETTLED_SECONDS = 1.0


class WaitingIsRead(Checker):
    """Notes at the end of each pause which connections have bytes waiting that their program wants, and a
    moment later whether one of them was given up with the bytes still unread."""

    sentence = "What had arrived in the socket during a pause is not failed."

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._waiting: list[tuple[float, str, Endpoint]] = []
        for fault in stage.faults:
            if isinstance(fault, Pause):
                stage.world.loop.world_at(
                    fault.at + fault.seconds - JUST_BEFORE_SECONDS, self._look, fault.host
                )

    def _look(self, name: str) -> None:
        incarnation = self.stage.host(name).incarnation
        if incarnation.thaws_at - self.stage.now > 2 * JUST_BEFORE_SECONDS:
            return  # another one lasts longer
        for endpoint in incarnation.streams.values():
            if endpoint.waiting_bytes:
                self._waiting.append((self.stage.now, name, endpoint))

    def sampled(self) -> None:
        now = self.stage.now
        for since, name, endpoint in self._waiting:
            if now - since > SETTLED_SECONDS and endpoint.unread_bytes:
                self.broke(
                    f"{name} went on at {since:.3f} s and gave up connection {endpoint.number} with "
                    f"{endpoint.unread_bytes} bytes unread that had come from {endpoint.remote[0]}."
                )
        self._waiting = [each for each in self._waiting if now - each[0] <= SETTLED_SECONDS]
