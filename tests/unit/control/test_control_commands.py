"""POST /v1/warm and /v1/purge: checked whole, then passed on to every server."""

from __future__ import annotations

from typing import Any

import pytest


def test_warming_a_title_names_all_its_files_to_every_server(play: Any) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        done = (await call("POST", "/v1/warm", {"title": "clock"})).json
        assert done["complete"]
        assert {name for name, _, _ in cdn.orders} == set(cdn.snapshot.servers)
        _, path, order = cdn.orders[0]
        assert path == "/warm"
        assert order["site"] == "movie"
        assert {
            "/clock/title.json",
            "/clock/manifest.mpd",
            "/clock/master.m3u8",
            "/clock/v720/init.mp4",
            "/clock/v720/playlist.m3u8",
            "/clock/v720/5.m4s",
            "/clock/a128/1.m4s",
            "/clock/progressive/360p.mp4",
        } <= set(order["targets"])
        assert done["targets"] == len(order["targets"]) == 3 + 3 * 7 + 2

    play(scene)


def test_an_order_can_be_for_some_servers_and_some_paths(play: Any) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        done = (await call("POST", "/v1/purge", {"targets": ["/clock/a"], "servers": ["ia2"]})).json
        assert [each["server"] for each in done["servers"]] == ["ia2"]
        assert cdn.orders == [("ia2", "/purge", {"site": "movie", "targets": ["/clock/a"]})]

    play(scene)


def test_everything_can_be_purged(play: Any) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        await call("POST", "/v1/purge", {"all": True, "servers": ["ord1"]})
        assert cdn.orders == [("ord1", "/purge", {"site": "movie", "all": True})]

    play(scene)


def test_a_server_that_is_away_makes_an_order_incomplete(play: Any) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        cdn.stop("ord1")
        answered = await call("POST", "/v1/warm", {"title": "clock"})
        assert answered.status == 200
        assert answered.json["complete"] is False
        failed = [each for each in answered.json["servers"] if not each["done"]]
        assert [each["server"] for each in failed] == ["ord1"]
        assert "no connection" in failed[0]["trouble"]

    play(scene)


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        ({}, "name one of: a title, or targets, or all=true"),
        ({"title": "clock", "all": True}, "name one of"),
        ({"title": "bunny"}, 'there is no title "bunny"; the catalogue has: clock'),
        ({"targets": ["clock"]}, 'begins with "/"'),
        ({"all": True, "site": "films"}, "name a site: movie"),
        ({"all": True, "servers": ["ia9"]}, 'there is no content server "ia9"'),
    ],
)
def test_an_order_that_cannot_be_meant_is_refused_before_anything_is_done(
    play: Any, order: dict[str, Any], sentence: str
) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        answered = await call("POST", "/v1/purge", order)
        assert answered.status == 400
        assert sentence in answered.json["detail"]
        assert cdn.orders == []

    play(scene)


def test_a_page_of_another_host_cannot_give_orders(play: Any) -> None:
    """A form of a foreign page is sent without asking, but never as application/json (Fetch, CORS)."""

    async def scene(cdn: Any, call: Any) -> None:
        for kind in ("text/plain", "application/x-www-form-urlencoded"):
            answered = await call("POST", "/v1/purge", {"all": True}, {"content-type": kind})
            assert answered.status == 422
        assert cdn.orders == []

    play(scene)
