"""The network: which host has an address, which channel joins two hosts, and what is wrong with it now.

Every host owns the loopback addresses 127.0.0.0/8 and ::1, as every machine does, and reaches itself
without a link. Any two hosts are linked, in the world's default shape unless `link` says otherwise.
"""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Callable

from nearcast.simulate.world.addresses import (
    SocketAddress,
    canonical,
    family,
    is_loopback,
    is_wildcard,
    spelled,
)
from nearcast.simulate.world.history import History
from nearcast.simulate.world.incarnation import Machine
from nearcast.simulate.world.link import LOOPBACK, Direction, LinkShape
from nearcast.simulate.world.listener import VirtualListener
from nearcast.simulate.world.loop import VirtualLoop
from nearcast.simulate.world.stream import TcpRules
from nearcast.simulate.world.tap import Tap

ALL_PORTS = 0


class Network:
    """Hosts, channels and the faults between them."""

    def __init__(
        self, seed: int, loop: VirtualLoop, history: History, shape: LinkShape, tcp: TcpRules
    ) -> None:
        self.loop = loop
        self.history = history
        self.tcp = tcp
        self.tap: Tap | None = None
        self._seed = seed
        self.shape_between: Callable[[Machine, Machine], LinkShape] = lambda sender, receiver: shape
        self._by_address: dict[str, Machine] = {}
        self._channels: dict[tuple[str, str], Direction] = {}
        self._connections = 0
        self._refusing: dict[tuple[str, int], int] = {}  # host and port (0 is all) to how often asked
        self._swallowing: dict[tuple[str, int], int] = {}

    # --- who is where -----------------------------------------------------------------------------
    def attach(self, host: Machine) -> None:
        """Give a host its addresses; each belongs to one host."""
        for address in host.addresses:
            if address in self._by_address:
                raise ValueError(f"{address} already belongs to {self._by_address[address].name}")
            self._by_address[address] = host

    def host_at(self, address: str, asking: Machine) -> Machine | None:
        """The host that packets of `asking` to `address` reach, if any."""
        return asking if is_loopback(address) or is_wildcard(address) else self._by_address.get(address)

    def source_address(self, host: Machine, destination: str) -> str:
        """The address from which `host` sends to `destination` when it has not bound one."""
        if is_loopback(destination) or is_wildcard(destination):
            return "::1" if ":" in destination else "127.0.0.1"
        if destination in host.addresses:
            return destination
        for address in host.addresses:
            if family(address) == family(destination):
                return address
        raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))

    def check_local(self, host: Machine, address: str) -> None:
        """Raise EADDRNOTAVAIL unless `host` may bind `address`."""
        if not (is_wildcard(address) or is_loopback(address) or address in host.addresses):
            raise OSError(
                errno.EADDRNOTAVAIL,
                f"error while attempting to bind on address {address!r}: cannot assign requested address",
            )

    def listener(self, host: Machine, client: SocketAddress, server: SocketAddress) -> VirtualListener | None:
        """Who accepts a connection from `client` to `server`."""
        if self._asked(self._refusing, host, server[1]):
            return None
        found: VirtualListener | None = host.incarnation.ports.tcp.find(
            server[0], server[1], self.spread(client)
        )
        return found if found is not None and found.open else None

    def spread(self, peer: SocketAddress) -> int:
        """How the kernel spreads peers over the sockets that share a port."""
        return zlib.crc32(spelled(*peer[:2]).encode())

    def next_connection(self) -> int:
        self._connections += 1
        return self._connections

    # --- links ------------------------------------------------------------------------------------
    def channel(self, sender: Machine, receiver: Machine) -> Direction:
        names = sender.name, receiver.name
        channel = self._channels.get(names)
        if channel is None:
            shape = LOOPBACK if sender is receiver else self.shape_between(sender, receiver)
            channel = self._channels[names] = Direction(f"{names[0]}>{names[1]}", self._seed, shape)
        return channel

    def link(self, one: Machine, other: Machine, shape: LinkShape, back: LinkShape | None = None) -> None:
        """Shape the link between two hosts; `back` is the way from `other` to `one`, when it differs."""
        self.channel(one, other).reshape(shape)
        self.channel(other, one).reshape(back or shape)

    def cut(self, sender: Machine, receiver: Machine) -> None:
        """Let nothing through from `sender` to `receiver`. Cuts add up; each is undone by one `mend`."""
        self.channel(sender, receiver).cuts += 1

    def mend(self, sender: Machine, receiver: Machine) -> None:
        channel = self.channel(sender, receiver)
        channel.cuts = max(0, channel.cuts - 1)

    def reset(self, one: Machine, other: Machine) -> None:
        """Reset every connection between two hosts, on both sides."""
        for here, there in ((one, other), (other, one)):
            for endpoint in list(here.incarnation.streams.values()):
                if self.host_at(canonical(endpoint.remote[0]), here) is there:
                    endpoint.reset()

    # --- ports that misbehave ---------------------------------------------------------------------
    def refuse(self, host: Machine, port: int = ALL_PORTS, *, times: int = 1) -> None:
        """Refuse new connections to a port, as if nobody listened; `times=-1` undoes it."""
        self._count(self._refusing, host, port, times)

    def swallow(self, host: Machine, port: int = ALL_PORTS, *, times: int = 1) -> None:
        """Answer nothing that opens a connection to a port, and lose its datagrams; `times=-1` undoes it."""
        self._count(self._swallowing, host, port, times)

    def swallows(self, host: Machine, port: int) -> bool:
        return self._asked(self._swallowing, host, port)

    @staticmethod
    def _count(table: dict[tuple[str, int], int], host: Machine, port: int, times: int) -> None:
        left = table.get((host.name, port), 0) + times
        if left > 0:
            table[host.name, port] = left
        else:
            table.pop((host.name, port), None)

    @staticmethod
    def _asked(table: dict[tuple[str, int], int], host: Machine, port: int) -> bool:
        return bool(table) and ((host.name, port) in table or (host.name, ALL_PORTS) in table)
