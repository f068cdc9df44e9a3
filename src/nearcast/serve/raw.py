"""Raw sockets: whole packets go out as they are given, IP header included (raw(7), ipv6(7)).

Linux allows it only to processes with the capability CAP_NET_RAW. For IPv4 the kernel still writes
total length and header checksum itself, which changes nothing in a packet that had them right.
"""

from __future__ import annotations

import socket

from nearcast.wire.addresses import IpAddress


class RawSocketRefused(Exception):
    """This process does not have CAP_NET_RAW."""


class RawSender:
    """An open raw socket; use it in a `with` statement."""

    def __init__(self, destination: IpAddress) -> None:
        """Raises RawSocketRefused without CAP_NET_RAW."""
        self._destination = str(destination)
        family = socket.AF_INET if destination.version == 4 else socket.AF_INET6
        # IPPROTO_RAW: we bring the IP header, and receive nothing.
        try:
            self._socket = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
        except PermissionError:
            raise RawSocketRefused("raw sockets need the capability CAP_NET_RAW") from None
        self._socket.setblocking(False)

    def send(self, packet: bytes) -> None:
        """Send one packet. OSError EMSGSIZE when it is longer than the network's packets may be."""
        self._socket.sendto(packet, (self._destination, 0))

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> RawSender:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
