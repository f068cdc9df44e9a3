"""Clocks that are set back: what was fresh must not be fresh for ever."""

from __future__ import annotations

from nearcast.simulate.play.checkers.checker import Checker
from nearcast.simulate.play.faults import ClockSkew
from nearcast.simulate.play.overheard.transfer import Transfer
from nearcast.simulate.play.stage import Stage

SLACK_SECONDS = 3.0


class NotFrozen(Checker):
    """Looks at what content servers give whose clocks were set: what the origin has replaced is given no
    longer than one lifetime after that and after the clock was set, as long as the way to the origin is free
    all the time. (A clock that runs slow stretches the bound.)"""

    sentence = "A clock that is set freezes nothing."

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._jumps: dict[str, list[ClockSkew]] = {}
        for fault in stage.faults:
            if isinstance(fault, ClockSkew):
                self._jumps.setdefault(fault.host, []).append(fault)

    def transferred(self, transfer: Transfer) -> None:
        stage, server = self.stage, transfer.server
        past = [each for each in self._jumps.get(server, ()) if each.at <= transfer.asked]
        if not past or not transfer.gives or not transfer.editions or not transfer.size:
            return
        rate = min([1.0, *(each.rate for each in past)])
        lifetime = stage.oracle.lifetime(transfer.path) + stage.oracle.grace(transfer.path)
        replaced = transfer.editions[-1].until
        since = max([replaced, *(each.at for each in past)])
        if transfer.asked - since <= lifetime / rate + SLACK_SECONDS:
            return
        origin = stage.origin_of(transfer.path)
        if stage.outages.free(server, origin, since=since, until=transfer.asked):
            self.broke(
                f"{server}, whose clock was set at {past[-1].at:.3f} s, gave {transfer.client} at "
                f"{transfer.asked:.3f} s the {transfer.path} that the origin replaced at {replaced:.3f} s."
            )
