"""What enemies may not do to those who are not theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nearcast.simulate.play.checkers.checker import Checker
from nearcast.simulate.play.checkers.finishes import Finishes
from nearcast.simulate.play.observations import Got, Watched

if TYPE_CHECKING:
    from nearcast.simulate.play.play import Play


class NotLured(Checker):
    """Looks at an address that only lying name servers give: nobody may come there, and the resolver may give
    it to nobody."""

    sentence = "No viewer is sent to an address that no honest name server gave."

    def __init__(self, play: Play) -> None:
        super().__init__(play)
        self._seen = 0

    def sampled(self) -> None:
        victims = self.play.invasion.lure.victims
        for victim in victims[self._seen :]:
            self.broke(f"{self.play.invasion.lure.address}: {victim}.")
        self._seen = len(victims)


class NotAnothers(Checker):
    """Looks at every response for bytes that only another distribution's origin has."""

    sentence = "No bytes of one distribution are ever served under another."

    def got(self, got: Got) -> None:
        own = self.play.oracle_of(got.viewer)
        if own.which(got.path, got.fetched) is not None:
            return
        for origin, oracle in self.play.oracles.items():
            if oracle is not own and oracle.which(got.path, got.fetched) is not None:
                host = urlsplit(got.fetched.url).hostname
                self.broke(f"{got.viewer.name} asked {host} for {got.path} and got what {origin} has there.")


class NotStopped(Finishes):
    """Viewers of a distribution that nobody besieges, while another one's origin or name server is an enemy
    or in trouble: for them as for everybody a path to content has to be enough (see `Finishes`)."""

    sentence = "What happens to one distribution does not stop another."

    def watched(self, watched: Watched) -> None:
        play, own = self.play, self.play.distribution_of(watched.viewer)
        others = [each for each in play.scenario.config.distributions if each != own]
        if any(play.is_beset(each) or self._in_trouble(each.name) for each in others):
            super().watched(watched)

    def _in_trouble(self, site: str) -> bool:
        now, since = self.play.now, self.play.now - self._window
        origin, providers = self.play.behind_site(site)
        return not self._outages.free(origin, since=since, until=now) or any(
            not self._outages.free(each, since=since, until=now) for each in providers
        )
