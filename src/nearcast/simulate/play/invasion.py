"""The enemies of one play: who takes whose place, who comes from outside, and where they come from."""

from __future__ import annotations

from ipaddress import IPv4Address

from nearcast.lab.config import Internet
from nearcast.simulate.play.distributions import Distributions
from nearcast.simulate.play.enemies.lure import LURE, LURE_ADDRESS, lure
from nearcast.simulate.play.enemies.name_server import LyingNameServer
from nearcast.simulate.play.enemies.origin import HostileOrigin
from nearcast.simulate.play.enemies.prey import Prey
from nearcast.simulate.play.enemies.viewer import HostileViewer
from nearcast.simulate.play.oracle import Oracle
from nearcast.simulate.play.script import Script
from nearcast.simulate.world.host import Program
from nearcast.simulate.world.world import World

VIEWERS_FROM = IPv4Address("172.30.0.1")
LARGE_BYTES = 100_000


class Invasion:
    """All enemies of a play. `taken` are the hosts whose programs are enemies; `over` is when the last of
    them has had enough (virtual seconds; 0 without enemies)."""

    def __init__(
        self, world: World, internet: Internet, script: Script, distributions: Distributions, oracle: Oracle
    ) -> None:
        self._world = world
        self._internet = internet
        self._enemies = script.enemies
        self._distributions = distributions
        self._oracle = oracle
        self.stand_ins = self._programs()
        """Programs that take others' places, by the name of the host."""
        self.taken = frozenset(self.stand_ins)
        self.over = max((each.until_seconds for each in self._enemies), default=0.0)

    def begin(self) -> None:
        """Let those come who have hosts of their own."""
        lab, number = self._internet.lab, 0
        if any(each.enemy == "name_server" for each in self._enemies):
            ports = lab.http_port, self._internet.config.ports.http, lab.dns_port
            self._world.host(LURE, [LURE_ADDRESS]).start(lure(*dict.fromkeys(ports)))
        prey = self._prey()
        for enemy in self._enemies:
            for _ in range(enemy.count if enemy.enemy == "viewer" else 0):
                host = self._world.host(f"enemy-{number + 1}", [str(VIEWERS_FROM + number)])
                host.start(HostileViewer(enemy, prey))
                number += 1

    def _programs(self) -> dict[str, Program]:
        distributions, found = self._distributions, dict[str, Program]()
        second = distributions.sites[-1]
        for enemy in self._enemies:
            if enemy.enemy == "origin":
                where = distributions.origin_address(second), self._internet.lab.http_port
                found[distributions.origin(second)] = HostileOrigin(enemy, self._oracle, *where)
            elif enemy.enemy == "name_server":
                zone = distributions.providers(second)[0]
                address = distributions.provider_address(zone)
                found[zone] = LyingNameServer(enemy, self._internet, address)
        return found

    def _prey(self) -> Prey:
        config, lab = self._internet.config, self._internet.lab
        # On one origin, nobody could tell for whose sake it is asked.
        apart = bool(self._distributions.further_origins())
        sites = config.distributions if apart else config.distributions[:1]
        contents = {
            f"/{name}": len(edition.octets)
            for name in self._oracle.content_names()
            for edition in self._oracle.editions(name)
        }
        return Prey(
            servers=[str(each.addresses[0]) for each in config.content_servers],
            port=config.ports.http,
            sites=[host for each in sites for host in each.hosts],
            server_hosts=[f"{each.name}.{config.cdn.zone}" for each in config.content_servers],
            paths=list(contents),
            large=[path for path, size in contents.items() if size >= LARGE_BYTES] or list(contents),
            name_servers=[str(config.routers[0].addresses[0]), str(lab.resolver)],
            resolver=str(lab.resolver),
            dns_port=lab.dns_port,
        )
