"""UDP: datagrams that arrive once, twice, late, or not at all.

A datagram to a port where nobody listens comes back as ECONNREFUSED to a connected socket (`remote_addr`),
as ICMP does, and is silence to any other. A hung program's datagrams wait in its receive buffer, and what
that cannot hold is lost.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import os
import socket
from typing import Any

from nearcast.simulate.world.addresses import (
    SocketAddress,
    VirtualSocket,
    canonical,
    family,
    is_wildcard,
    socket_address,
    spelled,
)
from nearcast.simulate.world.incarnation import Incarnation, Machine
from nearcast.simulate.world.network import Network
from nearcast.simulate.world.tcp import fingerprint

DATAGRAM_BYTES_MAX = 65507
RECEIVE_BUFFER_BYTES = 212_992  # Linux: net.core.rmem_default


class DatagramEndpoint(asyncio.DatagramTransport):
    """A bound UDP socket."""

    def __init__(
        self,
        network: Network,
        incarnation: Incarnation,
        context: contextvars.Context,
        local: SocketAddress,
        remote: SocketAddress | None,
        *,
        shared: bool,
    ) -> None:
        super().__init__()
        assert incarnation.host is not None
        self._network = network
        self._loop = network.loop
        self._life = incarnation
        self._host: Machine = incarnation.host
        self._context = context
        self._remote = remote
        self._closing = False
        self._waiting_bytes = 0  # received while the program hangs
        self._protocol: Any = None
        self._port = incarnation.ports.udp.bind(local[0], local[1], self, shared=shared)
        self._address = local[0]

    # --- asyncio.DatagramTransport ----------------------------------------------------------------
    def open(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol
        protocol.connection_made(self)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol  # type: ignore[no-any-return]

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        local = socket_address(self._address, self._port)
        match name:
            case "sockname":
                return local
            case "peername":
                return self._remote
            case "socket":
                return VirtualSocket(socket.SOCK_DGRAM, local, self._remote)
        return default

    def get_write_buffer_size(self) -> int:
        return 0

    def sendto(self, data: bytes | bytearray | memoryview, addr: Any = None) -> None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
        if self._remote is not None and addr not in (None, self._remote, self._remote[:2]):
            raise ValueError(f"Invalid address: must be None or {self._remote}")
        if self._closing or self._life.dead:
            return
        try:
            self._send(bytes(data), self._remote or addr)
        except OSError as exc:
            self._protocol.error_received(exc)

    def is_closing(self) -> bool:
        return self._closing or self._life.dead

    def close(self) -> None:
        if self.is_closing():
            return
        self._closing = True
        self._life.ports.udp.release(self._port, self)
        self._loop.call_soon(self._connection_lost, context=self._context)

    def abort(self) -> None:
        self.close()

    def _connection_lost(self) -> None:
        self._protocol.connection_lost(None)

    # --- the network ------------------------------------------------------------------------------
    def _send(self, octets: bytes, remote: SocketAddress) -> None:
        if len(octets) > DATAGRAM_BYTES_MAX:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        address, port = canonical(remote[0]), remote[1]
        if family(address) != family(self._address):
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        source = self._address
        if is_wildcard(source):
            source = self._network.source_address(self._host, address)
        sender = socket_address(source, self._port)
        if self._network.tap is not None:
            self._network.tap.sent(self._host.name, sender, remote, octets)
        target = self._network.host_at(address, self._host)
        if target is None or self._network.swallows(target, port):
            return
        channel = self._network.channel(self._host, target)
        for arrives in channel.carry_datagram(self._loop.time(), len(octets)):
            self._loop.world_at(arrives, self._arrive, target, octets, sender, address, port)

    def _arrive(self, target: Machine, octets: bytes, sender: SocketAddress, address: str, port: int) -> None:
        if self._network.channel(self._host, target).cuts or not target.up:
            return
        receiver = target.incarnation.ports.udp.find(address, port, self._network.spread(sender))
        if receiver is not None:
            receiver.receive(octets, sender)
        elif self._remote is not None:
            back = self._network.channel(target, self._host)
            if not back.cuts:
                self._loop.world_at(self._loop.now + back.latency, self._unreachable)

    def _unreachable(self) -> None:
        if not self.is_closing():
            error = ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
            self._loop.enter(self._life, self._context, self._protocol.error_received, error)

    def receive(self, octets: bytes, sender: SocketAddress) -> None:
        """A datagram has arrived at this socket."""
        if self._closing or (self._remote is not None and sender[:2] != self._remote[:2]):
            return
        if self._life.frozen and self._waiting_bytes + len(octets) > RECEIVE_BUFFER_BYTES:
            return
        self._waiting_bytes += len(octets)
        self._loop.enter(self._life, self._context, self._hand_over, octets, sender)

    def _hand_over(self, octets: bytes, sender: SocketAddress) -> None:
        self._waiting_bytes -= len(octets)
        if self._closing or self._protocol is None:
            return
        what = (self._host.name, spelled(*sender[:2]), len(octets), fingerprint(octets))
        self._network.history.add((self._loop.now, "datagram", *what))
        if self._network.tap is not None:
            local = socket_address(self._address, self._port)
            self._network.tap.arrived(self._host.name, sender, local, octets)
        self._protocol.datagram_received(octets, sender)
