"""The HTTP client against servers on loopback: our own, and scripted ones that misbehave."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from nearcast.model.faults import UpstreamFault
from nearcast.serve.http_client import ClientLimits, HttpClient
from nearcast.serve.http_server import Application, Exchange, HttpListener, listen_http
from nearcast.serve.loop import run

HOST = {"host": "a.test"}
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(application: Application, address: str = "127.0.0.1") -> AsyncIterator[HttpListener]:
    listener = await listen_http(application, address, 0, clock=lambda: 784111777.0)
    try:
        yield listener
    finally:
        listener.abort()


@asynccontextmanager
async def scripted(*answers: bytes, stay: bool = True) -> AsyncIterator[tuple[str, int]]:
    """A server whose n-th connection answers its first request with `answers[n]`, verbatim."""
    scripts = iter(answers)

    async def make_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = next(scripts)
        if answer:
            await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if stay:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(make_connection, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[:2]
    finally:
        server.close()


async def get(client: HttpClient, address: tuple[str, int], target: str = "/", **more: object) -> bytes:
    async with client.request("GET", address, target, HOST) as incoming:
        return await incoming.read(10**9)


def echo(exchange: Exchange) -> None:
    request = exchange.request
    exchange.respond(
        200, {"x-from": exchange.peer[0]}, f"{request.method} {request.target} ".encode() + exchange.body
    )


def test_requests_share_a_connection() -> None:
    async def scene() -> None:
        client = HttpClient()
        async with serving(echo) as listener:
            address = ("127.0.0.1", listener.port)
            seen = []
            for method, body in (("GET", b""), ("PUT", b"x" * 100_000), ("HEAD", b""), ("DELETE", b"")):
                async with client.request(method, address, "/a", HOST, body) as incoming:
                    seen.append((incoming.head.status, incoming.reused, await incoming.read(200_000)))
            assert seen == [
                (200, False, b"GET /a "),
                (200, True, b"PUT /a " + b"x" * 100_000),
                (200, True, b""),
                (200, True, b"DELETE /a "),
            ]
            assert listener.counters.accepted_total == 1
            await client.close()

    run(scene())


def test_what_cannot_be_repeated_gets_a_connection_of_its_own() -> None:
    async def scene() -> None:
        client = HttpClient()
        async with serving(echo) as listener:
            await get(client, ("127.0.0.1", listener.port))
            async with client.request("POST", ("127.0.0.1", listener.port), "/", HOST) as incoming:
                assert not incoming.reused
            await client.close()

    run(scene())


def test_a_client_comes_from_its_own_address() -> None:
    async def scene() -> None:
        client = HttpClient(local_address="127.0.0.9")
        async with (
            serving(echo) as listener,
            client.request("GET", ("127.0.0.1", listener.port), "/", HOST) as incoming,
        ):
            assert incoming.head.fields["x-from"] == "127.0.0.9"
        await client.close()

    run(scene())


def test_ipv6() -> None:
    async def scene() -> None:
        client = HttpClient()
        try:
            async with serving(echo, "::1") as listener:
                assert await get(client, ("::1", listener.port)) == b"GET / "
        except OSError:
            pytest.skip("no IPv6 on this machine")
        await client.close()

    run(scene())


@pytest.mark.parametrize(
    ("answer", "body", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n", b"hi", True),
        (
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!",
            b"!",
            True,
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", b"hi", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi, and more", b"hi", False),
    ],
)
def test_bodies_end_where_they_say(answer: bytes, body: bytes, kept: bool) -> None:
    async def scene() -> None:
        client = HttpClient()
        async with scripted(answer, answer) as address:
            assert await get(client, address) == body
            async with client.request("GET", address, "/", HOST) as incoming:
                assert incoming.reused is False or kept
        await client.close()

    async def ask_twice_on_one() -> None:
        both = HttpClient()
        async with scripted(answer) as address:
            assert await get(both, address) == body
            assert bool(both._kept) == kept
            await both.close()

    run(ask_twice_on_one())


def test_a_body_may_last_until_the_connection_ends() -> None:
    async def scene() -> None:
        client = HttpClient()
        async with scripted(b"HTTP/1.1 200 OK\r\n\r\nall of it", stay=False) as address:
            assert await get(client, address) == b"all of it"
            assert not client._kept

    run(scene())


def test_a_reset_is_not_the_end_of_a_body() -> None:
    async def breaking(exchange: Exchange) -> None:
        exchange.begin(200, {}, None)
        await exchange.write(b"part of it")
        raise UpstreamFault("somebody", "gone")

    async def scene() -> None:
        async with serving(breaking) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")  # the body lasts until the connection ends
            with pytest.raises(ConnectionResetError):
                await reader.read()
                await reader.read()
            writer.close()

    async def until_close() -> None:
        async def make_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\npart of it")
            await writer.drain()
            plug = writer.get_extra_info("socket")
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

        server = await asyncio.start_server(make_connection, "127.0.0.1", 0)
        with pytest.raises(UpstreamFault, match="reset"):
            await get(HttpClient(), server.sockets[0].getsockname()[:2])
        server.close()

    run(scene())
    run(until_close())


@pytest.mark.parametrize(
    ("answer", "sentence", "retry_safe"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", "broke off", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi", "broke off", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", "broke off", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nxyz\r\n", "chunk size", False),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "closed", True),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "malformed", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "malformed", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "transfer coding", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "malformed", True),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "protocol", True),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 40_000, "head of more than", True),
    ],
)
def test_what_is_not_whole_or_not_http_is_the_upstreams_fault(
    answer: bytes, sentence: str, retry_safe: bool
) -> None:
    async def scene() -> None:
        client = HttpClient()
        async with scripted(answer, stay=False) as address:
            with pytest.raises(UpstreamFault, match=sentence) as caught:
                await get(client, address)
            assert caught.value.source == f"127.0.0.1:{address[1]}"
            assert caught.value.retry_safe == retry_safe
            assert not client._kept

    run(scene())


def test_nobody_listens() -> None:
    async def scene() -> None:
        async with scripted() as address:
            pass
        with pytest.raises(UpstreamFault, match="no connection: ") as caught:
            await get(HttpClient(), address)
        assert caught.value.retry_safe

    run(scene())


@pytest.mark.parametrize(
    ("answer", "sentence", "retry_safe"),
    [
        (b"", "no answer within", True),
        (b"HTTP/1.1 200 OK\r\n", "no answer within", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", "nothing more of the body", False),
    ],
)
def test_patience_ends(answer: bytes, sentence: str, retry_safe: bool) -> None:
    async def scene() -> None:
        client = HttpClient(ClientLimits(head_seconds=0.02, stall_seconds=0.02))
        async with scripted(answer) as address:
            with pytest.raises(UpstreamFault, match=sentence) as caught:
                await get(client, address)
            assert caught.value.retry_safe == retry_safe

    run(scene())


@asynccontextmanager
async def trickling(first: bytes, again: bytes, seconds: float = 0.01) -> AsyncIterator[tuple[str, int]]:
    """A server that answers with `first`, then with `again` for ever."""

    async def make_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        while not writer.is_closing():
            await asyncio.sleep(seconds)
            writer.write(again)

    server = await asyncio.start_server(make_connection, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[:2]
    finally:
        server.close()


@pytest.mark.parametrize(
    ("first", "again", "sentence", "retry_safe"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"y", "no answer within", True),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", "no answer within", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 2", b"0", "no answer within", True),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n5;",
            b"x",
            "nothing more of the body",
            False,
        ),
    ],
)
def test_bytes_that_are_no_progress_buy_no_time(
    first: bytes, again: bytes, sentence: str, retry_safe: bool
) -> None:
    async def scene() -> None:
        client = HttpClient(ClientLimits(head_seconds=0.1, stall_seconds=0.1))
        async with trickling(first, again) as address:
            with pytest.raises(UpstreamFault, match=sentence) as caught:
                await get(client, address)
            assert (caught.value.retry_safe, caught.value.timed_out) == (retry_safe, True)

    run(scene())


def test_interim_responses_are_bounded_in_all() -> None:
    async def scene() -> None:
        interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
        client = HttpClient(ClientLimits(head_bytes_max=40 * len(interim)))
        final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
        async with scripted(interim * 35 + final + b"hi", interim * 40 + final + b"hi") as address:
            assert await get(client, address) == b"hi"
            await client.close()
            with pytest.raises(UpstreamFault, match="head of more than"):
                await get(HttpClient(client.limits), address)

    run(scene())


def test_a_body_that_goes_on_slowly_is_no_stall() -> None:
    async def scene() -> None:
        client = HttpClient(ClientLimits(stall_seconds=0.2))
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"
        async with trickling(head, b"x", 0.03) as address:
            assert await get(client, address) == b"x" * 20

    run(scene())


def test_a_kept_connection_that_was_closed_is_replaced_once() -> None:
    async def scene() -> None:
        accepted = 0

        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            """Answers one request; closes when the second one comes, without a word."""
            nonlocal accepted
            accepted += 1
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!")
            await reader.readuntil(b"\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(once, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()[:2]
        client = HttpClient()
        assert await get(client, address) == b"!"
        async with client.request("GET", address, "/", HOST) as incoming:
            assert (incoming.reused, accepted) == (False, 2)
        await client.close()
        server.close()

    run(scene())


def test_a_connection_that_ends_while_it_is_kept_is_forgotten() -> None:
    async def scene() -> None:
        client = HttpClient()
        async with serving(echo) as listener:
            await get(client, ("127.0.0.1", listener.port))
            assert client._kept
            await listener.drain(1)
            while client._kept:  # noqa: ASYNC110 - the pool tells nobody
                await asyncio.sleep(0)

    run(scene())


def test_kept_connections_are_bounded_in_number_and_time() -> None:
    async def scene() -> None:
        client = HttpClient(ClientLimits(kept_per_address_max=2, kept_seconds=0.02))
        async with serving(echo) as listener:
            address = ("127.0.0.1", listener.port)
            async with (
                client.request("GET", address, "/", HOST) as one,
                client.request("GET", address, "/", HOST) as two,
                client.request("GET", address, "/", HOST) as three,
            ):
                for incoming in (one, two, three):
                    await incoming.read(100)
            assert len(client._kept[address]) == 2
            while client._kept:  # noqa: ASYNC110 - the pool tells nobody
                await asyncio.sleep(0.001)

    run(scene())


def test_leaving_early_closes_the_connection() -> None:
    async def scene() -> None:
        fate: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def endless(exchange: Exchange) -> None:
            exchange.begin(200, {}, None)
            try:
                while True:
                    await exchange.write(bytes(100_000))
            except (ConnectionResetError, asyncio.CancelledError):
                fate.set_result("closed")
                raise

        client = HttpClient()
        async with serving(endless) as listener:
            async with client.request("GET", ("127.0.0.1", listener.port), "/", HOST) as incoming:
                assert await anext(incoming.pieces())
            assert await fate == "closed"
            assert not client._kept

    run(scene())


def test_a_cancelled_request_closes_its_connection() -> None:
    async def scene() -> None:
        asked = asyncio.Event()
        left = asyncio.Event()

        async def silent(exchange: Exchange) -> None:
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                left.set()

        client = HttpClient()
        async with serving(silent) as listener:
            asking = asyncio.ensure_future(get(client, ("127.0.0.1", listener.port)))
            await asked.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            listener.abort()
            await left.wait()
            assert not client._kept

    run(scene())


def test_a_slow_reader_slows_the_upstream_down() -> None:
    async def scene() -> None:
        written = 0

        async def plenty(exchange: Exchange) -> None:
            nonlocal written
            exchange.begin(200, {}, 64_000_000)
            for _ in range(640):
                await exchange.write(bytes(100_000))
                written += 100_000
            exchange.end()

        client = HttpClient(ClientLimits(buffer_bytes=100_000))
        async with serving(plenty) as listener:
            async with client.request("GET", ("127.0.0.1", listener.port), "/", HOST) as incoming:
                before = -1
                while before != written:  # until nothing moves any more
                    before = written
                    await asyncio.sleep(0.05)
                assert written < 32_000_000, "sockets and buffers hold a few megabytes, not the whole"
                assert incoming._connection._buffered < 2_000_000
                assert len(await incoming.read(64_000_000)) == 64_000_000
            await client.close()

    run(scene())


def test_a_body_beyond_the_bound_is_refused() -> None:
    async def scene() -> None:
        client = HttpClient()
        async with (
            scripted(
                b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            ) as address,
        ):
            for _ in range(2):
                with pytest.raises(UpstreamFault, match="more than 4 bytes"):
                    async with client.request("GET", address, "/", HOST) as incoming:
                        await incoming.read(4)
                await client.close()
                client = HttpClient()

    run(scene())


def test_a_request_cannot_be_split_in_two() -> None:
    async def scene() -> None:
        client = HttpClient()
        for target, fields in (
            ("/ HTTP/1.1\r\nx: y", HOST),
            ("/", {"host": "a\r\nx: y"}),
            ("/", {"a b": "c"}),
        ):
            with pytest.raises(ValueError):
                async with client.request("GET", ("127.0.0.1", 9), target, fields):
                    pass

    run(scene())
