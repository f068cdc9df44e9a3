"""Clocks that are set back: what was fresh must not be fresh for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearcast.simulate.play.checkers.checker import Checker
from nearcast.simulate.play.faults import ClockSkew
from nearcast.simulate.play.observations import Got
from nearcast.simulate.play.outages import Outages

if TYPE_CHECKING:
    from nearcast.simulate.play.play import Play

MANIFESTS = (".mpd", ".m3u8", ".json")
LIFETIME_SECONDS = 10.0  # what the origin grants them
SLACK_SECONDS = 3.0


class NotFrozen(Checker):
    """Looks at manifests from content servers whose clock jumped: each is served again from the origin within
    one lifetime after the jump, and from then on within one lifetime after its replacement, as long as the
    way to the origin was free all the time. (The bound is stretched by a clock that runs slow.)"""

    sentence = "A clock that is set freezes nothing."

    def __init__(self, play: Play) -> None:
        super().__init__(play)
        self._outages = Outages(play.faults)
        self._jumps: dict[str, list[ClockSkew]] = {}
        for fault in play.faults:
            if isinstance(fault, ClockSkew):
                self._jumps.setdefault(fault.host, []).append(fault)

    def got(self, got: Got) -> None:
        server = self.play.at(got.fetched.server_address)
        jumps = self._jumps.get(server.name, ()) if server is not None else ()
        past = [each for each in jumps if each.at <= got.began]
        if server is None or not past or not got.path.endswith(MANIFESTS):
            return
        edition = self.play.oracle_of(got.viewer).which(got.path, got.fetched)
        if edition is None or self.play.is_beset(self.play.distribution_of(got.viewer)):
            return
        bound = LIFETIME_SECONDS / min([1.0, *(each.rate for each in past)]) + SLACK_SECONDS
        since = max([edition.until, *(each.at for each in past)])
        if got.began - since <= bound:
            return
        origin, _ = self.play.behind(got.viewer)
        if self._outages.free(server.name, origin, since=since, until=got.began):
            self.broke(
                f"{server.name}, whose clock was set at {past[-1].at:.3f} s, gave {got.viewer.name} at "
                f"{got.began:.3f} s the {got.path} that the origin replaced at {edition.until:.3f} s."
            )
