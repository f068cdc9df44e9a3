"""curl as viewer: an edge in front of an origin, by other people's reading of HTTP."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from nearcast.cache.disk import PosixDisk
from nearcast.edge.program import start_edge
from nearcast.model.read import parse_config
from nearcast.model.snapshot import Revision, edge_snapshot
from nearcast.serve.http_server import Exchange, listen_http
from nearcast.serve.loop import loop_factory

pytestmark = pytest.mark.peer("curl")

NOW = 1_700_000_000.0
BODY = bytes(range(256)) * 12_000  # 3 MB
DEMO = Path(__file__).parents[2] / "examples" / "demo.toml"

Curl = Callable[..., Awaitable[tuple[dict[str, str], bytes]]]


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.2", 0)) for _ in range(count)]
    ports: list[int] = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def play(folder: Path, story: Callable[[Curl, int], Awaitable[None]]) -> None:
    """Run `story` with a curl whose viewer knows www.movie.test at the edge's address."""
    http_port, admin_port, origin_port = free_ports(3)
    text = DEMO.read_text()
    for old, new in (("127.0.51.2", "127.0.0.2"), ("127.0.40.1", "127.0.0.3")):
        text = text.replace(old, new)
    text = text.replace("http = 8080", f"http = {http_port}")
    text = text.replace("admin = 8081", f"admin = {admin_port}")
    snapshot = edge_snapshot(
        Revision(1, parse_config(text.replace("127.0.0.3:8080", f"127.0.0.3:{origin_port}"))), "ia2"
    )

    def origin(exchange: Exchange) -> None:
        exchange.respond(200, {"cache-control": "max-age=60", "etag": '"v1"'}, BODY)

    async def curl(path: str, *more: str) -> tuple[dict[str, str], bytes]:
        told, body = folder / "told", folder / "body"
        body.unlink(missing_ok=True)
        process = await asyncio.create_subprocess_exec(
            *("curl", "--silent", "--show-error", "--max-time", "20", "--dump-header", str(told)),
            *("--resolve", f"www.movie.test:{http_port}:127.0.0.2", "--output", str(body), *more),
            f"http://www.movie.test:{http_port}{path}",
        )
        assert await process.wait() == 0
        line, *lines = told.read_text().strip().splitlines()
        fields = dict(line.lower().split(": ", 1) for line in lines)
        return fields | {"status": line.split()[1]}, body.read_bytes() if body.exists() else b""

    async def whole() -> None:
        listener = await listen_http(origin, "127.0.0.3", origin_port, clock=lambda: NOW)
        disk = PosixDisk(folder / "store")
        edge = await start_edge(snapshot, disk=disk, clock=lambda: NOW, rng=random.Random(1))
        try:
            async with asyncio.timeout(60):
                await story(curl, admin_port)
        finally:
            await edge.drain(1)
            await listener.drain(0)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(whole())


def test_miss_hit_range_and_condition(tmp_path: Path) -> None:
    async def story(curl: Curl, admin_port: int) -> None:
        fields, body = await curl("/a")
        assert (fields["status"], body == BODY) == ("200", True)
        assert fields["cache-status"] == "ia2.cdn.test; fwd=miss; fwd-status=200; stored"
        fields, body = await curl("/a")
        assert (fields["cache-status"], body == BODY) == ("ia2.cdn.test; hit; ttl=60", True)
        fields, body = await curl("/a", "--range", "1000-1999")
        assert (fields["status"], body == BODY[1000:2000]) == ("206", True)
        fields, body = await curl("/a", "--header", 'If-None-Match: "v1"')
        assert (fields["status"], body) == ("304", b"")
        fields, body = await curl("/a", "--head")
        assert (fields["content-length"], fields["age"]) == (str(len(BODY)), "0")

    play(tmp_path, story)


def test_a_download_is_resumed(tmp_path: Path) -> None:
    async def story(curl: Curl, admin_port: int) -> None:
        fields, body = await curl("/a", "--continue-at", "1000000")
        assert (fields["status"], body == BODY[1_000_000:]) == ("206", True)

    play(tmp_path, story)


def test_administration(tmp_path: Path) -> None:
    async def story(curl: Curl, admin_port: int) -> None:
        order = json.dumps({"site": "movie", "targets": ["/a"]})
        url = f"http://127.0.0.2:{admin_port}"
        process = await asyncio.create_subprocess_exec(
            *("curl", "--silent", "--data", order, f"{url}/warm", "--next", "--silent", f"{url}/stats"),
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await process.communicate()
        warmed, stats = map(json.loads, told.decode().splitlines())
        assert warmed == {"warmed": 1, "already": 0, "failed": []}
        assert (stats["objects"], stats["bytes_filled"]) == (1, len(BODY))

    play(tmp_path, story)
