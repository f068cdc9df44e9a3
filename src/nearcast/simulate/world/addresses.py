"""Addresses of the virtual world: IPv4 and IPv6 literals, in one spelling each."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from nearcast.simulate.world.declined import NotSimulated

SocketAddress = tuple[str, int] | tuple[str, int, int, int]

ANY4, ANY6 = "0.0.0.0", "::"


@lru_cache(maxsize=65536)
def canonical(text: str) -> str:
    """The one spelling of an address literal; a name raises NotSimulated."""
    if text == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise NotSimulated(f"looking up the host name {text!r} (only literal addresses)") from None


@lru_cache(maxsize=65536)
def is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


def is_wildcard(address: str) -> bool:
    return address in (ANY4, ANY6)


def family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def socket_address(address: str, port: int) -> SocketAddress:
    """The tuple that sockets use: two members for IPv4, four for IPv6."""
    return (address, port, 0, 0) if ":" in address else (address, port)


def spelled(address: str, port: int) -> str:
    """For people and histories: `10.0.0.1:80`, `[2001:db8::1]:80`."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class VirtualSocket:
    """What `get_extra_info("socket")` and `VirtualServer.sockets` show: names and kind, no descriptor.

    Of all options only SO_LINGER with zero seconds has an effect: the connection then ends with a reset.
    """

    def __init__(
        self,
        kind: socket.SocketKind,
        local: SocketAddress,
        remote: SocketAddress | None = None,
        linger: Callable[[bool], None] = lambda discards: None,
    ) -> None:
        self._linger = linger
        self.type = kind
        self.family = family(local[0])
        self.proto = 0
        self._local = local
        self._remote = remote

    def getsockname(self) -> SocketAddress:
        return self._local

    def getpeername(self) -> SocketAddress:
        if self._remote is None:
            raise OSError(107, "Transport endpoint is not connected")
        return self._remote

    def setsockopt(self, level: int, option: int, value: Any, *rest: object) -> None:
        if (level, option) == (socket.SOL_SOCKET, socket.SO_LINGER):
            self._linger(struct.unpack("ii", value) == (1, 0))

    def fileno(self) -> int:
        """-1, as of a socket that is closed: whoever wants to work on the descriptor finds none."""
        return -1
