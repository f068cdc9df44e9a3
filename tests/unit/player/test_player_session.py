"""A viewing as a whole: which way to watch, and what is told of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nearcast.model.faults import OperatorFault
from nearcast.player.session import manifest_of, mode_of
from nearcast.player.url import Url


@pytest.mark.parametrize(
    ("url", "quality", "mode"),
    [
        ("http://a.test/clock", None, "dash"),
        ("http://a.test/clock/manifest.mpd", None, "dash"),
        ("http://a.test/clock/master.m3u8", None, "hls"),
        ("http://a.test/clock/progressive/720p.mp4", None, "progressive"),
        ("http://a.test/clock", "720p", "progressive"),
        ("http://a.test/clock/master.m3u8", "720p", "progressive"),
    ],
)
def test_the_url_says_how_to_watch(url: str, quality: str | None, mode: str) -> None:
    assert mode_of(url, quality) == mode


@pytest.mark.parametrize("url", ["http://a.test", "http://a.test/", "clock", "https://a.test/clock"])
def test_urls_that_name_no_title(url: str) -> None:
    with pytest.raises(OperatorFault):
        mode_of(url, None)


def test_the_query_stays_with_the_manifest() -> None:
    assert manifest_of(Url.parse("http://a.test/clock/?token=1")).target == "/clock/manifest.mpd?token=1"


def test_an_address_with_a_port_needs_no_dns(empty_town: Any) -> None:
    empty_town.server("near", "203.0.113.1")
    viewing = empty_town.watch("http://203.0.113.1:80/clock")
    assert viewing.complete
    assert viewing.lookups == ()
    assert empty_town.questions == []


def test_the_listener_hears_everything_in_the_order_of_the_trace(town: Any) -> None:
    heard: list[Any] = []
    viewing = town.watch(observer=heard.append)
    assert heard[0] == viewing.lookups[0]
    assert [each for each in heard if each in viewing.fetched] == list(viewing.fetched)
    assert len(heard) == len(viewing.lookups) + len(viewing.fetched) + len(viewing.choices) + len(
        viewing.events
    )


def test_a_viewing_is_json(town: Any) -> None:
    viewing = town.watch()
    document = json.loads(json.dumps(viewing.to_json()))
    assert document["complete"] is True
    assert document["bytes"] == sum(each["bytes"] for each in document["fetched"])
    assert document["servers"] == ["near.cdn.test"]
    assert document["lookups"][0]["chain"] == ["movie.cdn.test"]
    assert document["switches"] == 1
    assert document["choices"][1]["reason"].startswith("up:")
    assert document["began_at"] == 1_700_000_000


def test_every_object_has_its_digest(town: Any) -> None:
    viewing = town.watch()
    assert viewing.digests == {each.url: each.sha256 for each in viewing.fetched}


def test_the_same_viewing_twice_gives_the_same_trace(town: Any, empty_town: Any) -> None:
    empty_town.name("www.movie.test", "movie.cdn.test", addresses=["203.0.113.1", "203.0.113.2"])
    empty_town.server("near.cdn.test", "203.0.113.1")
    empty_town.server("next.cdn.test", "203.0.113.2")
    assert town.watch().to_json() == empty_town.watch().to_json()
