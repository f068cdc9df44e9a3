"""The router's decisions, held against which servers it could reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearcast.router.program import Router
from nearcast.router.selected import Decided
from nearcast.serve.program import Running
from nearcast.simulate.play.checkers.checker import Checker
from nearcast.simulate.play.play import SAMPLE_SECONDS
from nearcast.simulate.world.incarnation import Incarnation

if TYPE_CHECKING:
    from nearcast.simulate.play.play import Play
    from nearcast.simulate.world.host import Host

SLACK_SECONDS = 1.0


class NamesHealthy(Checker):
    """A server that was dead, hung or cut off from the router for longer than its probes need to find out,
    all the time, must not be in an answer. Which servers those are is known from the world alone."""

    sentence = "Answers name only servers that the router could believe healthy."

    def __init__(self, play: Play) -> None:
        super().__init__(play)
        health = play.internet.config.health
        probe_seconds = health.probe_seconds + health.probe_timeout_seconds
        self._patience = health.failures_until_down * probe_seconds + SLACK_SECONDS + 2 * SAMPLE_SECONDS
        self._away_since: dict[str, float] = {}
        self._lives: dict[str, Incarnation] = {}
        self._router: Router | None = None
        self._last: Decided | None = None

    def started(self, name: str, kind: str, running: Running) -> None:
        if isinstance(running, Router):
            self._router, self._last = running, None
            self._away_since.clear()  # it knows nothing yet

    def sampled(self) -> None:
        play, router = self.play, self._router
        host = play.host("router")
        if router is None or not host.up or host.incarnation.frozen:
            self._away_since.clear()  # who does not probe cannot know
            return
        for name, server in play.fleet.servers.items():
            if self._away(host, play.host(name), server.admin_port):
                self._away_since.setdefault(name, play.now)
            else:
                self._away_since.pop(name, None)
        for decided in self._new(router):
            for server in decided.decision.servers:
                since = self._away_since.get(server.name)
                if since is not None and play.now - since > self._patience:
                    self.broke(
                        f"{server.name} was named to {decided.decision.zone}, "
                        f"{play.now - since:.1f} s after it went away."
                    )

    def _away(self, router: Host, server: Host, port: int) -> bool:
        """Whether the server cannot have answered a probe since the last sample. (Where only new connections
        fail, probes go on over the kept one.)"""
        network = self.play.world.network
        same_life = self._lives.get(server.name) is server.incarnation
        self._lives[server.name] = server.incarnation
        if not same_life:
            return False  # it may have lived for a moment
        return (
            not server.up
            or server.incarnation.frozen
            or server.incarnation.ports.tcp.find(server.addresses[0], port, 0) is None
            or network.channel(router, server).cuts > 0
            or network.channel(server, router).cuts > 0
        )

    def _new(self, router: Router) -> list[Decided]:
        """The decisions since the last sample."""
        ring = list(router.decisions)
        seen = next((n for n in range(len(ring), 0, -1) if ring[n - 1] is self._last), 0)
        if ring:
            self._last = ring[-1]
        return ring[seen:]
