"""The enemies of one play: who takes whose place, who comes from outside, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address

from nearcast.simulate.play.distributions import further_origins, origin_name, provider_address, providers_of
from nearcast.simulate.play.enemies.lure import Lure
from nearcast.simulate.play.enemies.name_server import LyingNameServer
from nearcast.simulate.play.enemies.origin import HostileOrigin
from nearcast.simulate.play.enemies.prey import Prey
from nearcast.simulate.play.enemies.viewer import HostileViewer
from nearcast.simulate.play.oracle import Oracle
from nearcast.simulate.play.scenario import Scenario
from nearcast.simulate.world.host import Program
from nearcast.simulate.world.world import World

LURE = "lure"
LURE_ADDRESS = "10.254.6.66"
VIEWERS_FROM = IPv4Address("172.30.0.1")
LARGE_BYTES = 100_000


class Invasion:
    """All enemies of a play. `taken` are the hosts whose programs are enemies."""

    def __init__(self, world: World, scenario: Scenario, oracles: Mapping[str, Oracle]) -> None:
        self._world = world
        self._scenario = scenario
        self._oracles = oracles
        internet = scenario.config.internet
        self.lure = Lure(LURE_ADDRESS, internet.http_port, internet.dns_port)
        self._instead = self._stand_ins()
        self.taken = frozenset(self._instead)

    @property
    def stand_ins(self) -> Mapping[str, Program]:
        """Programs that take others' places, by the name of the host."""
        return self._instead

    def begin(self) -> None:
        """Let those come who have hosts of their own."""
        if any(each.enemy == "name_server" for each in self._scenario.script.enemies):
            self._world.host(LURE, [LURE_ADDRESS]).start(self.lure)
        prey, number = self._prey(), 0
        for enemy in self._scenario.script.enemies:
            for _ in range(enemy.count if enemy.enemy == "viewer" else 0):
                host = self._world.host(f"enemy-{number + 1}", [str(VIEWERS_FROM + number)])
                host.start(HostileViewer(enemy, prey))
                number += 1

    def _stand_ins(self) -> dict[str, Program]:
        config, found = self._scenario.config, dict[str, Program]()
        second = config.distributions[-1]
        for enemy in self._scenario.script.enemies:
            if enemy.enemy == "origin":
                name = origin_name(config, second)
                role = next(each for each in further_origins(config) if each.name == name)
                oracle = self._oracles[name]
                found[name] = HostileOrigin(enemy, oracle, role.address, config.internet.http_port)
            elif enemy.enemy == "name_server":
                zone = providers_of(config, second)[0]
                address = str(provider_address(config, zone))
                found[zone] = LyingNameServer(enemy, config, address, LURE_ADDRESS)
        return found

    def _prey(self) -> Prey:
        config = self._scenario.config
        contents = {
            f"/{name}": len(edition.octets)
            for oracle in self._oracles.values()
            for name in oracle.content_names()
            for edition in oracle.editions(name)
        }
        return Prey(
            servers=[str(each.address) for each in config.content_servers],
            port=config.internet.http_port,
            sites=[host for each in config.distributions for host in each.hosts],
            server_hosts=[f"{each.name}.{config.cdn.zone}" for each in config.content_servers],
            paths=list(contents),
            large=[path for path, size in contents.items() if size >= LARGE_BYTES] or list(contents),
            name_servers=[str(config.cdn.router), str(config.internet.resolver)],
            resolver=str(config.internet.resolver),
            dns_port=config.internet.dns_port,
            lure=LURE_ADDRESS,
            lured=self.lure.named,
        )
