"""A tap on the wires: what reaches the programs of a world, told to whoever wants to judge them.

Everything is told as plain values: hosts by name, connections by number, ends by `accepting` (the server's).
A tap hears; it changes nothing, and what it hears is heard at the moment the receiving program hears it.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from nearcast.simulate.world.addresses import SocketAddress


class Ending(Enum):
    """How an end of a connection came to its end."""

    EOF = "the peer has said that it sends no more"
    BROKEN = "a reset arrived, or the peer could not be reached any more"
    LEFT = "the program closed it"
    DIED = "its program or its machine died"


class Tap(Protocol):
    """Set `World.network.tap` before anything runs."""

    def dials(self, host: str, remote: SocketAddress) -> None:
        """A program begins to connect."""

    def undialled(self, host: str, remote: SocketAddress, given_up: bool) -> None:
        """A connect was refused, or timed out in the kernel; or the program has given it up."""

    def opened(
        self, number: int, client: str, server: str, ends: tuple[SocketAddress, SocketAddress]
    ) -> None:
        """A connection stands; `ends` are the client's and the server's address."""

    def heard(self, number: int, accepting: bool, octets: bytes) -> None:
        """A program got bytes at its end of a connection."""

    def ended(self, number: int, accepting: bool, how: Ending) -> None:
        """An end is over; after EOF it may still be told of another ending."""

    def sent(self, host: str, source: SocketAddress, remote: SocketAddress, octets: bytes) -> None:
        """A program sent a datagram."""

    def arrived(self, host: str, source: SocketAddress, local: SocketAddress, octets: bytes) -> None:
        """A program got a datagram."""
