"""Viewers who did not finish, held against what the faults left standing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearcast.simulate.play.checkers.checker import Checker
from nearcast.simulate.play.observations import Watched
from nearcast.simulate.play.outages import Outages
from nearcast.simulate.play.roster import Member

if TYPE_CHECKING:
    from nearcast.simulate.play.play import Play

SLACK_SECONDS = 5.0


class Finishes(Checker):
    """A viewer may fail only if, within the time that answers are kept and probes take, no content server was
    free of trouble all the time: on its way to the viewer, the origin and the router, with all name servers
    in order as well."""

    sentence = "Every viewer for whom a path to content exists finishes."

    def __init__(self, play: Play) -> None:
        super().__init__(play)
        self._outages = Outages(play.faults)
        config = play.scenario.config
        health = config.health
        found_out = health.failures_until_down * (health.probe_seconds + health.probe_timeout_seconds)
        self._window = config.cdn.answer_ttl_seconds + found_out + SLACK_SECONDS

    def watched(self, watched: Watched) -> None:
        viewing, viewer = watched.viewing, watched.viewer
        if viewing is not None and viewing.complete:
            return
        if self.play.is_beset(self.play.distribution_of(viewer)):
            return
        server = self._free_server(viewer, watched.ended)
        if server is not None:
            why = (
                "was still watching when the play ended" if viewing is None else f"gave up: {viewing.problem}"
            )
            self.broke(
                f"{viewer.name} {why}, although {server} was there for all of the last {self._window:g} s."
            )

    def _free_server(self, watching: Member, until: float) -> str | None:
        since, viewer = until - self._window, watching.name
        free, roster = self._outages.free, self.play.roster
        origin, providers = self.play.behind(watching)
        names = [*roster.select("root"), *roster.select("top"), *providers, "router"]
        if not free(viewer, "resolver", since=since, until=until):
            return None
        if not all(free("resolver", name, since=since, until=until) for name in names):
            return None
        for server in roster.select("edge"):
            ways = ((viewer, server, origin), ("router", server))
            if all(free(*way, since=since, until=until) for way in ways):
                return server
        return None
