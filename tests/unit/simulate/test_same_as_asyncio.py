"""Connections on asyncio's own loop over loopback and in the virtual world: one transcript."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from nearcast.simulate.world.world import World

Transcript = list[Any]
Connection = Callable[[Transcript], Awaitable[None]]
ADDRESS = "127.0.0.1"


class Script(asyncio.Protocol):
    """Writes down what happens to it, and lets the test act."""

    def __init__(self, name: str, said: Transcript, keep_open: bool = True) -> None:
        self.name, self.said, self.keep_open = name, said, keep_open
        self.octets = b""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.said.append(f"{self.name} made")

    def data_received(self, data: bytes) -> None:
        self.octets += data

    def eof_received(self) -> bool:
        self.said.append(f"{self.name} eof after {self.octets!r}")
        if not self.ended.done():
            self.ended.set_result(None)
        return self.keep_open

    def connection_lost(self, exc: Exception | None) -> None:
        self.said.append(f"{self.name} lost {type(exc).__name__}")
        self.over.set_result(None)


async def pair(said: Transcript, **kept: bool) -> tuple[Any, Script, Script]:
    """A server with one connection: the server, the client's script, the accepted script."""
    loop = asyncio.get_running_loop()
    accepted: asyncio.Future[Script] = loop.create_future()

    def accept() -> Script:
        script = Script("server", said, kept.get("server", True))
        accepted.set_result(script)
        return script

    server = await loop.create_server(accept, ADDRESS, 0)
    port = server.sockets[0].getsockname()[1]
    _, client = await loop.create_connection(
        lambda: Script("client", said, kept.get("client", True)), ADDRESS, port
    )
    far = await accepted
    said.clear()
    return server, client, far


async def client_closes(said: Transcript) -> None:
    server, client, far = await pair(said, server=False)
    client.transport.write(b"last words")
    client.transport.close()
    assert client.transport.is_closing()
    await client.over
    await far.over
    server.close()


async def half_close(said: Transcript) -> None:
    server, client, far = await pair(said)
    client.transport.write(b"question")
    client.transport.write_eof()
    await far.ended
    far.transport.write(b"answer")
    far.transport.close()
    await client.ended
    client.transport.close()
    await client.over
    said.append(client.octets)
    server.close()


async def write_after_eof_is_refused(said: Transcript) -> None:
    server, client, far = await pair(said)
    client.transport.write_eof()
    try:
        client.transport.write(b"more")
    except RuntimeError as exc:
        said.append(str(exc))
    client.transport.abort()
    far.transport.abort()
    await client.over
    server.close()


async def abort_is_seen_as_an_end(said: Transcript) -> None:
    server, client, far = await pair(said, server=False)
    client.transport.abort()
    await far.over
    await client.over
    said.sort()
    server.close()


async def abort_without_lingering_resets(said: Transcript) -> None:
    server, client, far = await pair(said)
    discard = struct.pack("ii", 1, 0)
    client.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, discard)
    client.transport.abort()
    await far.over
    await client.over
    said.sort()
    server.close()


async def close_with_unread_bytes_resets(said: Transcript) -> None:
    server, client, far = await pair(said)
    far.transport.pause_reading()
    client.transport.write(b"nobody reads this")
    await asyncio.sleep(0.05)
    far.transport.close()
    await client.over
    said.append(client.octets)
    server.close()


async def writing_to_a_closed_peer_resets(said: Transcript) -> None:
    server, client, far = await pair(said)
    far.transport.close()
    await client.ended
    await far.over
    client.transport.write(b"are you there?")  # answered with a reset, which nobody sees ...
    await asyncio.sleep(0.05)
    assert not client.over.done()
    client.transport.write(b"hello?")  # ... until the next write
    await client.over
    server.close()


async def a_reset_waits_behind_unread_bytes(said: Transcript) -> None:
    server, client, far = await pair(said)
    far.transport.pause_reading()
    client.transport.pause_reading()
    client.transport.write(b"read me first")
    far.transport.write(b"nobody reads this")
    await asyncio.sleep(0.05)
    client.transport.abort()
    await client.over
    await asyncio.sleep(0.05)
    assert not far.over.done()
    far.transport.resume_reading()
    await far.over
    said.append(far.octets)
    server.close()


async def a_failing_protocol_loses_its_connection(said: Transcript) -> None:
    server, client, far = await pair(said, client=False)
    asyncio.get_running_loop().set_exception_handler(lambda loop, told: said.append(told["message"]))

    def fail(data: bytes) -> None:
        raise ZeroDivisionError

    far.data_received = fail  # type: ignore[method-assign]
    client.transport.write(b"x")
    await far.over
    await client.over
    said.sort()
    server.close()


async def refused(said: Transcript) -> None:
    server, client, _ = await pair(said)
    port = server.sockets[0].getsockname()[1]
    server.close()
    client.transport.abort()
    await client.over
    said.clear()
    try:
        await asyncio.open_connection(ADDRESS, port)
    except OSError as exc:
        said.append((type(exc).__name__, exc.errno))


async def bind_conflict(said: Transcript) -> None:
    server = await asyncio.start_server(lambda r, w: None, ADDRESS, 0)
    port = server.sockets[0].getsockname()[1]
    for address in (ADDRESS, "0.0.0.0", "127.9.9.9", "192.0.2.1"):
        try:
            other = await asyncio.start_server(lambda r, w: None, address, port)
            said.append((address, "bound"))
            other.close()
        except OSError as exc:
            # asyncio of Python 3.13 raises a foreign address without its errno.
            said.append((address, exc.errno or errno.EADDRNOTAVAIL))
    server.close()


async def names_of_both_ends(said: Transcript) -> None:
    server, client, far = await pair(said)
    assert client.transport.get_extra_info("peername") == far.transport.get_extra_info("sockname")
    assert client.transport.get_extra_info("sockname") == far.transport.get_extra_info("peername")
    assert far.transport.get_extra_info("socket").getsockname() == server.sockets[0].getsockname()
    said.append(client.transport.get_extra_info("peername")[0])
    said.append(client.transport.get_extra_info("cipher", "plain"))
    client.transport.abort()
    far.transport.abort()
    await client.over
    server.close()


async def streams_of_lines(said: Transcript) -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(shout, ADDRESS, 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    for word in ("one\n", "two\n"):
        writer.write(word.encode())
        said.append(await reader.readline())
    writer.write_eof()
    said.append(await reader.read())
    writer.close()
    await writer.wait_closed()
    server.close()


async def streams_of_many_bytes(said: Transcript) -> None:
    body = bytes(range(256)) * 8192

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, ADDRESS, 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    said.append(await reader.read() == body)
    writer.close()
    server.close()


async def buffered_protocols(said: Transcript) -> None:
    loop = asyncio.get_running_loop()
    over = loop.create_future()

    class Filled(asyncio.BufferedProtocol):
        buffer = bytearray(4)

        def get_buffer(self, sizehint: int) -> bytearray:
            return self.buffer

        def buffer_updated(self, nbytes: int) -> None:
            said.append(bytes(self.buffer[:nbytes]))

        def eof_received(self) -> None:
            said.append("eof")

        def connection_lost(self, exc: Exception | None) -> None:
            over.set_result(None)

    server = await loop.create_server(Filled, ADDRESS, 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(memoryview(b"abcdefghij"))
    writer.close()
    await over
    server.close()


async def datagrams(said: Transcript) -> None:
    loop = asyncio.get_running_loop()
    heard: asyncio.Queue[Any] = asyncio.Queue()

    class Room(asyncio.DatagramProtocol):
        def __init__(self, name: str) -> None:
            self.name = name

        def datagram_received(self, data: bytes, addr: Any) -> None:
            heard.put_nowait((self.name, data, addr[0]))

        def error_received(self, exc: Exception) -> None:
            heard.put_nowait((self.name, type(exc).__name__))

        def connection_lost(self, exc: Exception | None) -> None:
            heard.put_nowait((self.name, "lost"))

    one, _ = await loop.create_datagram_endpoint(lambda: Room("one"), local_addr=(ADDRESS, 0))
    two, _ = await loop.create_datagram_endpoint(
        lambda: Room("two"), remote_addr=one.get_extra_info("sockname")
    )
    two.sendto(b"hello")
    said.append(await heard.get())
    one.sendto(b"and you", two.get_extra_info("sockname"))
    said.append(await heard.get())
    assert two.get_extra_info("peername") == one.get_extra_info("sockname")
    one.sendto(b"x" * 70_000, two.get_extra_info("sockname"))
    said.append(await heard.get())
    one.close()
    said.append(await heard.get())
    two.sendto(b"still there?")
    said.append(await heard.get())
    two.close()


async def many_tasks(said: Transcript) -> None:
    async def step(name: str, seconds: float) -> str:
        await asyncio.sleep(seconds)
        said.append(name)
        return name

    async with asyncio.TaskGroup() as group:
        late = group.create_task(step("late", 0.06))
        group.create_task(step("early", 0.02))
    said.append(late.result())
    try:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
    except TimeoutError:
        said.append("timeout")
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(60))
            group.create_task(asyncio.to_thread(lambda: 1 / 0))
    except* ZeroDivisionError:
        said.append("group failed")
    said.append(await asyncio.get_running_loop().run_in_executor(None, divmod, 7, 2))


CONVERSATIONS: list[Connection] = [
    many_tasks,
    streams_of_lines,
    streams_of_many_bytes,
    names_of_both_ends,
    refused,
    bind_conflict,
    client_closes,
    half_close,
    write_after_eof_is_refused,
    abort_is_seen_as_an_end,
    abort_without_lingering_resets,
    close_with_unread_bytes_resets,
    writing_to_a_closed_peer_resets,
    a_reset_waits_behind_unread_bytes,
    a_failing_protocol_loses_its_connection,
    buffered_protocols,
    datagrams,
]


@pytest.mark.parametrize("connection", CONVERSATIONS, ids=lambda each: each.__name__)
def test_the_transcript_is_that_of_asyncio(connection: Connection) -> None:
    real: Transcript = []
    virtual: Transcript = []
    asyncio.run(connection(real))  # type: ignore[arg-type]
    World(1).run(connection(virtual))  # type: ignore[arg-type]
    assert virtual == real
    assert real
