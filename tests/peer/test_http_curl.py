"""curl as our peer: what it asks for, it must get."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from nearcast.origin.program import Origin, start_origin
from nearcast.serve.http_server import Exchange, listen_http
from nearcast.serve.loop import run

pytestmark = pytest.mark.peer("curl")

FILM = bytes(range(251)) * 8000


async def curl(*arguments: str) -> str:
    """What curl prints; its exit status must be 0."""
    process = await asyncio.create_subprocess_exec(
        "curl", "--silent", "--show-error", "--max-time", "20", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode("latin-1")


def with_origin(folder: Path, scene: Callable[[str, Origin], Awaitable[None]]) -> None:
    async def play() -> None:
        (folder / "film.mp4").write_bytes(FILM)
        (folder / "small.json").write_bytes(b"{}")
        origin = await start_origin(folder, "127.0.0.1", 0, clock=lambda: 784111777.0)
        try:
            await scene(f"http://127.0.0.1:{origin.port}", origin)
        finally:
            await origin.drain(1)

    run(play())


def test_a_film_arrives_whole(tmp_path: Path) -> None:
    async def scene(url: str, origin: Origin) -> None:
        out = tmp_path / "out"
        for option in ("--http1.1", "--http1.0"):
            printed = await curl(
                option, "-o", str(out), "-w", "%{http_code} %{http_version}", f"{url}/film.mp4"
            )
            assert printed == "200 1.1"
            assert hashlib.sha256(out.read_bytes()).digest() == hashlib.sha256(FILM).digest()

    with_origin(tmp_path, scene)


def test_ranges_and_resume(tmp_path: Path) -> None:
    async def scene(url: str, origin: Origin) -> None:
        out = tmp_path / "out"
        assert (
            await curl("-r", "251-255", "-w", "%{http_code}", f"{url}/film.mp4") == "\x00\x01\x02\x03\x04206"
        )
        out.write_bytes(FILM[:1_234_567])
        assert await curl("-C", "-", "-o", str(out), "-w", "%{http_code}", f"{url}/film.mp4") == "206"
        assert out.read_bytes() == FILM
        printed = await curl("-r", "9999999-", "-o", "/dev/null", "-w", "%{http_code}", f"{url}/film.mp4")
        assert printed == "416"

    with_origin(tmp_path, scene)


def test_heads_and_conditions(tmp_path: Path) -> None:
    async def scene(url: str, origin: Origin) -> None:
        head = (await curl("--head", f"{url}/film.mp4")).lower()
        assert head.startswith("http/1.1 200 ok\r\n") and f"content-length: {len(FILM)}\r\n" in head
        tag, code, out = tmp_path / "tag", ("-w", "%{http_code}"), tmp_path / "out"
        assert await curl("--etag-save", str(tag), *code, f"{url}/small.json") == "{}200"
        assert await curl("--etag-compare", str(tag), *code, f"{url}/small.json") == "304"
        assert await curl("-R", "-o", str(out), *code, f"{url}/small.json") == "200"
        assert await curl("-z", str(out), *code, f"{url}/small.json") == "304"

    with_origin(tmp_path, scene)


def test_one_connection_for_many_requests(tmp_path: Path) -> None:
    async def scene(url: str, origin: Origin) -> None:
        printed = await curl("-w", "%{num_connects} ", *[f"{url}/small.json"] * 5)
        assert printed == "{}1 {}0 {}0 {}0 {}0 "
        assert origin.listener.counters.accepted_total == 1

    with_origin(tmp_path, scene)


def test_paths_are_taken_as_they_are(tmp_path: Path) -> None:
    async def scene(url: str, origin: Origin) -> None:
        for path in (
            "/../../etc/passwd",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/..%2f..%2fetc/passwd",
            "//etc/passwd",
        ):
            printed = await curl("--path-as-is", "-o", "/dev/null", "-w", "%{http_code}", url + path)
            assert printed == "404", path

    with_origin(tmp_path, scene)


async def upload(exchange: Exchange) -> None:
    exchange.begin(200, {"x-method": exchange.request.method}, None)
    await exchange.write(hashlib.sha256(exchange.body).hexdigest().encode())
    exchange.end()


def test_uploads(tmp_path: Path) -> None:
    async def scene() -> None:
        listener = await listen_http(upload, "127.0.0.1", 0, clock=lambda: 784111777.0)
        url, file = f"http://127.0.0.1:{listener.port}/", tmp_path / "body"
        body = FILM[:1_000_000]
        file.write_bytes(body)
        digest = hashlib.sha256(body).hexdigest()
        assert await curl("-T", str(file), url) == digest  # Expect: 100-continue
        assert await curl("-T", str(file), "-H", "Transfer-Encoding: chunked", url) == digest
        assert await curl("--data-binary", f"@{file}", "-H", "Expect:", url) == digest
        file.write_bytes(FILM)
        for option in (["-H", "Expect:"], ["-H", "Transfer-Encoding: chunked"]):
            printed = await curl("-T", str(file), *option, "-o", "/dev/null", "-w", "%{http_code}", url)
            assert printed == "413", "the answer survives, although curl is still sending"
        await listener.drain(1)

    run(scene())
