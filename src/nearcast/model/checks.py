"""What no single field can know: names that must exist, be unique, or lie inside one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nearcast.model.config import Config
from nearcast.model.faults import Mistake


def cross_check(config: Config) -> Iterator[Mistake]:
    """Every mistake between the parts of `config`."""
    places = {place.name for place in config.places}
    pops = {pop.name for pop in config.pops}
    for index, pop in enumerate(config.pops):
        if pop.place not in places:
            yield Mistake(f"pops.{index}.place", pop.place, f"name one of the places: {listed(places)}")
    for index, server in enumerate(config.content_servers):
        if server.pop not in pops:
            yield Mistake(f"content_servers.{index}.pop", server.pop, f"name one of the PoPs: {listed(pops)}")
    for index, viewer in enumerate(config.internet.viewers):
        if viewer.place not in places:
            path = f"internet.viewers.{index}.place"
            yield Mistake(path, viewer.place, f"name one of the places: {listed(places)}")
    yield from _unique("places.{}.name", (place.name for place in config.places))
    yield from _unique("pops.{}.name", (pop.name for pop in config.pops))
    yield from _unique("distributions.{}.name", (each.name for each in config.distributions))
    yield from _unique("content_servers.{}.name", (server.name for server in config.content_servers))
    yield from _unique(
        "distributions.hosts.{}", (host for each in config.distributions for host in each.hosts)
    )
    yield from _one_program_per_address(config)
    yield from _names_below_the_zone(config)
    yield from _ports(config)


def listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _unique(path: str, values: Iterable[str]) -> Iterator[Mistake]:
    first: dict[str, int] = {}
    for index, value in enumerate(values):
        if value in first:
            yield Mistake(path.format(index), value, f"already used by number {first[value]}; choose another")
        first.setdefault(value, index)


def _one_program_per_address(config: Config) -> Iterator[Mistake]:
    """All programs of a kind of port share its number, so each needs an address of its own."""
    internet = config.internet
    used: dict[str, str] = {}
    for path, address in (
        ("cdn.router", config.cdn.router),
        ("cdn.control", config.cdn.control),
        *((f"content_servers.{n}.address", each.address) for n, each in enumerate(config.content_servers)),
        ("internet.resolver", internet.resolver),
        ("internet.root", internet.root),
        ("internet.top", internet.top),
        ("internet.origin", internet.origin),
        *((f"internet.providers.{n}.address", each.address) for n, each in enumerate(internet.providers)),
    ):
        text = str(address)
        if text in used:
            yield Mistake(path, text, f"already the address of {used[text]}; choose another")
        used.setdefault(text, path)


def _names_below_the_zone(config: Config) -> Iterator[Mistake]:
    servers = {server.name for server in config.content_servers}
    for index, distribution in enumerate(config.distributions):
        if distribution.name in servers or distribution.name == "ns":
            yield Mistake(
                f"distributions.{index}.name",
                distribution.name,
                f"already a name in {config.cdn.zone}; choose another",
            )
    for index, provider in enumerate(config.internet.providers):
        if provider.zone == config.cdn.zone:
            path = f"internet.providers.{index}.zone"
            yield Mistake(path, provider.zone, "the CDN's zone; give the provider a zone of its own")


def _ports(config: Config) -> Iterator[Mistake]:
    internet = config.internet
    if internet.http_port == internet.admin_port:
        yield Mistake("internet.admin_port", internet.admin_port, "equal to http_port; choose another")
    for port in (internet.http_port, internet.admin_port):
        if port == internet.dns_port:
            yield Mistake("internet.dns_port", internet.dns_port, "used for HTTP as well; choose another")
