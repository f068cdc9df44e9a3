"""Deadlines hear what has come before they pass."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from nearcast.model.faults import UpstreamFault
from nearcast.serve.deadline import Alarm, Within
from nearcast.serve.http_client import ClientLimits, HttpClient
from nearcast.serve.http_server import Exchange, listen_http
from nearcast.serve.limits import HttpLimits, StreamLimits

PAUSE_SECONDS = 0.6  # of the whole process; the deadlines are much shorter
HERE = "127.0.0.1"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def listening() -> socket.socket:
    """A server of the kernel's: it accepts connections, and bytes wait in it."""
    server = socket.socket()
    server.bind((HERE, 0))
    server.listen(100)
    return server


def test_an_alarm_rings_once_or_never(run_on) -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        rung: list[str] = []
        Alarm(loop, 0.01, lambda: rung.append("one"))
        cancelled = Alarm(loop, 0.005, lambda: rung.append("cancelled"))
        cancelled.cancel()
        cancelled.cancel()
        midway = Alarm(loop, 0, lambda: rung.append("cancelled when it was due"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        midway.cancel()
        await asyncio.sleep(0.03)
        assert rung == ["one"]

    run_on(scene())


def test_what_takes_too_long_is_a_timeout(run_on) -> None:
    async def scene() -> None:
        with pytest.raises(TimeoutError):
            async with Within(0.01):
                await asyncio.Event().wait()
        async with Within(0.01):
            pass
        await asyncio.sleep(0.03)  # an alarm that is over disturbs nobody

    run_on(scene())


def test_whoever_cancels_is_not_taken_for_the_clock(run_on) -> None:
    async def wait() -> None:
        async with Within(10):
            await asyncio.Event().wait()

    async def scene() -> None:
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_on(scene())


def test_an_answer_that_came_while_we_were_paused_is_read(run_on) -> None:
    async def scene() -> None:
        limits = ClientLimits(connect_seconds=0.3, head_seconds=0.3, stall_seconds=0.3)
        server = listening()
        client = HttpClient(limits)

        async def get() -> bytes:
            async with client.request("GET", server.getsockname(), "/", {"host": "a"}) as incoming:
                return await incoming.read(100)

        downloads = [asyncio.ensure_future(get()) for _ in range(36)]
        plugs = []
        server.setblocking(False)
        while len(plugs) < len(downloads):
            try:
                plugs.append(server.accept()[0])
            except BlockingIOError:
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        for plug in plugs:
            plug.recv(1000)
            plug.sendall(ANSWER)
        time.sleep(PAUSE_SECONDS)  # noqa: ASYNC251 - the process is paused
        assert await asyncio.gather(*downloads) == [b"hi"] * len(downloads)
        await client.close()
        for each in (server, *plugs):
            each.close()

    run_on(scene())


def test_a_connection_that_was_made_while_we_were_paused_is_used(run_on) -> None:
    async def scene() -> None:
        server = listening()
        client = HttpClient(ClientLimits(connect_seconds=0.05))

        async def get() -> bytes:
            async with client.request("GET", server.getsockname(), "/", {"host": "a"}) as incoming:
                return await incoming.read(100)

        async def serve() -> None:
            server.setblocking(False)
            plug, _ = await asyncio.get_running_loop().sock_accept(server)
            await asyncio.get_running_loop().sock_recv(plug, 1000)
            await asyncio.get_running_loop().sock_sendall(plug, ANSWER)
            plug.close()

        serving, download = asyncio.ensure_future(serve()), asyncio.ensure_future(get())
        await asyncio.sleep(0)
        time.sleep(PAUSE_SECONDS)  # noqa: ASYNC251 - the process is paused
        assert await download == b"hi"
        await serving
        await client.close()
        server.close()

    run_on(scene())


def test_a_body_that_came_while_we_were_paused_is_read(run_on) -> None:
    async def scene() -> None:
        server = listening()
        client = HttpClient(ClientLimits(stall_seconds=0.05))
        accepted = asyncio.get_running_loop().run_in_executor(None, server.accept)

        async def get() -> bytes:
            async with client.request("GET", server.getsockname(), "/", {"host": "a"}) as incoming:
                begun.set()
                return await incoming.read(100)

        begun = asyncio.Event()
        download = asyncio.ensure_future(get())
        plug, _ = await accepted
        plug.sendall(ANSWER[:-1])
        await begun.wait()
        await asyncio.sleep(0.01)
        plug.sendall(ANSWER[-1:])
        time.sleep(PAUSE_SECONDS)  # noqa: ASYNC251 - the process is paused
        assert await download == b"hi"
        await client.close()
        plug.close()
        server.close()

    run_on(scene())


@pytest.mark.parametrize(
    "before", [b"", b"GET / HT", b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"]
)
def test_a_request_that_came_while_the_server_was_paused_is_answered(run_on, before: bytes) -> None:
    whole = {
        b"": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HT": b"TP/1.1\r\nHost: a\r\n\r\n",
    }.get(before, b"x")

    async def scene() -> None:
        listener = await listen_http(
            lambda exchange: exchange.respond(200, {}, b"hi"),
            HERE,
            0,
            clock=lambda: 0.0,
            limits=HttpLimits(head_seconds_max=0.05, body_seconds_max=0.05),
            stream_limits=StreamLimits(idle_seconds=0.1),
        )
        peer = socket.create_connection((HERE, listener.port))
        peer.sendall(before or b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(0.03)
        if not before:
            assert peer.recv(1000).endswith(b"hi")
        peer.sendall(whole)
        time.sleep(PAUSE_SECONDS)  # noqa: ASYNC251 - the process is paused
        await asyncio.sleep(0.03)
        assert peer.recv(1000).endswith(b"\r\n\r\nhi")
        peer.close()
        await listener.drain(1)

    run_on(scene())


def test_a_process_that_was_paused_still_gives_up_at_last(run_on) -> None:
    async def scene() -> None:
        server = listening()
        client = HttpClient(ClientLimits(head_seconds=0.05))

        async def get() -> None:
            async with client.request("GET", server.getsockname(), "/", {"host": "a"}):
                raise AssertionError("nobody answered")

        download = asyncio.ensure_future(get())
        await asyncio.sleep(0.02)
        time.sleep(PAUSE_SECONDS)  # noqa: ASYNC251 - the process is paused
        with pytest.raises(UpstreamFault, match="no answer within"):
            await download
        server.close()

    run_on(scene())


def test_an_exchange_at_work_is_not_disturbed_by_the_idle_deadline(run_on) -> None:
    async def scene() -> None:
        async def slow(exchange: Exchange) -> None:
            await asyncio.sleep(0.2)
            exchange.respond(200, {}, b"hi")

        stream_limits = StreamLimits(idle_seconds=0.05)
        listener = await listen_http(slow, HERE, 0, clock=lambda: 0.0, stream_limits=stream_limits)
        async with HttpClient().request("GET", (HERE, listener.port), "/", {"host": "a"}) as incoming:
            assert await incoming.read(10) == b"hi"
        await listener.drain(1)

    run_on(scene())
