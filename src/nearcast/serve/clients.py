"""Whose connections are these? What a listener must know to share itself out fairly.

A client is an IPv4 address, or the /64 network of an IPv6 address: whoever has one has all of it.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from typing import Generic, TypeVar

T = TypeVar("T")

_IPV4_MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291 2.5.5.2


def client_of(address: str) -> str:
    """The client that connects from `address`."""
    if ":" not in address:
        return address
    octets = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    if octets.startswith(_IPV4_MAPPED):
        return socket.inet_ntop(socket.AF_INET, octets[12:])
    return socket.inet_ntop(socket.AF_INET6, octets[:8] + bytes(8)) + "/64"


class Clients(Generic[T]):
    """Connections by client. Every operation takes the same time however many there are."""

    def __init__(self) -> None:
        self._of: dict[str, dict[T, None]] = {}  # in order of arrival
        self._by_count: dict[int, dict[str, None]] = {}
        self._most = 0  # connections that any client has

    def add(self, client: str, connection: T) -> None:
        theirs = self._of.setdefault(client, {})
        theirs[connection] = None
        self._recount(client, len(theirs) - 1, len(theirs))

    def remove(self, client: str, connection: T) -> None:
        """Forget a connection; harmless when it is forgotten already."""
        theirs = self._of.get(client, {})
        if connection in theirs:
            del theirs[connection]
            self._recount(client, len(theirs) + 1, len(theirs))
            if not theirs:
                del self._of[client]

    def of(self, client: str) -> Collection[T]:
        """The connections of a client, the oldest first."""
        return self._of.get(client, {})

    @property
    def greediest(self) -> str:
        """Who has the most connections; of several, who got there first. There must be one."""
        return next(iter(self._by_count[self._most]))

    def _recount(self, client: str, before: int, now: int) -> None:
        if before:
            del self._by_count[before][client]
            if not self._by_count[before]:
                del self._by_count[before]
        if now:
            self._by_count.setdefault(now, {})[client] = None
        if now > self._most or (before == self._most and before not in self._by_count):
            self._most = now
