"""Which ports the lab's programs share, and what to do when somebody else has them.

Every program has an address of its own, so one number for DNS, one for HTTP and one for administration
serve all. When the configured numbers are taken (a second demo beside the first), the next free set is
found; numbers the user named are taken literally, or refused with a sentence.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from nearcast.lab.config import Internet
from nearcast.model.config import Ports
from nearcast.model.faults import Mistake, OperatorFault
from nearcast.wire.addresses import HTTP_PORT, IpAddress, address_text, endpoint_text

SETS_TRIED = 50
STEP = 100  # keeps 5300/8080/8081 recognisable: 5400/8180/8181


class LabPorts(NamedTuple):
    """The three port numbers of an internet."""

    dns: int
    http: int
    admin: int

    def shifted(self, by: int) -> LabPorts:
        return LabPorts(self.dns + by, self.http + by, self.admin + by)


def ports_of(internet: Internet) -> LabPorts:
    lab = internet.lab
    return LabPorts(lab.dns_port, lab.http_port, lab.admin_port)


def addresses_of(internet: Internet) -> Iterator[tuple[str, IpAddress]]:
    """Every address that programs listen on, with its path in the configuration."""
    config, lab = internet.config, internet.lab
    yield "lab.resolver", lab.resolver
    yield "lab.root", lab.root
    yield "lab.top", lab.top
    yield "lab.origin", lab.origin
    for number, provider in enumerate(lab.providers):
        yield f"lab.providers.{number}.address", provider.address
    yield "control.address", config.control.address
    fleet = [(f"routers.{number}", each.addresses) for number, each in enumerate(config.routers)]
    fleet += [(f"content_servers.{n}", each.addresses) for n, each in enumerate(config.content_servers)]
    for path, addresses in fleet:
        for index, address in enumerate(addresses):
            yield f"{path}.addresses.{index}", address


def with_ports(internet: Internet, ports: LabPorts) -> Internet:
    """`internet` with other port numbers; origins inside the lab move with them."""
    config, old = internet.config, internet.lab
    lab = old.model_copy(update={"dns_port": ports.dns, "http_port": ports.http, "admin_port": ports.admin})
    inside = (address_text(old.origin), old.http_port)
    distributions = tuple(
        each.model_copy(update={"origin": f"http://{inside[0]}:{ports.http}"})
        if _place(each.origin) == inside
        else each
        for each in config.distributions
    )
    moved = Ports(dns=ports.dns, http=ports.http, admin=ports.admin)
    return Internet(config.model_copy(update={"ports": moved, "distributions": distributions}), lab)


def _place(origin: str) -> tuple[str, int]:
    parts = urlsplit(origin)
    return address_text(parts.hostname or ""), parts.port or HTTP_PORT


def find_ports(internet: Internet, *, fixed: bool) -> LabPorts:
    """LabPorts that are free on every address of `internet`: the configured ones, or the next free set.

    With `fixed` (the user named them) taken ports are an OperatorFault, and so is, always, an address
    that this machine does not have.
    """
    wanted = ports_of(internet)
    addresses = list(addresses_of(internet))
    _refuse_foreign(addresses)
    hosts = [address for _, address in addresses]
    for number in range(SETS_TRIED):
        ports = wanted.shifted(number * STEP)
        if max(ports) > 65535:
            break
        taken = next(_taken(hosts, ports), None)
        if taken is None:
            return ports
        if fixed:
            raise OperatorFault(
                f"{taken} is taken by another program; end it, or choose other numbers "
                "with --dns-port, --http-port and --admin-port"
            )
    raise OperatorFault(f"no free ports found from {wanted.dns}, {wanted.http} and {wanted.admin} upwards")


def _refuse_foreign(addresses: Iterable[tuple[str, IpAddress]]) -> None:
    mistakes = [
        Mistake(path, str(address), _remedy(address))
        for path, address in addresses
        if _bind(address, 0, socket.SOCK_DGRAM) in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    ]
    if mistakes:
        raise OperatorFault("these addresses are not on this machine", mistakes)


def _remedy(address: IpAddress) -> str:
    if address.version == 6 and not address.is_loopback:
        return "this machine has no such IPv6 address; add it to an interface, or use 127.0.0.0/8"
    if address.version == 6:
        return "this machine has no IPv6; use an address of 127.0.0.0/8"
    return "use an address of 127.0.0.0/8, or add it to an interface"


def _taken(addresses: Iterable[IpAddress], ports: LabPorts) -> Iterator[str]:
    for address in addresses:
        for port, kinds in (
            (ports.dns, (socket.SOCK_DGRAM, socket.SOCK_STREAM)),
            (ports.http, (socket.SOCK_STREAM,)),
            (ports.admin, (socket.SOCK_STREAM,)),
        ):
            for kind in kinds:
                fault = _bind(address, port, kind)
                if fault == errno.EACCES:
                    raise OperatorFault(
                        f"port {port} needs root (CAP_NET_BIND_SERVICE); choose one above 1023"
                    )
                if fault is not None:
                    yield endpoint_text(address, port)


def _bind(address: IpAddress, port: int, kind: socket.SocketKind) -> int | None:
    """The errno of binding exclusively (no SO_REUSEPORT: a sharing neighbour must count as taken)."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ignore TIME_WAIT
            probe.bind((str(address), port))
            if kind == socket.SOCK_STREAM:
                probe.listen(1)  # with SO_REUSEADDR it is listening that conflicts
    except OSError as fault:
        return fault.errno
    return None
