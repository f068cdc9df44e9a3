"""The control program starts inside the running loop, leaves signals alone, and ends when told to."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from dataclasses import replace
from typing import Any

import pytest

from nearcast.control.program import start_control
from nearcast.serve.http_client import HttpClient


def clock() -> float:
    return 0.0


def fake() -> Any:
    import fake_cdn  # loaded by conftest

    return fake_cdn.FakeCdn()


def test_a_taken_port_is_an_os_error_and_nothing_is_left() -> None:
    async def main() -> None:
        cdn = fake()
        with socket.create_server(cdn.control):
            with pytest.raises(OSError, match="in use"):
                await start_control(cdn.snapshot, cdn.catalogue, clock=clock)
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_signals_stay_with_whoever_started_the_program() -> None:
    async def main() -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        cdn = fake()
        program = await start_control(cdn.snapshot, cdn.catalogue, clock=clock)
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
        await program.drain(1)

    asyncio.run(main())


def test_drain_frees_the_port_and_may_be_repeated() -> None:
    async def main() -> None:
        cdn = fake()
        program = await start_control(cdn.snapshot, cdn.catalogue, clock=clock)
        await program.drain(2)
        await program.drain(2)
        socket.create_server(cdn.control).close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_abort_breaks_connections_off_at_once() -> None:
    async def main() -> None:
        cdn = fake()
        program = await start_control(cdn.snapshot, cdn.catalogue, clock=clock)
        reader, writer = await asyncio.open_connection(*cdn.control)
        writer.write(b"GET /v1/config/schema HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        program.abort()
        program.abort()
        async with asyncio.timeout(5):
            with pytest.raises(ConnectionResetError):
                while await reader.read(65536):
                    pass
                raise ConnectionResetError  # an end without a reset will do as well
        writer.close()
        await program.drain(1)
        socket.create_server(cdn.control).close()

    asyncio.run(main())


def test_a_snapshot_with_another_address_is_served_there() -> None:
    async def main() -> None:
        cdn = fake()
        program = await start_control(cdn.snapshot, cdn.catalogue, clock=clock)
        moved = replace(cdn.snapshot, number=8, address="127.0.0.9", listen="127.0.0.9")
        await program.swap(moved)
        client = HttpClient()
        async with client.request("GET", ("127.0.0.9", moved.port), "/v1/status", {"host": "x"}) as incoming:
            assert json.loads(await incoming.read(1 << 20))["snapshot"] == 8
        await client.close()
        await asyncio.sleep(0.1)
        socket.create_server(cdn.control).close()
        await program.drain(1)

    asyncio.run(main())
