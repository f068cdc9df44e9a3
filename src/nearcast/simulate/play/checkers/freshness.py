"""How old what is served may be, and what must not be fetched again: by the origin's table of lifetimes."""

from __future__ import annotations

from nearcast.simulate.play.checkers.checker import Checker
from nearcast.simulate.play.checkers.holdings import FILL_SECONDS_MAX, Holdings, elapsed
from nearcast.simulate.play.faults import Crash
from nearcast.simulate.play.overheard.transfer import UNDER_WAY, WHOLE, Transfer
from nearcast.simulate.play.stage import Stage

SLACK_SECONDS = 2.0  # Date and Age count whole seconds
ON_THE_WAY_SECONDS = 1.0  # a request had left its server so long, at most, before the origin heard of it
TROUBLE_SECONDS = 16.0  # what went wrong so long ago may still be waited for


class Fresh(Checker):
    """Whoever gives content must have had it from the origin, or confirmed by it, within its lifetime: so it
    was heard on the wire between the two. Beyond that only while it is being confirmed, as far as the origin
    grants it, and while the origin cannot be had, as far as the operator does."""

    sentence = "Nothing is served as fresh beyond its lifetime."

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._confirmed: dict[tuple[str, str], float] = {}  # when its server had the origin's word
        self._failed: dict[tuple[str, str], float] = {}

    def answered(self, transfer: Transfer) -> None:
        stage = self.stage
        if stage.kind(transfer.server) == "origin":
            if transfer.status in (200, 304):
                self._confirmed[transfer.client, transfer.target] = stage.now
        elif (
            transfer.gives and stage.kind(transfer.server) == "edge" and stage.oracle.editions(transfer.path)
        ):
            self._judge(transfer)

    def transferred(self, transfer: Transfer) -> None:
        if self.stage.kind(transfer.server) == "origin" and transfer.outcome != WHOLE:
            self._failed[transfer.client, transfer.target] = self.stage.now

    def _judge(self, transfer: Transfer) -> None:
        stage, server, now = self.stage, transfer.server, self.stage.now
        confirmed = self._confirmed.get((server, transfer.target))
        if confirmed is None:
            return  # OwnName's affair
        lifetime, grace = stage.oracle.lifetime(transfer.path), stage.oracle.grace(transfer.path)
        over = elapsed(stage, server, confirmed, max(confirmed, transfer.asked))[0] - lifetime - SLACK_SECONDS
        if over <= grace or self._being_fetched(server, transfer.target):
            return
        since = transfer.asked - TROUBLE_SECONDS
        troubled = not stage.outages.free(server, stage.origin_of(transfer.path), since=since, until=now)
        troubled = troubled or self._failed.get((server, transfer.target), -1.0) > since
        if troubled and over <= stage.intent.stale_on_error:
            return
        self.broke(
            f"{server} gave {transfer.client} at {transfer.asked:.3f} s a {transfer.target} that the origin "
            f"had given or confirmed at {confirmed:.3f} s for {lifetime:g} s, the last time."
        )

    def _being_fetched(self, server: str, target: str) -> bool:
        return any(each.client == server and each.target == target for each in self.stage.under_way)


class KeptWhileUsed(Checker):
    """A content server that must still hold a fresh object (see `holdings`) has no reason to ask for it."""

    sentence = "What is held and fresh is not fetched again."

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._holdings = Holdings(stage)

    def answered(self, transfer: Transfer) -> None:
        self._holdings.answered(transfer)

    def transferred(self, transfer: Transfer) -> None:
        self._holdings.transferred(transfer)

    def asked(self, transfer: Transfer) -> None:
        stage, server = self.stage, transfer.client
        if stage.kind(transfer.server) != "origin" or stage.kind(server) != "edge":
            return
        holding = self._holdings.surely(server, transfer)
        if holding is None or "authorization" in transfer.wanted:
            return
        age = elapsed(stage, server, holding.asked - ON_THE_WAY_SECONDS, stage.now)[1]
        left = stage.oracle.lifetime(transfer.path) - age - SLACK_SECONDS
        if left > 0 and stage.oracle.editions(transfer.path):
            self.broke(
                f"{server} asked the origin for {transfer.target} again, which it had had at "
                f"{holding.whole:.3f} s and which was fresh for another {left:.1f} s."
            )


class StaleOnError(Checker):
    """A content server that must still hold an object gives it, rather than an error of its own."""

    sentence = "What is held is served when the origin cannot be had."

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._holdings = Holdings(stage)

    def transferred(self, transfer: Transfer) -> None:
        self._holdings.transferred(transfer)

    def answered(self, transfer: Transfer) -> None:
        stage, server = self.stage, transfer.server
        if transfer.status < 500:
            self._holdings.answered(transfer)
            return
        if stage.kind(server) != "edge" or "authorization" in transfer.wanted:
            return
        holding = self._holdings.surely(server, transfer)
        if holding is None or holding.whole > transfer.asked - SLACK_SECONDS:
            return
        age = elapsed(stage, server, holding.asked, stage.now)[1]
        if age < stage.oracle.lifetime(transfer.path) + stage.intent.stale_on_error - SLACK_SECONDS:
            self.broke(
                f"{server} answered {transfer.client} with {transfer.status} for {transfer.target}, which it "
                f"had had at {holding.whole:.3f} s."
            )


class OneFill(Checker):
    """Looks at the origin's door. A second fetch is allowed when a purge came between (the first must not be
    used any more), and on servers whose disk fails: what cannot be stored cannot be shared by latecomers."""

    sentence = "No more than one fill is under way per object and server."

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._last: dict[tuple[str, str], Transfer] = {}  # by server and target

    def asked(self, transfer: Transfer) -> None:
        stage, server = self.stage, transfer.client
        if stage.kind(transfer.server) != "origin" or stage.kind(server) != "edge":
            return
        if "authorization" in transfer.wanted:
            return
        before = self._last.get((server, transfer.target))
        self._last[server, transfer.target] = transfer
        if before is None or before.outcome != UNDER_WAY or before.dropped:
            return
        if not self._excused(server, before):
            self.broke(
                f"{server} asked the origin for {transfer.target} at {before.asked:.3f} s and again before "
                "that answer was there."
            )

    def _excused(self, server: str, before: Transfer) -> bool:
        stage = self.stage
        purged = any(
            purge.server == server
            and purge.covers(before.path)
            and purge.acknowledged >= before.asked - FILL_SECONDS_MAX
            for purge in stage.purges
        )
        failing = any(
            fault.disk
            and not isinstance(fault, Crash)
            and getattr(fault, "host", "") == server
            and fault.at <= stage.now
            for fault in stage.faults
        )
        too_large = (before.announced or 0) * 2.2 > stage.intent.servers[server].cache_bytes_max
        return purged or failing or too_large or stage.scenario.script.disks.capacity_megabytes is not None
