"""The lane of hits answers what the application would, and only what is plain.

Every other story of this folder runs with the lane and without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from nearcast.edge.application import EdgeApplication

Play = Callable[..., None]


def counted(cdn: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The targets that went to the application."""
    went: list[str] = []
    honest = EdgeApplication.__call__

    def answer(self: EdgeApplication, exchange: Any) -> Any:
        went.append(exchange.request.target)
        return honest(self, exchange)

    monkeypatch.setattr(EdgeApplication, "__call__", answer)
    return went


def test_a_plain_hit_takes_the_lane_and_the_answer_is_the_same(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        went = counted(cdn, monkeypatch)
        await cdn.get("/a")
        cdn.now += 7
        by_application = await cdn.get("/a")
        assert went == ["/a", "/a"]  # a miss, and the first answer from the store
        by_lane = await cdn.get("/a")
        assert went == ["/a"] * (2 if cdn.lanes else 3)
        assert by_lane == by_application
        assert by_lane.fields["age"] == "7"
        assert by_lane.cache.ttl == 53
        assert (cdn.edge.counters.requests, cdn.edge.counters.kinds["hit"]) == (3, 2)
        assert cdn.edge.counters.bytes_sent == 21

    play(story)


@pytest.mark.parametrize(
    ("method", "target", "fields"),
    [
        ("HEAD", "/a", {}),
        ("GET", "/a", {"range": "bytes=0-1"}),
        ("GET", "/a", {"if_none_match": '"v1"'}),
        ("GET", "/a", {"if_modified_since": "Wed, 15 Nov 2023 00:00:00 GMT"}),
        ("GET", "/a", {"if_match": '"v0"'}),
        ("GET", "/a", {"if_unmodified_since": "Wed, 15 Nov 2003 00:00:00 GMT"}),
        ("GET", "/a", {"authorization": "Bearer 1"}),
        ("GET", "/a", {"cdn_loop": "ia2.cdn.test"}),
        ("GET", "/a", {"host": "elsewhere.test"}),
        ("GET", "/%61", {}),
        ("GET", "/b", {}),
        ("POST", "/a", {}),
        ("OPTIONS", "/a", {}),
    ],
)
def test_whatever_is_not_plain_goes_to_the_application(
    play: Play, monkeypatch: pytest.MonkeyPatch, method: str, target: str, fields: dict[str, str]
) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        cdn.page("/b", bytes(300_000))
        for _ in range(3):
            await cdn.get("/a")
            await cdn.get("/b")
            await cdn.get(target, method, **fields)
        went = counted(cdn, monkeypatch)
        await cdn.get(target, method, **fields)
        assert went == [target]

    play(story)


def test_what_has_become_stale_or_was_purged_is_no_hit(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"old")
        for _ in range(3):
            await cdn.get("/a")
        cdn.page("/a", b"new", etag='"v2"')
        await cdn.admin("POST", "/purge", {"site": "movie", "targets": ["/a"]})
        assert (await cdn.get("/a")).body == b"new"
        for _ in range(3):
            assert (await cdn.get("/a")).cache.hit
        cdn.now += 61
        assert not (await cdn.get("/a")).cache.hit

    play(story)


def test_hits_of_the_lane_count_as_use(play: Play) -> None:
    async def story(cdn: Any) -> None:
        for name in "abcd":
            cdn.page(f"/{name}", bytes(300_000) if name == "d" else bytes(250_000))
        for name in "abc":
            await cdn.get(f"/{name}")
        for _ in range(3):
            await cdn.get("/a")
        await cdn.get("/d")
        await asyncio.sleep(0)
        assert cdn.edge.store.head("movie/a") is not None
        assert cdn.edge.store.head("movie/b") is None

    play(story)


def test_a_swap_takes_the_lane_with_it(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        for _ in range(3):
            assert (await cdn.get("/a", host="ia2.cdn.test")).status == 200
        another = (
            '[[distributions]]\nname = "other"\nhosts = ["www.other.test"]\norigin = "http://127.0.0.1:1"'
        )
        await cdn.edge.swap(cdn.snapshot(2, more=another))
        assert (await cdn.get("/a", host="ia2.cdn.test")).status == 421

    play(story)
