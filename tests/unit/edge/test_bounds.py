"""What a site, a client or a slow reader can take away from others: a part, never all of it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from nearcast.cache.disk import PosixDisk
from nearcast.edge.fills import PASSING_BYTES
from nearcast.model.faults import UpstreamFault
from nearcast.serve.http_client import HttpClient
from nearcast.serve.http_server import Exchange

Play = Callable[..., None]

TWO_SITES = """
[[distributions]]
name = "other"
hosts = ["www.other.test"]
origin = "http://127.0.0.1:{origin_port}"
[[distributions]]
name = "third"
hosts = ["www.third.test"]
origin = "http://127.0.0.1:{origin_port}"
"""


@asynccontextmanager
async def clients(count: int) -> AsyncIterator[list[HttpClient]]:
    """Viewers with an address each."""
    viewers = [HttpClient(local_address=f"127.0.1.{number}") for number in range(1, count + 1)]
    try:
        yield viewers
    finally:
        for viewer in viewers:
            await viewer.close()


async def until(true: Callable[[], bool]) -> None:
    """Give the loop its turns until something is true."""
    while not true():  # noqa: ASYNC110 - of somebody else's state
        await asyncio.sleep(0.001)


async def settle(count: Callable[[], int]) -> int:
    """Wait until nothing moves any more."""
    before = -1
    while count() != before:
        before = count()
        for _ in range(20):
            await asyncio.sleep(0.002)
    return before


def hanging(cdn: Any, *paths: str) -> asyncio.Event:
    """The origin does not answer these before the event."""
    ready = asyncio.Event()

    async def hang(exchange: Exchange) -> None:
        await ready.wait()
        exchange.respond(200, {"cache-control": "no-store"}, b"late")

    for path in paths:
        cdn.pages[path] = hang
    return ready


def test_the_hanging_origin_of_one_site_leaves_room_for_the_others(play: Play) -> None:
    async def story(cdn: Any) -> None:
        paths = [f"/{number}" for number in range(20)]
        ready = hanging(cdn, *paths)
        cdn.page("/works", b"picture")
        async with clients(20) as viewers, asyncio.TaskGroup() as group:
            waiting = [
                group.create_task(cdn.get(path, viewer=each))
                for path, each in zip(paths, viewers, strict=True)
            ]
            await settle(lambda: cdn.edge.counters.requests)
            refused = [task.result() for task in waiting if task.done()]
            assert [(each.status, each.fields["retry-after"]) for each in refused] == [(503, "1")] * 12
            for host in ("www.other.test", "www.third.test"):
                answer = await cdn.get("/works", viewer=viewers[0], host=host)
                assert (answer.status, answer.body) == (200, b"picture")
            ready.set()
        assert [each.result().status for each in waiting].count(200) == 8
        assert (await cdn.get("/works")).status == 200

    play(story, more=TWO_SITES, fills_max=16)


def test_one_client_leaves_room_for_the_others_of_its_site(play: Play) -> None:
    async def story(cdn: Any) -> None:
        paths = [f"/{number}" for number in range(20)]
        ready = hanging(cdn, *paths)
        cdn.page("/works", b"picture")
        async with clients(1) as (other,), asyncio.TaskGroup() as group:
            waiting = [group.create_task(cdn.get(path)) for path in paths]
            await settle(lambda: cdn.edge.counters.requests)
            assert sum(not task.done() for task in waiting) == 4
            assert (await cdn.get("/works", viewer=other)).body == b"picture"
            ready.set()

    play(story, fills_max=16)


@pytest.mark.parametrize("asked", [{"authorization": "Bearer 1"}, {}])
def test_slow_readers_of_what_is_not_stored_hold_bounded_memory_in_all(
    play: Play, asked: dict[str, str]
) -> None:
    """Many readers who take nothing, of bodies far larger than every buffer on their way."""

    async def story(cdn: Any) -> None:
        body = bytes(range(250)) * 80_000  # 20 MB
        for number in range(24):
            cdn.page(f"/{number}", body, cache_control="max-age=60" if asked else "no-store")
        cdn.page("/works", b"picture")
        async with clients(24) as viewers, AsyncExitStack() as stack:
            answers = [
                await stack.enter_async_context(cdn.open(f"/{number}", viewer=viewer, **asked))
                for number, viewer in enumerate(viewers)
            ]
            statuses = [answer.head.status for answer in answers]
            assert (statuses.count(200), statuses.count(503)) == (4, 20)
            assert answers[-1].head.fields["retry-after"] == "1"
            taken = await settle(lambda: cdn.edge.counters.bytes_filled)
            kernel = 8_000_000  # what sockets take of each
            assert taken < 4 * (PASSING_BYTES + kernel)
            held = sum(
                fill.stream.arrived - fill.stream._window_start for fill in cdn.edge._fills._tasks.values()
            )
            assert held <= 4 * PASSING_BYTES // 2
            for _ in range(2):
                assert (await cdn.get("/works")).status == 200  # what can be stored needs no such place
            slow = answers[0]
            assert b"".join([piece async for piece in slow.pieces()]) == body
            await settle(lambda: cdn.edge.application.context.passing.taken)
            assert (await cdn.get("/23", **asked)).body == body  # its place is free again

    play(story, cache_megabytes=60, unstored_bytes_max=8 * PASSING_BYTES)


def test_places_come_back_however_a_fill_ends(play: Play) -> None:
    async def story(cdn: Any) -> None:
        context = cdn.edge.application.context
        cdn.pages["/breaks"] = lambda exchange: exchange.break_off()
        cdn.page("/private", b"mine", cache_control="private")
        cdn.page("/changes", b"old")
        for _ in range(3):
            await cdn.get("/breaks")
            await cdn.get("/private")
            await cdn.get("/private", authorization="Bearer 1")
            await cdn.get("/changes")
            cdn.now += 61
            await cdn.get("/changes")  # confirmed
        slow = cdn.slow_page("/left", [b"x" * 100_000] * 20, cache_control="no-store")
        async with cdn.open("/left"):
            slow.let(1)
        for count in range(20):
            slow.let(count)
            await asyncio.sleep(0.001)
        await until(lambda: context.fills.shares.taken == context.passing.taken == 0)
        assert context.passing._of_site == context.fills.shares._of_client == {}

    play(story)


def mapped(folder: Path) -> int:
    """Mappings and descriptors of this process into `folder`."""
    maps = Path("/proc/self/maps").read_text().count(str(folder))
    names = [
        descriptor.readlink() for descriptor in Path("/proc/self/fd").iterdir() if descriptor.is_symlink()
    ]
    return maps + sum(str(folder) in str(name) for name in names)


@pytest.mark.parametrize("asked", ["hit", "fill"])
def test_a_viewer_who_leaves_in_the_middle_leaves_neither_mapping_nor_descriptor(
    play: Play, tmp_path: Path, asked: str
) -> None:
    async def story(cdn: Any) -> None:
        body = bytes(range(250)) * 40_000  # 10 MB: more than sockets hold
        cdn.page("/a", body)
        cdn.page("/304", body)
        gc.collect()
        gc.disable()
        try:
            if asked == "hit":
                await cdn.get("/a")
            for _ in range(3):
                async with cdn.open("/a") as incoming:
                    async for piece in incoming.pieces():
                        assert piece
                        break
                await settle(lambda: cdn.edge.counters.bytes_filled)
            etag = await cdn.get("/a", if_none_match='"v1"')
            assert etag.status == 304
            assert mapped(tmp_path) > 0  # the store has it at hand
            await until(lambda: len(cdn.edge.listener.connections) == 1)  # the one that asked last
            cdn.edge.store.remove("movie/a")
            for _ in range(10):
                await asyncio.sleep(0.001)
            assert mapped(tmp_path) == 0
        finally:
            gc.enable()

    play(story, cache_megabytes=50, disk=PosixDisk(tmp_path))


def test_an_origin_whose_fields_cannot_be_passed_on_is_at_fault(play: Play) -> None:
    async def story(cdn: Any) -> None:
        async def strange(exchange: Exchange) -> None:
            exchange.channel.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\nx: a\x01b\r\n\r\nx")
            exchange.channel.transport.close()
            exchange.status, exchange.answered = 200, True

        cdn.pages["/a"] = strange
        try:
            assert (await cdn.get("/a")).status == 502
        except UpstreamFault:
            pytest.fail("the viewer got no answer")

    play(story)
