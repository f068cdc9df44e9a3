"""The lure: an address that no honest name server gives. Whoever turns there was lied to, and believed it."""

from __future__ import annotations

import asyncio

from nearcast.simulate.world.host import Host, Program

LURE = "lure"
LURE_ADDRESS = "10.254.6.66"
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil\n"


def lure(*ports: int) -> Program:
    """A program that welcomes everybody at the lure's address."""

    async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(EVIL)
        writer.close()

    async def program(host: Host) -> None:
        for port in ports:
            await asyncio.start_server(welcome, LURE_ADDRESS, port)
        await asyncio.get_running_loop().create_future()  # its incarnation ends with the host's

    return program
