"""Many at once, and what goes wrong on the way: shared fills, broken origins, stale copies, full disks."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any

import pytest

from nearcast.model.faults import UpstreamFault
from nearcast.serve.http_server import Exchange

Play = Callable[..., None]


async def until(true: Callable[[], bool]) -> None:
    """Give the loop its turns until something is true."""
    while not true():  # noqa: ASYNC110 - of somebody else's state
        await asyncio.sleep(0.001)


async def rest(pieces: Any) -> bytes:
    return b"".join([piece async for piece in pieces])


def test_fifty_simultaneous_misses_are_one_fetch(play: Play) -> None:
    async def story(cdn: Any) -> None:
        body = [bytes([number]) * 50_000 for number in range(8)]
        slow = cdn.slow_page("/a", body)
        viewers = [asyncio.create_task(cdn.get("/a")) for _ in range(50)]
        await until(lambda: cdn.edge.counters.requests == 50)
        slow.let()
        answers = await asyncio.gather(*viewers)
        assert all(answer.body == b"".join(body) for answer in answers)
        assert cdn.asked["/a"] == 1
        assert sum(answer.cache.collapsed for answer in answers) == 49
        stats = await cdn.admin("GET", "/stats")
        assert (stats["misses"], stats["collapsed"], stats["fills"]) == (1, 49, 1)

    play(story)


def test_who_comes_late_follows_from_the_start_and_a_range_does_not_wait_for_the_end(play: Play) -> None:
    async def story(cdn: Any) -> None:
        pieces = [b"a" * 300_000, b"b" * 100_000, b"c" * 50_000]
        slow = cdn.slow_page("/a", pieces)
        async with cdn.open("/a") as first:
            slow.let(2)
            await until(lambda: cdn.edge.counters.bytes_filled == 400_000)
            part = await cdn.get("/a", range="bytes=299999-300000")
            assert (part.status, part.body, part.cache.collapsed) == (206, b"ab", True)
            early = await cdn.get("/a", range="bytes=0-9")
            assert early.body == b"a" * 10
            async with cdn.open("/a", range="bytes=399999-400001") as beyond:
                assert beyond.head.status == 206
                late = asyncio.create_task(cdn.get("/a"))
                await until(lambda: cdn.edge.counters.requests == 5)
                slow.let()
                assert await rest(beyond.pieces()) == b"bcc"
            assert (await late).body == b"".join(pieces)
            assert await rest(first.pieces()) == b"".join(pieces)
        assert cdn.asked["/a"] == 1

    play(story)


def test_a_fill_goes_on_when_its_first_viewer_leaves(play: Play) -> None:
    async def story(cdn: Any) -> None:
        slow = cdn.slow_page("/a", [b"one ", b"two"])
        async with cdn.open("/a"):
            slow.let(1)
        slow.let()
        await until(lambda: len(cdn.disk.entries("objects")) == 1)
        answer = await cdn.get("/a")
        assert (answer.body, answer.cache.hit, cdn.asked["/a"]) == (b"one two", True, 1)

    play(story)


def test_what_is_not_stored_ends_when_its_viewer_leaves(play: Play) -> None:
    async def story(cdn: Any) -> None:
        slow = cdn.slow_page("/a", [b"one ", b"two ", b"three "] * 100, cache_control="no-store")
        async with cdn.open("/a"):
            slow.let(1)
        for count in range(300):  # each piece meets fewer who want it
            slow.let(count)
            await asyncio.sleep(0.001)
            if slow.gone.is_set():
                return
        raise AssertionError("the edge took all of it")

    play(story)


def test_everybody_gets_an_answer_of_his_own_when_it_is_private(play: Play) -> None:
    async def story(cdn: Any) -> None:
        slow = cdn.slow_page("/a", [b"mine"], cache_control="private")
        viewers = [asyncio.create_task(cdn.get("/a")) for _ in range(5)]
        await until(lambda: cdn.edge.counters.requests == 5)
        slow.let()
        answers = await asyncio.gather(*viewers)
        assert [answer.body for answer in answers] == [b"mine"] * 5
        assert not any(answer.cache.stored or answer.cache.collapsed for answer in answers)
        assert cdn.asked["/a"] == 5

    play(story)


def test_a_crowd_does_not_storm_an_ailing_origin(play: Play) -> None:
    async def story(cdn: Any) -> None:
        ready = asyncio.Event()

        async def ailing(exchange: Exchange) -> None:
            await ready.wait()
            exchange.respond(503, {}, b"ailing")

        cdn.pages["/a"] = ailing
        viewers = [asyncio.create_task(cdn.get("/a")) for _ in range(20)]
        await until(lambda: cdn.edge.counters.requests == 20)
        ready.set()
        answers = await asyncio.gather(*viewers)
        assert [(answer.status, answer.body) for answer in answers] == [(503, b"ailing")] * 20
        assert cdn.asked["/a"] == 1

    play(story)


def test_when_the_origin_breaks_off_so_does_every_viewers_connection(play: Play) -> None:
    async def story(cdn: Any) -> None:
        slow = cdn.slow_page("/a", [b"x" * 1000, b"y" * 1000])
        slow.announced = False  # so that only the end itself tells that it is the end
        viewers = [asyncio.create_task(cdn.get("/a")) for _ in range(3)]
        await until(lambda: cdn.edge.counters.requests == 3)
        slow.let(1)
        await until(lambda: cdn.edge.counters.bytes_sent == 3000)
        slow.break_off()
        outcomes = await asyncio.gather(*viewers, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [UpstreamFault] * 3
        assert cdn.disk.entries("objects") == cdn.disk.entries("filling") == []
        assert (await cdn.admin("GET", "/stats"))["errors"] == 3
        cdn.page("/a", b"whole")
        assert (await cdn.get("/a")).body == b"whole"

    play(story)


def test_an_origin_that_fails_before_it_answers_is_asked_once_more(play: Play) -> None:
    async def story(cdn: Any) -> None:
        def first_fails(exchange: Exchange) -> None:
            if cdn.asked["/a"] == 1:
                exchange.break_off()
            else:
                exchange.respond(200, {"cache-control": "max-age=9"}, b"second")

        cdn.pages["/a"] = first_fails
        cdn.pages["/b"] = lambda exchange: exchange.break_off()
        failed = await cdn.get("/b")
        assert (failed.status, cdn.asked["/b"]) == (502, 2)
        assert failed.fields["access-control-allow-origin"] == "*"
        assert (await cdn.get("/a")).body == b"second"

    play(story)


def test_an_origin_that_is_away_or_mute(play: Play) -> None:
    async def story(cdn: Any) -> None:
        mute = asyncio.Event()

        async def never(exchange: Exchange) -> None:
            await mute.wait()

        cdn.pages["/a"] = never
        assert ((await cdn.get("/a")).status, cdn.asked["/a"]) == (504, 1)
        await cdn.origin.drain(0)
        assert (await cdn.get("/b")).status == 502

    play(story)


def test_a_stale_object_is_confirmed_and_fresh_again(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture", x_version="1")
        await cdn.get("/a")
        cdn.page("/a", b"never sent", x_version="2")
        cdn.now += 61
        answer = await cdn.get("/a")
        assert (answer.status, answer.body, answer.fields["x-version"]) == (200, b"picture", "2")
        assert (answer.cache.fwd, answer.cache.fwd_status) == ("stale", 304)
        assert cdn.requests[-1].fields["if-none-match"] == '"v1"'
        again = await cdn.get("/a", range="bytes=0-2")
        assert (again.status, again.body, again.cache.ttl) == (206, b"pic", 60)
        assert cdn.asked["/a"] == 2

    play(story)


def test_a_stale_object_that_has_changed_is_replaced(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"old")
        await cdn.get("/a")
        cdn.page("/a", b"newer", etag='"v2"')
        cdn.now += 61
        answer = await cdn.get("/a")
        assert (answer.body, answer.cache.fwd, answer.cache.fwd_status) == (b"newer", "stale", 200)
        assert (await cdn.get("/a")).body == b"newer"
        assert len(cdn.disk.entries("objects")) == 1

    play(story)


def test_no_cache_is_stored_and_confirmed_every_time(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture", cache_control="no-cache")
        await cdn.get("/a")
        answer = await cdn.get("/a")
        assert (answer.body, answer.cache.fwd, answer.cache.fwd_status) == (b"picture", "stale", 304)

    play(story)


def test_a_little_stale_is_served_at_once_and_confirmed_once_in_the_background(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture", cache_control="max-age=60, stale-while-revalidate=30")
        await cdn.get("/a")
        slow = cdn.slow_page("/a", [b"newer"], etag='"v2"')
        cdn.now += 70
        for _ in range(3):
            answer = await cdn.get("/a")
            assert (answer.body, answer.cache.hit, answer.cache.ttl) == (b"picture", True, -10)
        await slow.begun.wait()
        slow.let()
        await until(lambda: cdn.edge.store.get("movie/a").body.octets == b"newer")
        assert (await cdn.get("/a")).body == b"newer"
        assert cdn.asked["/a"] == 2

    play(story)


@pytest.mark.parametrize("trouble", ["away", "503"])
def test_what_is_held_is_served_when_the_origin_fails(play: Play, trouble: str) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        cdn.page("/b", b"strict", cache_control="max-age=60, must-revalidate")
        await cdn.get("/a")
        await cdn.get("/b")
        cdn.now += 61
        if trouble == "away":
            await cdn.origin.drain(0)
        else:
            cdn.page("/a", b"trouble", 503)
            cdn.page("/b", b"trouble", 503)
        answer = await cdn.get("/a")
        assert (answer.status, answer.body, answer.cache.fwd) == (200, b"picture", "stale")
        assert answer.cache.fwd_status == (None if trouble == "away" else 503)
        assert answer.cache.ttl == -1
        assert (await cdn.get("/b")).status == (502 if trouble == "away" else 503)
        cdn.now += 100  # beyond what the operator grants
        assert (await cdn.get("/a")).status == (502 if trouble == "away" else 503)

    play(story)


def test_a_confirmation_of_something_else_is_not_believed(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        await cdn.get("/a")
        cdn.now += 61
        cdn.pages["/a"] = lambda exchange: exchange.respond(304, {"etag": '"other"'})
        assert (await cdn.get("/a")).status == 502
        cdn.page("/a", b"newer", etag='"v2"')
        assert (await cdn.get("/a")).body == b"newer"

    play(story)


@pytest.mark.parametrize("status", [206, 304])
def test_an_answer_that_nobody_asked_for_is_a_fault(play: Play, status: int) -> None:
    async def story(cdn: Any) -> None:
        cdn.pages["/a"] = lambda exchange: exchange.respond(
            status, {"content-range": "bytes 0-0/9"}, b"" if status == 304 else b"x"
        )
        assert (await cdn.get("/a", range="bytes=0-0")).status == 502

    play(story)


@pytest.mark.parametrize("operation", ["create", "write", "rename", "*"])
def test_a_failing_disk_costs_the_store_not_the_viewer(play: Play, operation: str) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        cdn.disk.fail(operation, errno.EIO)
        for _ in range(2):
            answer = await cdn.get("/a")
            assert (answer.status, answer.body, answer.cache.hit) == (200, b"picture", False)
        cdn.disk.heal(operation)
        assert (await cdn.get("/a")).body == b"picture"
        assert (await cdn.get("/a")).cache.hit

    play(story)


def test_a_disk_that_fills_up_in_the_middle_breaks_nobody_off(play: Play) -> None:
    async def story(cdn: Any) -> None:
        pieces = [bytes([number]) * 40_000 for number in range(10)]
        slow = cdn.slow_page("/a", pieces)
        viewers = [asyncio.create_task(cdn.get("/a")) for _ in range(3)]
        viewers.append(asyncio.create_task(cdn.get("/a", range="bytes=39990-")))
        await until(lambda: cdn.edge.counters.requests == 4)
        slow.let(4)
        await until(lambda: cdn.edge.counters.bytes_filled == 160_000)
        cdn.disk.fill(1000)
        slow.let()
        answers = await asyncio.gather(*viewers)
        assert [answer.body for answer in answers[:3]] == [b"".join(pieces)] * 3
        assert answers[3].body == b"".join(pieces)[39990:]
        assert cdn.disk.entries("objects") == cdn.disk.entries("filling") == []

    play(story)


def test_a_rotten_object_is_fetched_anew(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture" * 1000)
        await cdn.get("/a")
        await cdn.edge.drain(1)
        cdn.disk.rot(f"objects/{cdn.disk.entries('objects')[0].name}")
        await cdn.start_edge()
        answer = await cdn.get("/a")
        assert (answer.body, answer.cache.hit) == (b"picture" * 1000, False)

    play(story)


def test_a_restarted_edge_has_what_it_had(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        await cdn.get("/a")
        await cdn.edge.drain(1)
        await cdn.start_edge()
        answer = await cdn.get("/a")
        assert (answer.body, answer.cache.hit, answer.fields["etag"]) == (b"picture", True, '"v1"')

    play(story)


def test_who_reads_slowly_holds_up_nobody_and_costs_bounded_memory(play: Play) -> None:
    async def story(cdn: Any) -> None:
        body = bytes(range(250)) * 80_000  # 20 MB: more than sockets hold
        cdn.page("/a", body)
        async with cdn.open("/a") as slow:
            await until(lambda: cdn.edge.store.get("movie/a") is not None)
            assert (await cdn.get("/a")).body == body
            (held,) = [each for each in cdn.edge.listener.connections if not each.peer_reads]
            assert held.transport.get_write_buffer_size() < 1_000_000
            assert await rest(slow.pieces()) == body
        assert cdn.asked["/a"] == 1

    play(story, cache_megabytes=50)


def test_a_slow_viewer_slows_the_origin_when_nothing_can_be_stored(play: Play) -> None:
    async def story(cdn: Any) -> None:
        body = [bytes(range(250)) * 4000] * 20
        page = cdn.slow_page("/a", body, cache_control="no-store")
        page.let()
        counters = cdn.edge.counters
        async with cdn.open("/a") as slow:
            before = -1
            while counters.bytes_filled != before:  # until nothing moves any more
                before = counters.bytes_filled
                for _ in range(20):
                    await asyncio.sleep(0.002)
            assert counters.bytes_filled < 15_000_000
            assert await rest(slow.pieces()) == b"".join(body)

    play(story)


def test_an_eviction_takes_nothing_from_those_who_read(play: Play) -> None:
    async def story(cdn: Any) -> None:
        body = bytes(range(250)) * 60_000
        cdn.page("/a", body)
        cdn.page("/b", bytes(len(body)))
        await cdn.get("/a")
        async with cdn.open("/a") as slow:
            await cdn.get("/b")
            assert cdn.edge.store.head("movie/a") is None
            assert await rest(slow.pieces()) == body

    play(story, cache_megabytes=30)


def test_a_drained_edge_finishes_what_is_under_way(play: Play) -> None:
    async def story(cdn: Any) -> None:
        slow = cdn.slow_page("/a", [b"one ", b"two"])
        viewer = asyncio.create_task(cdn.get("/a"))
        await slow.begun.wait()
        draining = asyncio.create_task(cdn.edge.drain(5))
        await until(lambda: cdn.edge.draining)
        assert (await cdn.admin("GET", "/health"))["draining"] is True
        slow.let()
        assert (await viewer).body == b"one two"
        await draining

    play(story)


def test_an_aborted_edge_breaks_everything_off(play: Play) -> None:
    async def story(cdn: Any) -> None:
        slow = cdn.slow_page("/a", [b"one ", b"two"])
        viewer = asyncio.create_task(cdn.get("/a"))
        await slow.begun.wait()
        cdn.edge.abort()
        with pytest.raises(UpstreamFault):
            await viewer
        slow.let(1)
        assert cdn.disk.entries("objects") == cdn.disk.entries("filling") == []

    play(story)
