"""The loop with a network: asyncio's arguments in, the virtual network's objects out.

Declined where they are given: TLS (`ssl`), ready-made sockets (`sock`), host names, broadcast.
"""

from __future__ import annotations

import contextvars
import socket
from collections.abc import Sequence
from typing import Any

from nearcast.simulate.world.addresses import ANY4, ANY6, SocketAddress, canonical, family, socket_address
from nearcast.simulate.world.declined import NotSimulated
from nearcast.simulate.world.dial import dial
from nearcast.simulate.world.incarnation import CURRENT, Incarnation, Machine
from nearcast.simulate.world.listener import ProtocolFactory, VirtualServer
from nearcast.simulate.world.loop import VirtualLoop
from nearcast.simulate.world.network import Network
from nearcast.simulate.world.udp import DatagramEndpoint


class NetworkedLoop(VirtualLoop):
    """A virtual loop whose connections and datagrams `network` carries; a `World` puts both together."""

    network: Network

    def _place(self, call: str) -> tuple[Network, Incarnation, Machine]:
        """The network, and the incarnation and host on which the caller runs."""
        incarnation = CURRENT.get(self.home)
        if incarnation.host is None:
            raise NotSimulated(f"loop.{call} without a World")
        if incarnation.dead:
            raise OSError(100, "Network is down")
        return self.network, incarnation, incarnation.host

    async def create_connection(
        self,
        protocol_factory: ProtocolFactory,
        host: str | None = None,
        port: int | None = None,
        *,
        ssl: object = None,
        sock: object = None,
        local_addr: tuple[str, int] | None = None,
        **keywords: Any,
    ) -> tuple[Any, Any]:
        """Connect to a literal address. `family`, `flags` and happy eyeballs have nothing to choose."""
        _decline("create_connection", ssl=ssl, sock=sock, server_hostname=keywords.get("server_hostname"))
        network, incarnation, here = self._place("create_connection")
        if host is None or port is None:
            raise ValueError("host and port was not specified and no sock specified")
        remote = socket_address(canonical(host), _port(port))
        local_host, local_port = local_addr or (None, 0)
        if local_host is not None:
            network.check_local(here, canonical(local_host))
        address = canonical(local_host) if local_host else network.source_address(here, remote[0])
        if address in (ANY4, ANY6):
            address = network.source_address(here, remote[0])
        if family(address) != family(remote[0]):
            raise OSError(f"no matching local address with family={family(remote[0])!r} found")
        local = socket_address(address, local_port or incarnation.ports.tcp.ephemeral())
        return await dial(network, incarnation, protocol_factory, local, remote)

    async def create_server(
        self,
        protocol_factory: ProtocolFactory,
        host: str | Sequence[str] | None = None,
        port: int | None = None,
        *,
        ssl: object = None,
        sock: object = None,
        reuse_port: bool | None = None,
        start_serving: bool = True,
        **keywords: Any,
    ) -> Any:
        """Listen. Without a host, on both wildcards; port 0 takes an ephemeral one per address."""
        _decline("create_server", ssl=ssl, sock=sock)
        network, incarnation, here = self._place("create_server")
        wanted = keywords.get("family") or socket.AF_UNSPEC
        hosts = [host] if host is None or isinstance(host, str) else list(host)
        addresses: list[str] = []
        for each in hosts:
            addresses += [canonical(each)] if each else [ANY4, ANY6]
        addresses = [each for each in dict.fromkeys(addresses) if wanted in (socket.AF_UNSPEC, family(each))]
        for address in addresses:
            network.check_local(here, address)
        server = VirtualServer(self, incarnation, contextvars.copy_context(), protocol_factory)
        server.listen(addresses, _port(port or 0), shared=bool(reuse_port))
        if start_serving:
            await server.start_serving()
        return server

    async def create_datagram_endpoint(  # type: ignore[override]
        self,
        protocol_factory: ProtocolFactory,
        local_addr: tuple[str, int] | None = None,
        remote_addr: tuple[str, int] | None = None,
        *,
        reuse_port: bool | None = None,
        allow_broadcast: bool | None = None,
        sock: object = None,
        **keywords: Any,
    ) -> tuple[Any, Any]:
        """Open a UDP socket, bound or connected or both."""
        _decline("create_datagram_endpoint", sock=sock, allow_broadcast=allow_broadcast)
        network, incarnation, here = self._place("create_datagram_endpoint")
        wanted = keywords.get("family") or socket.AF_UNSPEC
        remote = remote_addr and socket_address(canonical(remote_addr[0]), _port(remote_addr[1]))
        local = _local_datagram_address(local_addr, remote, wanted)
        network.check_local(here, local[0])
        if remote is not None:
            if family(local[0]) != family(remote[0]):
                raise ValueError("can not get address information")
            if local[0] in (ANY4, ANY6):
                local = socket_address(network.source_address(here, remote[0]), local[1])
        transport = DatagramEndpoint(
            network, incarnation, contextvars.copy_context(), local, remote or None, shared=bool(reuse_port)
        )
        protocol = protocol_factory()
        transport.open(protocol)
        return transport, protocol

    async def getaddrinfo(  # type: ignore[override]
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[tuple[socket.AddressFamily, socket.SocketKind, int, str, SocketAddress]]:
        """Addresses of a literal (or of no host: the loopbacks, or the wildcards with AI_PASSIVE)."""
        if host:
            texts = [canonical(host.decode() if isinstance(host, bytes) else host)]
        else:
            texts = [ANY4, ANY6] if flags & socket.AI_PASSIVE else ["127.0.0.1", "::1"]
        kinds = [socket.SocketKind(type)] if type else [socket.SOCK_STREAM, socket.SOCK_DGRAM]
        number = _port(port or 0)
        found = [
            (_family(text), kind, proto, "", socket_address(text, number)) for text in texts for kind in kinds
        ]
        found = [each for each in found if family in (0, each[0])]
        if not found:
            raise socket.gaierror(socket.EAI_FAMILY, "Address family for hostname not supported")
        return found


_family = family  # the argument of getaddrinfo has the same name


def _decline(call: str, **given: object) -> None:
    for name, value in given.items():
        if value:
            raise NotSimulated(f"loop.{call}({name}=...)")


def _port(port: bytes | str | int) -> int:
    try:
        return int(port)
    except ValueError:
        raise NotSimulated(f"looking up the service name {port!r}") from None


def _local_datagram_address(
    local: tuple[str, int] | None, remote: SocketAddress | None, wanted: int
) -> SocketAddress:
    if local is not None:
        host, port = local[0], _port(local[1])
        if host:
            return socket_address(canonical(host), port)
        return socket_address(ANY6 if remote is not None and ":" in remote[0] else ANY4, port)
    if remote is not None:
        return socket_address(ANY6 if ":" in remote[0] else ANY4, 0)
    if not wanted:
        raise ValueError("unexpected address family")
    return socket_address(ANY6 if wanted == socket.AF_INET6 else ANY4, 0)
