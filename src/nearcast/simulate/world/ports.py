"""The ports of a host: who is bound to what, with the rules of bind(2) that programs meet."""

from __future__ import annotations

import errno
import os
from typing import Any, NamedTuple

EPHEMERAL_FIRST, EPHEMERAL_LAST = 32768, 60999  # Linux: net.ipv4.ip_local_port_range
WILDCARDS = ("0.0.0.0", "::")


class Binding(NamedTuple):
    """Something bound: a listener or a datagram socket, and whether it shares its port (SO_REUSEPORT)."""

    address: str
    shared: bool
    bound: Any


class Table:
    """The bindings of one protocol on one host."""

    __slots__ = ("_by_port", "_next")

    def __init__(self) -> None:
        self._by_port: dict[int, list[Binding]] = {}
        self._next = EPHEMERAL_FIRST

    def bind(self, address: str, port: int, bound: Any, *, shared: bool = False) -> int:
        """Bind; port 0 takes an ephemeral one. Returns the port; raises EADDRINUSE."""
        port = port or self.ephemeral()
        there = self._by_port.setdefault(port, [])
        for other in there:
            if _overlap(address, other.address) and not (shared and other.shared):
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        there.append(Binding(address, shared, bound))
        return port

    def release(self, port: int, bound: Any) -> None:
        left = [binding for binding in self._by_port.get(port, ()) if binding.bound is not bound]
        if left:
            self._by_port[port] = left
        else:
            self._by_port.pop(port, None)

    def find(self, address: str, port: int, spread: int = 0) -> Any | None:
        """What is bound there, an exact address before a wildcard; `spread` chooses among sharers."""
        there = self._by_port.get(port)
        if not there:
            return None
        exact = [binding for binding in there if binding.address == address]
        if not exact:
            wildcard = WILDCARDS[":" in address]
            exact = [binding for binding in there if binding.address == wildcard]
        return exact[spread % len(exact)].bound if exact else None

    def ephemeral(self) -> int:
        """The next free port of the ephemeral range."""
        for _ in range(EPHEMERAL_LAST - EPHEMERAL_FIRST + 1):
            port = self._next
            self._next = port + 1 if port < EPHEMERAL_LAST else EPHEMERAL_FIRST
            if port not in self._by_port:
                return port
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


class HostPorts:
    """The TCP listeners and the UDP sockets of one incarnation of a host."""

    __slots__ = ("tcp", "udp")

    def __init__(self) -> None:
        self.tcp = Table()
        self.udp = Table()


def _overlap(one: str, other: str) -> bool:
    """Asyncio's listeners are IPV6_V6ONLY, so the two wildcards do not meet."""
    if (":" in one) != (":" in other):
        return False
    return one == other or one in WILDCARDS or other in WILDCARDS
