"""The administration of an edge: what it tells, and what it does on order."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any

import pytest
from tests.exposition import samples

from nearcast.edge.commands import warm

Play = Callable[..., None]


def test_health_and_statistics(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", bytes(100_000))
        for _ in range(3):
            await cdn.get("/a")
        await cdn.get("/a", "POST")
        health = await cdn.admin("GET", "/health")
        assert (health["name"], health["draining"], health["snapshot"]) == ("ia2", False, 1)
        assert 0 < health["load"] < 1
        stats = await cdn.admin("GET", "/stats")
        assert (stats["requests"], stats["hits"], stats["misses"], stats["refused"]) == (4, 2, 1, 1)
        assert (stats["bytes_sent"], stats["bytes_filled"], stats["fills"]) == (300_000, 100_000, 1)
        assert (stats["objects"], stats["cache_bytes_max"]) == (1, 1_000_000)
        assert 100_000 < stats["cached_bytes"] < 102_000

    play(story)


def test_a_full_edge_says_so_and_its_administration_still_answers(play: Play) -> None:
    async def story(cdn: Any) -> None:
        slow = cdn.slow_page("/a", [b"picture", b"!"])
        slow.let(1)
        assert (await cdn.admin("GET", "/health"))["full"] is False
        async with cdn.viewer.request("GET", ("127.0.0.2", cdn.http_port), "/a", {"host": "www.movie.test"}):
            health = await cdn.admin("GET", "/health")
            assert (health["full"], health["status"]) == (True, 200)
        slow.let()

    play(story, connections_max=1)


def test_metrics_have_units_and_no_urls(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        await cdn.get("/a")
        found = samples(await cdn.admin("GET", "/metrics"))
        assert found["nearcast_edge_misses_total"] == 1
        assert found["nearcast_edge_sent_bytes_total"] == 7
        assert found['nearcast_http_responses_total{listener="http",status="2xx"}'] == 1
        assert found['nearcast_tcp_connections{listener="admin"}'] == 1
        assert not any("/a" in name or "movie" in name for name in found)

    play(story)


def test_warmed_content_is_a_hit_for_its_first_viewer(play: Play) -> None:
    async def story(cdn: Any) -> None:
        names = [f"/clock/{number}.m4s" for number in range(20)]
        for name in names:
            cdn.page(name, name.encode())
        cdn.page("/private", b"mine", cache_control="private")
        await cdn.get(names[0])
        order = {"site": "movie", "targets": [*names, names[3], "/missing", "/private", "no path"]}
        report = await cdn.admin("POST", "/warm", order)
        assert (report["status"], report["warmed"], report["already"]) == (200, 19, 1)
        assert {each["target"]: each["why"] for each in report["failed"]} == {
            "/missing": "the origin answered 404",
            "/private": "private",
            "no path": "the target is no path",
        }
        for name in names:
            answer = await cdn.get(name)
            assert (answer.body, answer.cache.hit, cdn.asked[name]) == (name.encode(), True, 1)
        again = await cdn.admin("POST", "/warm", {"site": "movie", "targets": names})
        assert (again["warmed"], again["already"], again["failed"]) == (0, 20, [])

    play(story)


def test_a_warm_confirms_what_is_stale_and_says_when_the_origin_is_away(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        await cdn.get("/a")
        cdn.now += 61
        assert (await cdn.admin("POST", "/warm", {"site": "movie", "targets": ["/a"]}))["warmed"] == 1
        assert (await cdn.get("/a")).cache.hit
        await cdn.origin.drain(0)
        report = await cdn.admin("POST", "/warm", {"site": "movie", "targets": ["/b"]})
        assert "no connection" in report["failed"][0]["why"]

    play(story)


def test_a_warm_shares_the_fill_that_is_under_way(play: Play) -> None:
    async def story(cdn: Any) -> None:
        slow = cdn.slow_page("/a", [b"picture"])
        viewer = asyncio.create_task(cdn.get("/a"))
        await slow.begun.wait()
        order = {"site": "movie", "targets": ["/a"]}
        warming = asyncio.create_task(warm(cdn.edge.application, order))
        for _ in range(5):  # until it waits
            await asyncio.sleep(0)
        slow.let()
        assert (await warming)["warmed"] == 1
        assert (await viewer).body == b"picture"
        assert cdn.asked["/a"] == 1

    play(story)


def test_purged_content_is_fetched_anew(play: Play) -> None:
    async def story(cdn: Any) -> None:
        for name in ("/a", "/b", "/c%2fd"):
            cdn.page(name.upper() if "%" in name else name, b"old")
            cdn.pages[name.replace("%2f", "%2F")] = cdn.pages[name.upper() if "%" in name else name]
            await cdn.get(name)
        report = await cdn.admin(
            "POST", "/purge", {"site": "movie", "targets": ["/a", "/c%2fd", "/never", "no path"]}
        )
        assert (report["status"], report["removed"]) == (200, 2)
        cdn.page("/a", b"new", etag='"v2"')
        assert (await cdn.get("/a")).body == b"new"
        assert (await cdn.get("/b")).cache.hit
        assert (await cdn.admin("POST", "/purge", {"site": "movie", "all": True}))["removed"] == 2
        assert not (await cdn.get("/b")).cache.hit

    play(story)


def test_a_purge_of_everything_keeps_to_its_site(play: Play) -> None:
    async def story(cdn: Any) -> None:
        another = f'[[distributions]]\nname = "movie2"\nhosts = ["www.other.test"]\norigin = "http://127.0.0.1:{cdn.origin_port}"'
        await cdn.edge.swap(cdn.snapshot(2, more=another))
        cdn.page("/a", b"picture")
        await cdn.get("/a")
        await cdn.get("/a", host="www.other.test")
        assert (await cdn.admin("POST", "/purge", {"site": "movie", "all": True}))["removed"] == 1
        assert (await cdn.get("/a", host="www.other.test")).cache.hit
        assert not (await cdn.get("/a")).cache.hit

    play(story)


@pytest.mark.parametrize("order", [{"targets": ["/a"]}, {"all": True}])
def test_what_is_being_fetched_during_a_purge_is_not_stored(play: Play, order: dict[str, Any]) -> None:
    async def story(cdn: Any) -> None:
        slow = cdn.slow_page("/a", [b"old ", b"content"])
        viewer = asyncio.create_task(cdn.get("/a"))
        await slow.begun.wait()
        slow.let(1)
        await cdn.admin("POST", "/purge", {"site": "movie", **order})
        cdn.page("/a", b"new", etag='"v2"')
        assert (await cdn.get("/a")).body == b"new"
        slow.let()
        assert (await viewer).body == b"old content"  # it asked before the purge
        answer = await cdn.get("/a")
        assert (answer.body, answer.cache.hit) == (b"new", True)
        assert len(cdn.disk.entries("objects")) == 1

    play(story)


def test_a_stale_copy_is_not_served_after_its_purge(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"old")
        await cdn.get("/a")
        cdn.now += 61
        asked = asyncio.Event()
        answer_now = asyncio.Event()

        async def ailing(exchange: Any) -> None:
            asked.set()
            await answer_now.wait()
            exchange.respond(503, {})

        cdn.pages["/a"] = ailing
        viewer = asyncio.create_task(cdn.get("/a"))
        await asked.wait()
        await cdn.admin("POST", "/purge", {"site": "movie", "targets": ["/a"]})
        answer_now.set()
        assert (await viewer).status == 502

    play(story)


def test_a_purge_that_a_crash_might_undo_says_so(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"old")
        await cdn.get("/a")
        cdn.disk.fail("remove", errno.EIO)
        report = await cdn.admin("POST", "/purge", {"site": "movie", "targets": ["/a"]})
        assert report["status"] == 500
        assert "crash" in report["error"]
        assert not (await cdn.get("/a")).cache.hit
        cdn.disk.heal("remove")
        assert (await cdn.admin("POST", "/purge", {"site": "movie", "all": True}))["status"] == 200
        assert cdn.disk.entries("objects") == []

    play(story)


@pytest.mark.parametrize(
    ("method", "order", "status"),
    [
        ("GET", None, 405),
        ("POST", None, 400),
        ("POST", [], 400),
        ("POST", b"{", 400),
        ("POST", b"\xff", 400),
        ("POST", b"[" * 100_000, 400),
        ("POST", b'{"site":' * 100_000, 400),
        ("POST", {"site": "movie"}, 400),
        ("POST", {"site": "movie", "targets": "/a"}, 400),
        ("POST", {"site": "movie", "targets": [1]}, 400),
        ("POST", {"site": "movie", "targets": ["/a"] * 10_001}, 413),
        ("POST", {"site": "nobody", "targets": ["/a"]}, 404),
    ],
)
@pytest.mark.parametrize("path", ["/warm", "/purge"])
def test_what_is_no_order(play: Play, path: str, method: str, order: Any, status: int) -> None:
    async def story(cdn: Any) -> None:
        report = await cdn.admin(method, path, order)
        assert (report["status"], "error" in report) == (status, True)

    play(story)
