"""Descriptors: what a process may open, and that viewers who take it all silence nobody."""

from __future__ import annotations

import asyncio
import gc
import mmap
import os
import resource
import socket
import subprocess
import sys
import weakref
from contextvars import copy_context
from pathlib import Path

import pytest

from nearcast.serve.descriptors import allow_connections, connections_possible, raise_limit
from nearcast.serve.http_client import HttpClient
from nearcast.serve.http_server import Exchange, listen_http

HERE = "127.0.0.1"


def test_a_listener_takes_a_quarter_of_what_the_process_may_open() -> None:
    def inside() -> tuple[int, int]:
        allow_connections(1024)
        return connections_possible(10_000), connections_possible(100)

    assert copy_context().run(inside) == (256, 100)
    assert connections_possible(10_000) == 10_000, "only the programs of a real process are bounded so"


PROGRAM = """
import asyncio, os, resource, sys, time
from nearcast.serve.http_server import listen_http
from nearcast.serve.loop import run
from nearcast.serve.program import Group
from nearcast.serve.worker import run_program

resource.setrlimit(resource.RLIMIT_NOFILE, (64, int(sys.argv[1])))

async def start():
    def page(exchange): exchange.respond(200, {}, b"hi")
    viewers = await listen_http(page, "127.0.0.1", 0, clock=time.time)
    admin = await listen_http(page, "127.0.0.1", 0, clock=time.time)
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    print(soft, viewers.connections_max, viewers.port, admin.port, flush=True)
    return Group(viewers, admin)

run_program(start)
"""


def asked(port: int, address: str) -> bytes:
    """What a newcomer gets."""
    with socket.create_connection((HERE, port), timeout=5, source_address=(address, 0)) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: peer.recv(1000), b""))


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_idle_peers_beyond_every_limit_silence_neither_viewers_nor_administration(loop: str) -> None:
    environment = {**os.environ, "NEARCAST_LOOP": loop}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "200"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=environment,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        soft, connections_max, viewers, admin = map(int, process.stdout.readline().split())
        assert (soft, connections_max) == (200, 50)
        idle = [socket.create_connection((HERE, viewers), timeout=5) for _ in range(400)]
        for each in idle:
            each.setblocking(False)
        assert asked(admin, "127.0.0.8").endswith(b"hi")
        assert asked(viewers, "127.0.0.9").endswith(b"hi")
        process.terminate()
        said = process.stderr.read()
        for each in idle:
            each.close()
    assert said == "", "and nothing is complained of"


def test_the_limit_is_raised_as_far_as_it_goes() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, before[1]))
        raised = raise_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == raised >= 128
        assert raised == before[1] or before[1] == resource.RLIM_INFINITY
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Mapped:
    """A body that knows when it is let go."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self.octets = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


@pytest.mark.parametrize("how", ["reset", "closed", "server resets"])
def test_what_an_answer_held_is_let_go_when_its_viewer_leaves(run_on, tmp_path: Path, how: str) -> None:
    """Without the cyclic collector: it may not run for minutes."""
    path = tmp_path / "film"
    path.write_bytes(bytes(32 * 1024 * 1024))
    held: list[weakref.ref[object]] = []

    def mapped() -> int:
        return Path("/proc/self/maps").read_text().count(str(path))

    async def film(exchange: Exchange) -> None:
        body = Mapped(path)
        held.extend([weakref.ref(body), weakref.ref(asyncio.current_task())])
        exchange.begin(200, {}, len(body.octets))
        for start in range(0, len(body.octets), 256 * 1024):
            await exchange.write(body.octets[start : start + 256 * 1024])
        exchange.end()

    async def scene() -> None:
        listener = await listen_http(film, HERE, 0, clock=lambda: 0.0)
        client = HttpClient()
        async with client.request("GET", (HERE, listener.port), "/", {"host": "a"}) as incoming:
            assert await anext(aiter(incoming.pieces()))
            assert mapped() == 1
            if how == "server resets":
                listener.abort()
            elif how == "closed":
                incoming._connection._transport.close()  # type: ignore[union-attr]
        while listener.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        for _ in range(10):
            await asyncio.sleep(0)
        assert [each() for each in held] == [None, None]
        assert mapped() == 0
        await client.close()
        await listener.drain(1)

    gc.collect()
    gc.disable()
    try:
        run_on(scene())
    finally:
        gc.enable()
