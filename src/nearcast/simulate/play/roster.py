"""Who plays: every host of a scenario, with its kind, its addresses and the names it answers to.

A selector (see `script`) means the hosts for which it is the name, the kind, the PoP, the audience or
the place. Viewers live in 172.16.0.0/12, apart from the programs; what counts for routing is the client
address that they tell their resolver.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address

from nearcast.lab.config import Internet
from nearcast.lab.roles import internet_roles
from nearcast.model.config import Config
from nearcast.simulate.play.script import Audience
from nearcast.wire.addresses import IpAddress, IpNetwork

VIEWERS_FROM = int(IPv4Address("172.16.0.1"))
EVERYBODY = "*"


@dataclass(frozen=True, slots=True)
class Member:
    """One host. `groups` are the selectors that mean it; `client` is where a viewer says that it is."""

    name: str
    kind: str
    address: str
    groups: frozenset[str]
    client: IpAddress | None = None
    audience: Audience | None = None


class Roster:
    """All members by name: the `programs` of `internet` and the `viewers` of `audiences`."""

    def __init__(
        self, internet: Internet, audiences: Iterable[Audience], origins: Mapping[str, str] | None = None
    ) -> None:
        """`origins` are those beside the lab's: host and address."""
        viewers = _viewers(internet.config, audiences)
        further = [
            Member(name, "origin", address, frozenset({name, "origin", EVERYBODY}))
            for name, address in (origins or {}).items()
        ]
        self.members = {each.name: each for each in (*_programs(internet), *further, *viewers)}
        self.programs = [each for each in self.members.values() if each.audience is None]
        self.viewers = [each for each in self.members.values() if each.audience is not None]
        self._selected: dict[str, tuple[str, ...]] = {}

    def select(self, selector: str) -> tuple[str, ...]:
        """The names of the hosts that `selector` means, none when it means nobody."""
        if selector not in self._selected:
            self._selected[selector] = tuple(
                each.name for each in self.members.values() if selector in each.groups
            )
        return self._selected[selector]

    def selectors(self) -> list[str]:
        """Every selector that means somebody, save single viewers."""
        return sorted(
            {
                group
                for each in self.members.values()
                for group in each.groups
                if each.audience is None or group != each.name
            }
        )


def _programs(internet: Internet) -> Iterator[Member]:
    pops = {server.name: server.pop for server in internet.config.content_servers}
    places = {pop.name: pop.place for pop in internet.config.pops}
    for role in internet_roles(internet):
        groups = {role.name, role.kind, EVERYBODY}
        if role.kind == "edge":
            groups |= {pops[role.name], places[pops[role.name]]}
        yield Member(role.name, role.kind, role.addresses[0], frozenset(groups))


def _viewers(config: Config, audiences: Iterable[Audience]) -> Iterator[Member]:
    address = VIEWERS_FROM
    for audience in audiences:
        network = client_network(config, audience)
        groups = frozenset({audience.name, "viewer", EVERYBODY} | ({audience.place} - {""}))
        for number in range(1, audience.count + 1):
            name = f"{audience.name}-{number}"
            client = None if network is None else network[1 + number % max(1, network.num_addresses - 2)]
            yield Member(name, "viewer", str(ip_address(address)), groups | {name}, client, audience)
            address += 1


def client_network(config: Config, audience: Audience) -> IpNetwork | None:
    """Where the clients of `audience` are on the network's map."""
    if audience.prefix is not None:
        return audience.prefix
    prefixes = next((each.prefixes for each in config.places if each.name == audience.place), ())
    return prefixes[0] if prefixes else None
