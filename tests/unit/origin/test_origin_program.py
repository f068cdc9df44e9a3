"""The origin, asked over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from nearcast.origin.content import MemorySource, content_tag
from nearcast.origin.media import FOREVER, SHORT, MediaType
from nearcast.origin.program import PIECE_BYTES, Origin, start_origin
from nearcast.serve.http_client import HttpClient
from nearcast.serve.loop import run

THEN = 784111777.0
SEGMENT = bytes(range(256)) * 4
FILM = bytes(range(251)) * (4 * PIECE_BYTES // 251)
TITLES = {
    "clock/manifest.mpd": b"<MPD/>",
    "clock/master.m3u8": b"#EXTM3U",
    "clock/title.json": b"{}",
    "clock/720p/1.m4s": SEGMENT,
    "clock/720p.mp4": FILM,
    "clock/empty.txt": b"",
    "clock/strange": b"?",
}
PAGES = {"watch.html": b"<html>", "player.js": b"'use strict'"}


class Answer(NamedTuple):
    status: int
    fields: Mapping[str, str]
    body: bytes


Ask = Callable[..., Awaitable[Answer]]


def asked(scene: Callable[[Ask, Origin], Awaitable[None]]) -> None:
    """Play `scene` with an origin of TITLES and PAGES."""

    async def play() -> None:
        origin = await start_origin(
            MemorySource(TITLES, THEN),
            "127.0.0.1",
            0,
            clock=lambda: THEN + 100,
            pages=MemorySource(PAGES, THEN),
        )
        client = HttpClient()

        async def ask(target: str, method: str = "GET", **fields: str) -> Answer:
            sent = {"host": "a", **{name.replace("_", "-"): value for name, value in fields.items()}}
            async with client.request(method, ("127.0.0.1", origin.port), target, sent) as incoming:
                return Answer(incoming.head.status, incoming.head.fields, await incoming.read(10**8))

        try:
            await scene(ask, origin)
            assert origin.listener.counters.crashes_total == 0
        finally:
            await client.close()
            await origin.drain(1)

    run(play())


@pytest.mark.parametrize(
    ("target", "body", "media_type", "cache_control"),
    [
        ("/clock/manifest.mpd", b"<MPD/>", "application/dash+xml", SHORT),
        ("/clock/master.m3u8", b"#EXTM3U", "application/vnd.apple.mpegurl", SHORT),
        ("/clock/title.json", b"{}", "application/json", SHORT),
        ("/clock/720p/1.m4s", SEGMENT, "video/iso.segment", FOREVER),
        ("/clock/720p.mp4?x=y", FILM, "video/mp4", FOREVER),
        ("/clock/%37%32%30p.mp4", FILM, "video/mp4", FOREVER),
        ("/clock/empty.txt", b"", "text/plain; charset=utf-8", "public, max-age=60"),
        ("/clock/strange", b"?", "application/octet-stream", "public, max-age=60"),
        ("/player/player.js", b"'use strict'", "text/javascript; charset=utf-8", "public, max-age=60"),
        ("/watch/clock", b"<html>", "text/html; charset=utf-8", SHORT),
    ],
)
def test_what_is_there_is_served_whole(target: str, body: bytes, media_type: str, cache_control: str) -> None:
    async def scene(ask: Ask, origin: Origin) -> None:
        answer = await ask(target)
        assert (answer.status, answer.body) == (200, body)
        assert answer.fields["content-type"] == media_type
        assert answer.fields["cache-control"] == cache_control
        assert answer.fields["content-length"] == str(len(body))
        assert answer.fields["etag"] == content_tag(body)
        assert answer.fields["last-modified"] == "Sun, 06 Nov 1994 08:49:37 GMT"
        assert answer.fields["accept-ranges"] == "bytes"
        assert answer.fields["access-control-allow-origin"] == "*"
        head = await ask(target, "HEAD")
        assert head == answer._replace(body=b"")

    asked(scene)


@pytest.mark.parametrize(
    "target",
    ["/", "/clock/manifest.mpd/", "/clock/../clock/manifest.mpd", "/clock//manifest.mpd",
     "/clock%2fmanifest.mpd", "/watch/a/b", "/watch.html", "/player.js", "/player/", "/%", "/%ff"],
)  # fmt: skip
def test_what_is_not_there(target: str) -> None:
    async def scene(ask: Ask, origin: Origin) -> None:
        answer = await ask(target)
        assert answer.status == 404
        assert answer.fields["access-control-allow-origin"] == "*"
        assert origin.fetches_total == 0

    asked(scene)


@pytest.mark.parametrize(
    ("field", "status", "body", "content_range"),
    [
        ("bytes=0-3", 206, SEGMENT[:4], "bytes 0-3/1024"),
        ("bytes=1000-", 206, SEGMENT[1000:], "bytes 1000-1023/1024"),
        ("bytes=-4", 206, SEGMENT[-4:], "bytes 1020-1023/1024"),
        ("bytes=0-9999", 206, SEGMENT, "bytes 0-1023/1024"),
        ("bytes=1024-", 416, b"The range lies outside the object.\n", "bytes */1024"),
        ("bytes=0-1,3-4", 200, SEGMENT, None),
        ("lines=1-2", 200, SEGMENT, None),
    ],
)
def test_ranges(field: str, status: int, body: bytes, content_range: str | None) -> None:
    async def scene(ask: Ask, origin: Origin) -> None:
        answer = await ask("/clock/720p/1.m4s", range=field)
        assert (answer.status, answer.body) == (status, body)
        assert answer.fields.get("content-range") == content_range
        assert (await ask("/clock/720p/1.m4s", "HEAD", range=field)).status == 200

    asked(scene)


def test_a_long_range_comes_in_slices() -> None:
    async def scene(ask: Ask, origin: Origin) -> None:
        answer = await ask("/clock/720p.mp4", range=f"bytes=10-{2 * PIECE_BYTES + 20}")
        assert (answer.status, answer.body) == (206, FILM[10 : 2 * PIECE_BYTES + 21])

    asked(scene)


def test_conditions() -> None:
    async def scene(ask: Ask, origin: Origin) -> None:
        target, tag = "/clock/720p/1.m4s", content_tag(SEGMENT)
        unmodified = await ask(target, if_none_match=f'"x", W/{tag}', range="bytes=0-3")
        assert (unmodified.status, unmodified.body, unmodified.fields["etag"]) == (304, b"", tag)
        assert unmodified.fields["cache-control"] == FOREVER
        assert (await ask(target, if_none_match='"x"')).status == 200
        assert (await ask(target, if_modified_since="Sun, 06 Nov 1994 08:49:37 GMT")).status == 304
        assert (await ask(target, if_modified_since="Sun, 06 Nov 1994 08:49:36 GMT")).status == 200
        assert (await ask(target, if_match='"x"')).status == 412
        assert (await ask(target, if_range=tag, range="bytes=0-3")).status == 206
        assert (await ask(target, if_range='"x"', range="bytes=0-3")).body == SEGMENT
        assert origin.fetches_total == 4

    asked(scene)


def test_a_titles_own_address_leads_to_its_page() -> None:
    async def scene(ask: Ask, origin: Origin) -> None:
        for target in ("/clock", "/clock/"):
            answer = await ask(target)
            assert (answer.status, answer.fields["location"]) == (302, "/watch/clock")
        assert (await ask("/bunny")).status == 404
        assert (await ask("/clock/720p")).status == 404

    asked(scene)


def test_methods() -> None:
    async def scene(ask: Ask, origin: Origin) -> None:
        for method in ("POST", "PUT", "DELETE", "PURGE", "BREW"):
            answer = await ask("/clock/720p/1.m4s", method)
            assert (answer.status, answer.fields["allow"]) == (405, "GET, HEAD, OPTIONS")
        preflight = await ask(
            "/anything", "OPTIONS", origin="http://b", access_control_request_headers="range"
        )
        assert preflight.status == 204
        assert preflight.fields["access-control-allow-headers"] == "*"
        assert preflight.fields["access-control-allow-origin"] == "*"

    asked(scene)


def test_fetches_are_counted_whatever_their_names() -> None:
    async def scene(ask: Ask, origin: Origin) -> None:
        for target in ("/clock/manifest.mpd", "/clock/manifest.mpd?a", "/clock/720p.mp4", "/nothing"):
            await ask(target)
        await ask("/clock/manifest.mpd", "HEAD")
        assert origin.fetches_total == 3

    asked(scene)


def test_kinds_can_be_changed() -> None:
    async def scene() -> None:
        kinds = {".mpd": MediaType("x/y", "no-store")}
        origin = await start_origin(MemorySource(TITLES), "127.0.0.1", 0, clock=lambda: THEN, kinds=kinds)
        client = HttpClient()
        address = ("127.0.0.1", origin.port)
        async with client.request("GET", address, "/clock/manifest.mpd", {"host": "a"}) as incoming:
            assert incoming.head.fields["cache-control"] == "no-store"
            assert incoming.head.fields["content-type"] == "x/y"
        await client.close()
        origin.abort()

    run(scene())


def test_a_slow_reader_holds_a_few_slices(tmp_path: Path) -> None:
    async def scene() -> None:
        film = tmp_path / "film.mp4"
        film.write_bytes(bytes(64 * 1024 * 1024))
        origin = await start_origin(tmp_path, "127.0.0.1", 0, clock=lambda: THEN)
        reader, writer = await asyncio.open_connection("127.0.0.1", origin.port, limit=1024)
        writer.write(b"GET /film.mp4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        (connection,) = origin.listener.connections
        while connection.peer_reads:  # noqa: ASYNC110 - until the sockets are full
            await asyncio.sleep(0.001)
        for _ in range(20):
            await asyncio.sleep(0)
        assert connection.transport.get_write_buffer_size() <= 3 * PIECE_BYTES
        assert len(await reader.read(-1)) == 64 * 1024 * 1024
        writer.close()
        await origin.drain(1)

    run(scene())


def test_a_taken_port_is_said_at_once() -> None:
    async def scene() -> None:
        origin = await start_origin(MemorySource({}), "127.0.0.1", 0, clock=lambda: THEN)
        with pytest.raises(OSError):
            await start_origin(MemorySource({}), "127.0.0.1", origin.port, clock=lambda: THEN)
        origin.abort()
        origin.abort()
        await origin.drain(1)

    run(scene())
