"""The lure: an address that no honest name server gives. Whoever comes there was lied to, and believed it."""

from __future__ import annotations

import asyncio
from typing import Any

from nearcast.simulate.world.host import Host

EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil\n"


class Lure:
    """Satisfies `Program` when called. `victims` are who came (an address), or for what name it was given."""

    def __init__(self, address: str, http_port: int, dns_port: int) -> None:
        self.address = address
        self.victims: list[str] = []
        self._http_port = http_port
        self._dns_port = dns_port

    async def __call__(self, host: Host) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=(self.address, self._dns_port)
        )
        async with (
            await asyncio.start_server(self._welcome, self.address, self._http_port),
            await asyncio.start_server(self._welcome, self.address, self._dns_port),
        ):
            await loop.create_future()  # its incarnation ends with the host's

    def visited(self, peer: Any) -> None:
        """Somebody has come."""
        self.victims.append(f"{peer[0]} came to it")

    def named(self, name: str) -> None:
        """The resolver has said that this name is here."""
        self.victims.append(f"the resolver gave it as the address of {name}")

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visited(writer.get_extra_info("peername"))
        writer.write(EVIL)
        writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, lure: Lure) -> None:
        self._lure = lure

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._lure.visited(addr)
