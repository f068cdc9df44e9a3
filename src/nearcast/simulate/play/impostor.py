"""Another program on a host's port: a machine set up anew, whose default web server greets everybody."""

from __future__ import annotations

import asyncio

from nearcast.simulate.world.host import Host, Program

PAGE = b"<html><h1>It works!</h1></html>\n"
GREETING = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n%b" % (len(PAGE), PAGE)


class Greeter(asyncio.Protocol):
    """Answers every head with the page, whatever was asked for."""

    def __init__(self) -> None:
        self._read = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, octets: bytes) -> None:
        assert self._transport is not None
        *heads, self._read = (self._read + octets).split(b"\r\n\r\n")
        for _ in heads:
            self._transport.write(GREETING)


def impostor(port: int) -> Program:
    """A program that greets on `port` of whatever host it runs on, and does nothing else."""

    async def program(host: Host) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_server(Greeter, host.addresses[0], port)
        await loop.create_future()  # it ends with its incarnation

    return program
