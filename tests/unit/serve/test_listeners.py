"""Listeners that follow a list of addresses: new ones before old ones, all or none, nobody cut off."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from nearcast.serve.listeners import Listeners, at_port, listen_at
from nearcast.serve.loop import run
from nearcast.serve.tcp import Connection, Listener, listen_tcp

ONE, TWO, THREE = "127.0.0.1", "127.0.0.2", "127.0.0.3"


class Echo(Connection):
    def received(self, octets: bytes) -> None:
        self.transport.write(octets)


async def echo_at(address: str, port: int) -> Listener:
    return await listen_tcp(Echo, address, port)


def free_port() -> int:
    with socket.create_server((ONE, 0)) as probe:
        return int(probe.getsockname()[1])


async def said_back(address: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(b"hello")
    said = await reader.readexactly(5)
    writer.close()
    return said


def playing(script: Callable[[Listeners[Listener], int], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        listeners = Listeners(echo_at, drain_seconds=0.2)
        try:
            async with asyncio.timeout(10):
                await script(listeners, free_port())
        finally:
            await listeners.drain(0)

    run(main())


def test_a_new_address_serves_and_an_old_one_refuses() -> None:
    async def script(listeners: Listeners[Listener], port: int) -> None:
        await listen_at((listeners, at_port([ONE, TWO], port)))
        kept = next(iter(listeners))
        await listen_at((listeners, at_port([ONE, THREE], port)))
        assert next(iter(listeners)) is kept, "an address that stays keeps its listener"
        assert await said_back(ONE, port) == await said_back(THREE, port) == b"hello"
        with pytest.raises(ConnectionRefusedError):
            await said_back(TWO, port)

    playing(script)


def test_an_address_that_cannot_be_had_leaves_everything_as_it_was() -> None:
    async def script(listeners: Listeners[Listener], port: int) -> None:
        others: Listeners[Listener] = Listeners(echo_at)
        await listen_at((listeners, at_port([ONE], port)))
        with socket.create_server((THREE, port)), pytest.raises(OSError):
            await listen_at((listeners, at_port([TWO], port)), (others, at_port([THREE], port)))
        assert await said_back(ONE, port) == b"hello"
        with pytest.raises(ConnectionRefusedError):
            await said_back(TWO, port)
        assert not list(others)

    playing(script)


def test_who_is_connected_to_an_old_address_may_finish() -> None:
    async def script(listeners: Listeners[Listener], port: int) -> None:
        class Slow(Echo):
            def finish(self) -> None:
                """Goes on: what is under way is not answered yet."""

        slow = Listeners(lambda address, port: listen_tcp(Slow, address, port), drain_seconds=5)
        await listen_at((slow, at_port([ONE], port)))
        reader, writer = await asyncio.open_connection(ONE, port)
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        await listen_at((slow, at_port([TWO], port)))
        await asyncio.sleep(0)
        writer.write(b"b")
        assert await reader.readexactly(1) == b"b"
        writer.close()
        await slow.drain(0)

    playing(script)
