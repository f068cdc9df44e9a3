"""One edge, an origin that does as the test says, and a viewer, on loopback sockets and a virtual disk."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from nearcast.cache.disk import Disk
from nearcast.edge.program import Edge, start_edge
from nearcast.model.config import Serving
from nearcast.model.read import parse_config
from nearcast.model.snapshot import EdgeSnapshot, Revision, edge_snapshot
from nearcast.serve.http_client import ClientLimits, HttpClient
from nearcast.serve.http_server import Exchange, HttpListener, listen_http
from nearcast.serve.loop import loop_factory
from nearcast.simulate.world.disk import VirtualDisk
from nearcast.wire.http.cache_status import CacheStatus, parse_cache_status

EDGE = "127.0.0.2"
NOW = 1_700_000_000.0
CACHEABLE = {"cache-control": "max-age=60", "etag": '"v1"', "content-type": "video/mp4"}

SHORT = {"origin_connect_seconds": 1, "origin_head_seconds": 1, "origin_stall_seconds": 1}
CONFIG = """
[cdn]
zone = "cdn.test"
[ports]
http = {http_port}
admin = {admin_port}

[control]
address = "127.0.30.2"

[[routers]]
name = "router"
addresses = ["127.0.30.1"]

[[places]]
name = "Here"
latitude = 0
longitude = 0
[[pops]]
name = "ia"
kind = "isp"
place = "Here"
[[content_servers]]
name = "ia2"
pop = "ia"
addresses = ["127.0.0.2"]
cache_megabytes = {cache_megabytes}
[[distributions]]
name = "movie"
hosts = ["www.movie.test"]
origin = "http://127.0.0.1:{origin_port}"
fresh_seconds_default = 30
stale_if_error_seconds = 100
{more}
"""


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server((EDGE, 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@dataclass
class Answer:
    """What the viewer received."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def cache(self) -> CacheStatus:
        """The edge's own report."""
        return parse_cache_status(self.fields["cache-status"])[-1]


Script = Callable[[Exchange], Coroutine[Any, Any, None] | None]


class Cdn:
    """`pages` says by path how the origin answers; `asked` counts, `requests` keeps what it was asked."""

    edge: Edge
    origin: HttpListener

    def __init__(self) -> None:
        self.now = NOW
        self.lanes = True
        self.pages: dict[str, Script] = {}
        self.asked: Counter[str] = Counter()
        self.requests: list[Any] = []
        self.disk = VirtualDisk(dice=random.Random(1))
        self.viewer = HttpClient(ClientLimits(head_seconds=5, stall_seconds=5))
        self.origin_port, self.http_port, self.admin_port = free_ports(3)

    def snapshot(
        self, number: int = 1, *, more: str = "", cache_megabytes: int = 1, **serving: Any
    ) -> EdgeSnapshot:
        """`serving` are limits of the configuration's; those of the origin are short unless it says so."""
        text = CONFIG.format(
            origin_port=self.origin_port,
            http_port=self.http_port,
            admin_port=self.admin_port,
            more=more,
            cache_megabytes=cache_megabytes,
        )
        limits = Serving.model_validate(SHORT | {"lanes": self.lanes} | serving)
        config = parse_config(text).model_copy(update={"serving": limits})
        return edge_snapshot(Revision(number, config), "ia2")

    async def start(self, **options: Any) -> None:
        await self.start_origin()
        await self.start_edge(**options)

    async def start_origin(self) -> None:
        self.origin = await listen_http(self._answer, "127.0.0.1", self.origin_port, clock=lambda: self.now)

    async def start_edge(
        self,
        *,
        more: str = "",
        disk: Disk | None = None,
        access_log: Callable[[bytes], object] | None = None,
        **options: Any,
    ) -> None:
        """`more` is more of the configuration; `options` are those of `snapshot`."""
        self.edge = await start_edge(
            self.snapshot(more=more.format(origin_port=self.origin_port), **options),
            disk=disk or self.disk,
            clock=lambda: self.now,
            rng=random.Random(1),
            access_log=access_log,
        )

    async def end(self) -> None:
        await self.viewer.close()
        await self.edge.drain(1)
        await self.origin.drain(0)

    def _answer(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        path = exchange.request.path
        self.asked[path] += 1
        self.requests.append(exchange.request)
        if path not in self.pages:
            exchange.respond(404, {})
            return None
        return self.pages[path](exchange)

    # --- the origin's pages ----------------------------------------------------------------------
    def page(self, path: str, body: bytes, status: int = 200, **fields: str) -> None:
        """A plain page; validators are honoured by its ETag."""
        named = CACHEABLE | {name.replace("_", "-"): text for name, text in fields.items()}

        def answer(exchange: Exchange) -> None:
            if status == 200 and exchange.request.fields.get("if-none-match") == named["etag"]:
                exchange.respond(304, named)
            else:
                exchange.respond(status, named, body)

        self.pages[path] = answer

    def slow_page(self, path: str, pieces: list[bytes], **fields: str) -> SlowPage:
        page = SlowPage(pieces, CACHEABLE | {name.replace("_", "-"): text for name, text in fields.items()})
        self.pages[path] = page
        return page

    # --- the viewer -------------------------------------------------------------------------------
    def open(self, target: str, method: str = "GET", viewer: HttpClient | None = None, **fields: str) -> Any:
        named = {"host": "www.movie.test"} | {name.replace("_", "-"): text for name, text in fields.items()}
        return (viewer or self.viewer).request(method, (EDGE, self.http_port), target, named)

    async def get(
        self, target: str, method: str = "GET", viewer: HttpClient | None = None, **fields: str
    ) -> Answer:
        async with self.open(target, method, viewer, **fields) as incoming:
            body = await incoming.read(1 << 30)
            return Answer(incoming.head.status, dict(incoming.head.fields), body)

    async def admin(self, method: str, path: str, order: Any = None) -> Any:
        body = order if isinstance(order, bytes) else b"" if order is None else json.dumps(order).encode()
        address = (EDGE, self.admin_port)
        async with self.viewer.request(method, address, path, {"host": "ia2"}, body) as incoming:
            text = (await incoming.read(1 << 20)).decode()
            if "json" not in incoming.head.fields["content-type"]:
                return text
            return {**json.loads(text), "status": incoming.head.status}


class SlowPage:
    """An answer whose pieces wait for `let`."""

    def __init__(self, pieces: list[bytes], fields: dict[str, str]) -> None:
        self.pieces = pieces
        self.fields = fields
        self.announced = True
        self.begun = asyncio.Event()
        self.gone = asyncio.Event()  # the edge has left
        self._gates = [asyncio.Event() for _ in pieces]
        self._breaks = False

    def let(self, count: int | None = None) -> None:
        """Let the first `count` pieces go (default: all)."""
        for gate in self._gates[:count]:
            gate.set()

    def break_off(self) -> None:
        """Break instead of the next piece."""
        self._breaks = True
        self.let()

    async def __call__(self, exchange: Exchange) -> None:
        length = sum(map(len, self.pieces)) if self.announced else None
        exchange.begin(200, self.fields, length)
        self.begun.set()
        try:
            for piece, gate in zip(self.pieces, self._gates, strict=True):
                await gate.wait()
                if self._breaks:
                    exchange.break_off()
                    return
                await exchange.write(piece)
            exchange.end()
        finally:
            if not exchange.answered:
                self.gone.set()


Story = Callable[[Cdn], Awaitable[None]]


@pytest.fixture(params=[True, False], ids=["lanes", "no lanes"])
def play(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Runs a story with a CDN; whatever a loop would only log fails the test.

    Every story runs with the quick ways to an answer and without them: they must not show.
    """

    def run(story: Story, **options: Any) -> None:
        complaints: list[dict[str, Any]] = []

        async def whole() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
            async with asyncio.timeout(20):
                cdn = Cdn()
                cdn.lanes = request.param
                await cdn.start(**options)
                try:
                    await story(cdn)
                finally:
                    await cdn.end()

        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(whole())
        assert not complaints

    return run
