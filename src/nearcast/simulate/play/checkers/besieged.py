"""What enemies may not do to those who are not theirs."""

from __future__ import annotations

from nearcast.simulate.play.checkers.checker import Checker
from nearcast.simulate.play.checkers.viewers import Finishes
from nearcast.simulate.play.enemies.lure import LURE_ADDRESS
from nearcast.simulate.play.observations import Watched
from nearcast.simulate.play.overheard.dns_ear import Told


class NotLured(Checker):
    """Looks at an address that only lying name servers give: nobody may turn there, and the resolver may give
    it to nobody."""

    besieged = True
    sentence = "No viewer is sent to an address that no honest name server gave."

    def dials(self, host: str, address: str) -> None:
        if address == LURE_ADDRESS:
            self.broke(f"{host} turns to {address}.")

    def told(self, told: Told) -> None:
        if told.by == "resolver" and LURE_ADDRESS in told.reply.addresses:
            self.broke(f"The resolver says that {told.reply.name} is at {LURE_ADDRESS}.")


class NotAnothers(Checker):
    """Looks at the one page that all distributions have under the same name, and that says whose it is."""

    sentence = "No bytes of one distribution are ever served under another."

    def neighbourly(self, server: str, host: str, said: str, wanted: str) -> None:
        if said != wanted:
            self.broke(
                f'{server} says of {host}: "{said.strip()}", where its origin says "{wanted.strip()}".'
            )


class NotStopped(Finishes):
    """Viewers of a distribution that nobody besieges, while another one's origin or name server is an enemy
    or in trouble: for them as for everybody a path to content has to be enough (see `Finishes`)."""

    sentence = "What happens to one distribution does not stop another."

    def watched(self, watched: Watched) -> None:
        stage = self.stage
        own = stage.site_of(watched.viewer)
        others = [site for site in stage.distributions.sites if site != own]
        if any(stage.is_beset(site) or self._in_trouble(site) for site in others):
            super().watched(watched)

    def _in_trouble(self, site: str) -> bool:
        now, since = self.stage.now, self.stage.now - self._window
        behind = [self.stage.distributions.origin(site), *self.stage.distributions.providers(site)]
        return not all(self.stage.outages.free(each, since=since, until=now) for each in behind)
