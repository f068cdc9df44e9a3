"""What no single field can know: names that must exist, be unique, or lie inside one another.

`Endpoints` finds two programs that would listen on the same address and port; whoever describes more
programs than the CDN has (the lab) goes on with the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nearcast.model.config import Config, ContentServer, Ports, RequestRouter
from nearcast.model.faults import Mistake
from nearcast.wire.addresses import IpAddress

Path = str
"""Where in a configuration something stands: `content_servers.0.addresses.1`."""


def cross_check(config: Config) -> Iterator[Mistake]:
    """Every mistake between the parts of `config`."""
    places = {place.name for place in config.places}
    pops = {pop.name for pop in config.pops}
    for index, pop in enumerate(config.pops):
        yield from known_place(f"pops.{index}.place", pop.place, places)
    for index, router in enumerate(config.routers):
        if router.place:
            yield from known_place(f"routers.{index}.place", router.place, places)
    for index, server in enumerate(config.content_servers):
        if server.pop not in pops:
            yield Mistake(f"content_servers.{index}.pop", server.pop, f"name one of the PoPs: {listed(pops)}")
    yield from _unique("places.{}.name", (place.name for place in config.places))
    yield from _unique("pops.{}.name", (pop.name for pop in config.pops))
    yield from _unique("routers.{}.name", (router.name for router in config.routers))
    yield from _unique("distributions.{}.name", (each.name for each in config.distributions))
    yield from _unique("content_servers.{}.name", (server.name for server in config.content_servers))
    yield from _unique(
        "distributions.hosts.{}", (host for each in config.distributions for host in each.hosts)
    )
    yield from _names_below_the_zone(config)
    yield from cdn_endpoints(config).mistakes


def listed(names: Iterable[str]) -> str:
    """Names for people, in order."""
    return ", ".join(sorted(names))


def known_place(path: Path, place: str, places: Iterable[str]) -> Iterator[Mistake]:
    """A place must be one that the map has."""
    if place not in places:
        yield Mistake(path, place, f"name one of the places: {listed(places)}")


def _unique(path: Path, values: Iterable[str]) -> Iterator[Mistake]:
    first: dict[str, int] = {}
    for index, value in enumerate(values):
        if value in first:
            yield Mistake(path.format(index), value, f"already used by number {first[value]}; choose another")
        first.setdefault(value, index)


def _names_below_the_zone(config: Config) -> Iterator[Mistake]:
    """Routers, content servers and distributions are labels of one zone."""
    used: dict[str, Path] = {}
    for kind, names in (
        ("routers", [each.name for each in config.routers]),
        ("content_servers", [each.name for each in config.content_servers]),
        ("distributions", [each.name for each in config.distributions]),
    ):
        for index, name in enumerate(names):
            path = f"{kind}.{index}.name"
            if name in used and used[name].partition(".")[0] != kind:
                zone = config.cdn.zone
                yield Mistake(path, name, f"already a name in {zone}, of {used[name]}; choose another")
            used.setdefault(name, path)
    zone = config.cdn.zone
    machines = {f"{name}.{zone}": path for name, path in used.items() if not path.startswith("distributions")}
    for index, each in enumerate(config.distributions):
        for number, host in enumerate(each.hosts):
            if host in machines:
                path = f"distributions.{index}.hosts.{number}"
                yield Mistake(path, host, f"that is the name of {machines[host]}; choose another")


class Endpoints:
    """Who listens where: no two programs on the same address and port."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self._used: dict[tuple[IpAddress, int], Path] = {}

    def add(self, path: Path, address: IpAddress, *ports: tuple[Path, int]) -> None:
        """The program at `path` listens on `address` with `ports`, each with the path that names it."""
        for port_path, port in ports:
            taken = self._used.get((address, port)) or self._everywhere(address, port)
            if taken is None:
                self._used[address, port] = path
            elif taken == path:
                self.mistakes.append(Mistake(port_path, port, "used twice at one address; choose another"))
                return
            else:
                remedy = f"port {port} there is already that of {taken}; choose another address or port"
                self.mistakes.append(Mistake(path, str(address), remedy))
                return

    def _everywhere(self, address: IpAddress, port: int) -> Path | None:
        """Who listens on all addresses of the family, or, for such an address, on any."""
        for (other, other_port), path in self._used.items():
            same = other_port == port and other.version == address.version
            if same and (other.is_unspecified or address.is_unspecified):
                return path
        return None


def cdn_endpoints(config: Config) -> Endpoints:
    """Where the programs of the CDN listen."""
    endpoints, ports = Endpoints(), config.ports
    for index, router in enumerate(config.routers):
        dns, http, admin = router_ports(router, ports)
        named = (("ports.dns", dns), ("ports.http", http), ("ports.admin", admin))
        for path, address in _listening(f"routers.{index}", router):
            endpoints.add(path, address, *named)
    control = config.control
    path = "control.listen" if control.listen else "control.address"
    endpoints.add(path, control.listen or control.address, ("control.port", control.port or ports.http))
    for index, server in enumerate(config.content_servers):
        http, admin = server_ports(server, ports)
        for path, address in _listening(f"content_servers.{index}", server):
            endpoints.add(path, address, ("ports.http", http), ("ports.admin", admin))
    return endpoints


def _listening(path: Path, program: RequestRouter | ContentServer) -> Iterator[tuple[Path, IpAddress]]:
    """The addresses a program listens on, each with its path."""
    field = "listen" if program.listen else "addresses"
    for index, address in enumerate(program.listen or program.addresses):
        yield f"{path}.{field}.{index}", address


def router_ports(router: RequestRouter, ports: Ports) -> tuple[int, int, int]:
    """DNS, HTTP and administration port of a router."""
    return router.dns_port or ports.dns, router.http_port or ports.http, router.admin_port or ports.admin


def server_ports(server: ContentServer, ports: Ports) -> tuple[int, int]:
    """HTTP and administration port of a content server."""
    return server.http_port or ports.http, server.admin_port or ports.admin
