"""The uppercase server on real sockets: both transports at once, cut and joined lines, quiet, drain."""

from __future__ import annotations

import asyncio
import errno
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from nearcast.serve.limits import StreamLimits
from nearcast.serve.loop import run
from nearcast.uppercase.server import Uppercase, UppercaseLimits, start_uppercase

HERE = "127.0.0.1"

LECTURE_UDP = """
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.sendto(sys.argv[3].encode(), (sys.argv[1], int(sys.argv[2])))
modified, server = client.recvfrom(2048)
print(modified.decode())
"""

LECTURE_TCP = """
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect((sys.argv[1], int(sys.argv[2])))
client.send(sys.argv[3].encode())
print(client.recv(1024).decode())
"""


def serving(
    play: Callable[[Uppercase], Coroutine[Any, Any, None]],
    limits: UppercaseLimits | None = None,
    address: str = HERE,
) -> None:
    async def main() -> None:
        server = await start_uppercase(address, 0, limits)
        async with asyncio.timeout(20):
            await play(server)
        await server.drain(1)

    run(main())


async def talk(server: Uppercase, *pieces: bytes, address: str = HERE) -> bytes:
    """Send `pieces`, half-close, and read to the end."""
    reader, writer = await asyncio.open_connection(address, server.port)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0)
    writer.write_eof()
    octets = await reader.read()
    writer.close()
    return octets


@pytest.mark.parametrize("program", [LECTURE_UDP, LECTURE_TCP], ids=["udp", "tcp"])
def test_a_plain_client_without_newline_gets_its_answer(program: str) -> None:
    async def play(server: Uppercase) -> None:
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, HERE, str(server.port), "hello, world", stdout=subprocess.PIPE
        )
        output, _ = await client.communicate()
        assert output == b"HELLO, WORLD\n"

    serving(play)


def test_udp_and_tcp_share_address_and_port() -> None:
    async def play(server: Uppercase) -> None:
        assert server.stream.port == server.datagrams.port == server.port
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.connect((HERE, server.port))
            sock.setblocking(False)
            sock.send("straße".encode())
            assert await asyncio.get_running_loop().sock_recv(sock, 99) == b"STRASSE"
        assert await talk(server, "straße\n".encode()) == b"STRASSE\n"

    serving(play)


def test_half_close_answers_what_is_there() -> None:
    async def play(server: Uppercase) -> None:
        assert await talk(server, b"one\ntw", b"o\nthr", b"ee") == b"ONE\nTWO\nTHREE"

    serving(play)


def test_after_quiet_a_cut_character_waits_for_its_rest() -> None:
    async def play(server: Uppercase) -> None:
        reader, writer = await asyncio.open_connection(HERE, server.port)
        writer.write(b"caf\xc3")
        assert await reader.readexactly(3) == b"CAF"
        writer.write(b"\xa9\n")
        assert await reader.readline() == "É\n".encode()
        writer.close()

    serving(play, UppercaseLimits(quiet_seconds=0.02))


def test_a_line_too_long_and_one_that_is_not_utf8_get_sentences_and_the_connection_lives() -> None:
    async def play(server: Uppercase) -> None:
        too_long, not_utf8, good = (await talk(server, b"x" * 100 + b"\n\xff\ngood\n")).splitlines()
        assert too_long == b"error: a line has up to 64 octets; its rest is skipped"
        assert not_utf8 == b"error: this is not UTF-8: octet 0xff at offset 0"
        assert good == b"GOOD"

    serving(play, UppercaseLimits(line_bytes_max=64))


def test_many_clients_at_once_each_get_their_own() -> None:
    async def play(server: Uppercase) -> None:
        replies = await asyncio.gather(*[talk(server, b"client %d\n" % number) for number in range(200)])
        assert replies == [b"CLIENT %d\n" % number for number in range(200)]

    serving(play)


def test_a_slow_reader_costs_bounded_memory_and_gets_everything() -> None:
    async def play(server: Uppercase) -> None:
        loop = asyncio.get_running_loop()
        sock = socket.socket()
        sock.setblocking(False)
        await loop.sock_connect(sock, (HERE, server.port))
        line = b"x" * 1023 + b"\n"
        sent = 0
        while True:  # until nothing moves any more
            try:
                sent += await asyncio.wait_for(_send_once(loop, sock, line * 64), 0.2)
            except TimeoutError:
                break
        (connection,) = server.stream.connections
        assert not connection.peer_reads
        assert connection.transport.get_write_buffer_size() < 4 * 1024 * 1024
        got = 0
        while got < sent // 1024 * 1024:
            got += len(await loop.sock_recv(sock, 1024 * 1024))
        sock.close()

    serving(play)


async def _send_once(loop: asyncio.AbstractEventLoop, sock: socket.socket, octets: bytes) -> int:
    while True:
        try:
            return sock.send(octets)
        except BlockingIOError:
            await asyncio.sleep(0.005)


def test_an_idle_client_is_closed() -> None:
    async def play(server: Uppercase) -> None:
        reader, writer = await asyncio.open_connection(HERE, server.port)
        assert await reader.read() == b""
        writer.close()

    serving(play, UppercaseLimits(stream=StreamLimits(idle_seconds=0.05)))


def test_drain_answers_a_line_that_has_begun_and_closes() -> None:
    async def play(server: Uppercase) -> None:
        reader, writer = await asyncio.open_connection(HERE, server.port)
        writer.write(b"one\ntwo")
        assert await reader.readline() == b"ONE\n"
        await server.drain(5)
        assert await reader.read() == b"TWO"
        writer.close()

    serving(play, UppercaseLimits(quiet_seconds=60))


def test_a_taken_port_is_an_oserror_on_either_transport() -> None:
    async def play(server: Uppercase) -> None:
        with pytest.raises(OSError) as caught:
            await start_uppercase(HERE, server.port)
        assert caught.value.errno == errno.EADDRINUSE
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind((HERE, 0))
            with pytest.raises(OSError) as caught:
                await start_uppercase(HERE, sock.getsockname()[1])
            assert caught.value.errno == errno.EADDRINUSE

    serving(play)


def test_ipv6() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on this machine")

    async def play(server: Uppercase) -> None:
        assert await talk(server, b"hello\n", address="::1") == b"HELLO\n"

    serving(play, address="::1")
