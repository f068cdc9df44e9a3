"""The access log: a line for every request, when it has ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from nearcast.edge import access_log
from nearcast.edge.access_log import AccessLog, described
from nearcast.edge.outcome import Outcome
from nearcast.wire.http.message import RequestHead

Play = Callable[..., None]


async def until(true: Callable[[], bool]) -> None:
    """Give the loop its turns until something is true."""
    while not true():  # noqa: ASYNC110 - of somebody else's state
        await asyncio.sleep(0.001)


def lines(written: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in b"".join(written).splitlines()]


def test_every_request_has_one_line_that_says_what_became_of_it(play: Play) -> None:
    written: list[bytes] = []

    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        await cdn.get("/a", user_agent='A "player"\\', referer="http://www.movie.test/")
        await cdn.get("/a?b", range="bytes=1-2")
        cdn.now += 1
        await cdn.get("/a", range="bytes=1-2")
        await cdn.get("/a", "POST")
        await cdn.get("/a", "OPTIONS")
        await cdn.get("/a", host="elsewhere.test")
        cdn.pages["/b"] = lambda exchange: exchange.break_off()
        await cdn.get("/b", authorization="Bearer 1")
        cdn.edge.application.context.access_log.flush()
        logged = lines(written)
        told = [(each["outcome"], each["end"], each["status"], each["bytes"]) for each in logged]
        assert told == [
            ("miss", "whole", 200, 7),
            ("miss", "whole", 206, 2),
            ("hit", "whole", 206, 2),
            ("refused", "whole", 405, 45),
            ("preflight", "whole", 204, 0),
            ("refused", "whole", 421, 41),
            ("bypass", "error", 502, told[-1][3]),
        ]
        first, _, hit = logged[:3]
        assert first == {
            "time": cdn.now - 1,
            "client": "127.0.0.1",
            "method": "GET",
            "host": "www.movie.test",
            "target": "/a",
            "site": "movie",
            "status": 200,
            "bytes": 7,
            "outcome": "miss",
            "end": "whole",
            "fill_ms": first["fill_ms"],
            "ms": first["ms"],
            "range": None,
            "agent": 'A "player"\\',
            "referer": "http://www.movie.test/",
        }
        assert first["ms"] >= 0
        assert first["fill_ms"] >= 0
        assert (hit["time"], hit["fill_ms"], hit["range"]) == (cdn.now, None, "bytes=1-2")
        assert logged[5]["site"] is None

    play(story, access_log=written.append)


def test_who_leaves_early_and_who_is_broken_off(play: Play) -> None:
    written: list[bytes] = []

    async def story(cdn: Any) -> None:
        slow = cdn.slow_page("/a", [b"x" * 1000] * 200)
        async with cdn.open("/a"):
            slow.let(1)
        for count in range(200):  # that nobody is there is seen when more is sent
            slow.let(count)
            await asyncio.sleep(0.001)
        await until(lambda: cdn.edge.counters.left == 1)
        broken = cdn.slow_page("/b", [b"one ", b"two"])
        async with cdn.open("/b") as incoming:
            broken.let(1)
            await broken.begun.wait()
            broken.break_off()
            with pytest.raises(Exception, match="broke off"):
                await incoming.read(100)
        cdn.edge.application.context.access_log.flush()
        assert [(each["target"], each["end"]) for each in lines(written)] == [
            ("/a", "left"),
            ("/b", "broken off"),
        ]
        assert sum(cdn.edge.counters.kinds.values()) == cdn.edge.counters.requests

    play(story, access_log=written.append)


def test_lines_are_written_by_a_timer_and_at_the_end(play: Play) -> None:
    written: list[bytes] = []

    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        await cdn.get("/a")
        assert written == []
        await until(lambda: bool(written))
        await cdn.get("/a")
        await cdn.edge.drain(1)
        assert [each["outcome"] for each in lines(written)] == ["miss", "hit"]

    play(story, access_log=written.append)


def add(log: AccessLog, target: str) -> None:
    log.add(1.5, 0.25, "192.0.2.1", RequestHead("GET", target, {}), described({}), Outcome())


def test_what_waits_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "WAITING_BYTES_MAX", 10_000)
    written: list[bytes] = []

    async def story() -> None:
        log = AccessLog(written.append)
        for _ in range(100):
            add(log, "/" + "a" * 1000)
        log.flush()
        assert len(lines(written)) + log.dropped_total == 100
        assert 5 < len(lines(written)) < 10
        add(log, "/b")  # there is room again
        log.flush()
        assert lines(written)[-1]["target"] == "/b"

    asyncio.run(story())


def test_a_disk_that_fails_costs_lines_and_nothing_else() -> None:
    def fail(octets: bytes) -> None:
        raise OSError(28, "full")

    async def story() -> None:
        log = AccessLog(fail)
        add(log, "/a")
        add(log, "/b")
        log.flush()
        assert log.dropped_total == 2

    asyncio.run(story())


@pytest.mark.parametrize("text", ['"', "\\", "\x7f\x80é", "a\tb", "x" * 10_000])
def test_nothing_a_viewer_says_breaks_a_line(text: str) -> None:
    written: list[bytes] = []

    async def story() -> None:
        log = AccessLog(written.append)
        log.add(
            1.0, 0.0, "::1", RequestHead("GET", f"/{text}", {}), described({"user-agent": text}), Outcome()
        )
        log.flush()

    asyncio.run(story())
    (line,) = lines(written)
    assert text.startswith(line["agent"])
    assert len(b"".join(written)) < 5000
