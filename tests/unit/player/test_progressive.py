"""Progressive viewings: one quality, range by range, whatever happens to the servers."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from nearcast.model.faults import OperatorFault
from nearcast.player.bandwidth import Profile
from nearcast.player.progressive import RANGE_BYTES, RANGE_BYTES_MIN, range_bytes_for

URL = "http://www.movie.test/clock/progressive/720p.mp4"
PATH = "/clock/progressive/720p.mp4"
SIZE = 2_496_000


class Kept:
    """Where a test keeps the film."""

    def __init__(self) -> None:
        self.octets = bytearray()
        self.restarts = 0

    def write(self, octets: bytes) -> None:
        self.octets += octets

    def restart(self) -> None:
        self.octets.clear()
        self.restarts += 1


def test_the_quality_is_found_and_fetched_range_by_range(town: Any) -> None:
    viewing = town.watch(quality="720p")
    assert viewing.complete
    assert (viewing.mode, viewing.film_seconds) == ("progressive", 12)
    assert town.servers[0].asked == [
        ("/clock/title.json", None),
        (PATH, "bytes=0-1048575"),
        (PATH, "bytes=1048576-2097151"),
        (PATH, "bytes=2097152-3145727"),
    ]
    assert viewing.digests[URL] == hashlib.sha256(town.objects[PATH]).hexdigest()
    ranges = [each for each in viewing.fetched if each.kind == "progressive"]
    assert [(each.number, each.first_byte) for each in ranges] == [(1, 0), (2, 1048576), (3, 2097152)]
    assert sum(each.bytes for each in ranges) == SIZE
    assert {each.rendition for each in ranges} == {"720p"}


@pytest.mark.parametrize("quality", ["540p", "540", " 540P "])
def test_qualities_as_people_write_them(town: Any, quality: str) -> None:
    viewing = town.watch(quality=quality)
    assert viewing.complete
    assert any(each.url.endswith("/540p.mp4") for each in viewing.fetched)


def test_the_manifest_of_a_title_will_do_as_well(town: Any) -> None:
    assert town.watch("http://www.movie.test/clock/manifest.mpd", quality="360p").complete


def test_an_unknown_quality_is_told_which_there_are(town: Any) -> None:
    with pytest.raises(
        OperatorFault, match="there is no quality 1080p of Clock; choose one of 360p, 540p, 720p"
    ):
        town.watch(quality="1080p")


def test_a_file_has_no_qualities(town: Any) -> None:
    with pytest.raises(OperatorFault, match="names one file"):
        town.watch(URL, quality="720p")


def test_a_broken_title_is_the_servers_fault(town: Any) -> None:
    town.servers[0].objects["/clock/title.json"] = town.objects["/clock/title.json"] = b"{}"
    viewing = town.watch(quality="720p")
    assert "does not describe a title" in (viewing.problem or "")


def test_a_film_is_resumed_at_the_byte_reached(town: Any, tricks: Any, tell_kinds: Any) -> None:
    town.servers[0].trick(PATH, tricks.serve_range, tricks.break_off)
    kept = Kept()
    viewing = town.watch(URL, keep_for=lambda kind: kept)
    assert viewing.complete
    assert kept.octets == town.objects[PATH]
    assert kept.restarts == 0
    assert tell_kinds(viewing) == ["failed", "resumed"]
    reached = 1048576 + 524288
    assert town.servers[1].asked[0] == (PATH, f"bytes={reached}-{reached + RANGE_BYTES - 1}")
    assert viewing.bytes == SIZE  # no byte twice


def test_a_server_killed_in_the_middle_of_a_range_is_replaced(town: Any) -> None:
    town.world.loop.call_later(1.0, town.servers[0].host.kill)
    viewing = town.watch(URL, bandwidth=Profile.constant(8e6))
    assert viewing.complete
    assert viewing.servers == ("near.cdn.test", "next.cdn.test")
    assert viewing.bytes == SIZE


def test_another_version_on_the_next_server_starts_the_film_over(
    town: Any, tricks: Any, tell_kinds: Any
) -> None:
    other = bytes(reversed(town.objects[PATH]))

    def honest(exchange: Any, octets: bytes, fields: dict[str, str]) -> None:
        tricks.serve_range(exchange, other, {**fields, "etag": '"2"'})

    town.servers[0].trick(PATH, tricks.serve_range, *[tricks.status(503)] * 9)
    town.servers[1].trick(PATH, *[honest] * 9)
    town.objects[PATH] = other
    kept = Kept()
    viewing = town.watch(URL, keep_for=lambda kind: kept)
    assert viewing.complete
    assert (kept.octets, kept.restarts) == (other, 1)
    assert "restarted" in tell_kinds(viewing)


def test_a_server_that_ignores_if_range_is_seen_through(town: Any, tricks: Any) -> None:
    other = bytes(reversed(town.objects[PATH]))

    def careless(exchange: Any, octets: bytes, fields: dict[str, str]) -> None:
        first, last = exchange.request.fields["range"][6:].split("-")
        part = other[int(first) : int(last) + 1]
        length = f"bytes {first}-{int(first) + len(part) - 1}/{len(other)}"
        exchange.respond(206, {**fields, "etag": '"2"', "content-range": length}, part)

    town.servers[0].trick(PATH, tricks.serve_range, *[tricks.status(503)] * 9)
    town.servers[1].trick(PATH, *[careless] * 9)
    town.objects[PATH] = other
    kept = Kept()
    viewing = town.watch(URL, keep_for=lambda kind: kept)
    assert viewing.complete
    assert (kept.octets, kept.restarts) == (other, 1)


def test_a_film_that_keeps_changing_is_given_up(town: Any) -> None:
    versions = iter(range(100))

    def ever_new(exchange: Any, octets: bytes, fields: dict[str, str]) -> None:
        first, last = exchange.request.fields["range"][6:].split("-")
        part = octets[int(first) : int(last) + 1]
        length = f"bytes {first}-{int(first) + len(part) - 1}/{len(octets)}"
        exchange.respond(206, {"etag": f'"{next(versions)}"', "content-range": length}, part)

    for server in town.servers:
        server.trick(PATH, *[ever_new] * 90)
    viewing = town.watch(URL)
    assert not viewing.complete
    assert "keeps changing" in (viewing.problem or "")


def test_a_server_without_ranges_gives_the_whole_at_once(town: Any) -> None:
    def whole(exchange: Any, octets: bytes, fields: dict[str, str]) -> None:
        exchange.respond(200, fields, octets)

    town.servers[0].trick(PATH, whole)
    viewing = town.watch(URL)
    assert viewing.complete
    assert len(viewing.fetched) == 1


def test_a_server_without_ranges_goes_on_with_the_same_version(town: Any, tricks: Any) -> None:
    def whole(exchange: Any, octets: bytes, fields: dict[str, str]) -> None:
        exchange.respond(200, fields, octets)

    town.servers[0].trick(PATH, tricks.serve_range, whole)
    kept = Kept()
    viewing = town.watch(URL, keep_for=lambda kind: kept)
    assert viewing.complete
    assert (kept.octets, kept.restarts) == (town.objects[PATH], 0)
    assert viewing.bytes == SIZE


@pytest.mark.parametrize(
    "field", ["bytes 5-1048580/2496000", "bytes */2496000", "bytes 0-1048575/*", "?", ""]
)
def test_a_part_that_was_not_asked_for_is_not_kept(town: Any, field: str) -> None:
    def wrong(exchange: Any, octets: bytes, fields: dict[str, str]) -> None:
        exchange.respond(206, {**fields, "content-range": field}, bytes(RANGE_BYTES))

    town.servers[0].trick(PATH, wrong)
    viewing = town.watch(URL)
    assert viewing.complete
    assert viewing.servers == ("next.cdn.test",)


def test_a_body_shorter_than_its_range_is_asked_for_further(town: Any) -> None:
    def short(exchange: Any, octets: bytes, fields: dict[str, str]) -> None:
        exchange.respond(206, {**fields, "content-range": f"bytes 0-1048575/{SIZE}"}, octets[:1000])

    town.servers[0].trick(PATH, short)
    viewing = town.watch(URL)
    assert viewing.complete
    assert "ended at byte 1000 instead of 1048576" in viewing.events[0].sentence


def test_an_empty_film_is_complete_at_once(town: Any) -> None:
    town.servers[0].objects[PATH] = town.objects[PATH] = b""
    assert town.watch(URL).complete


def test_in_real_time_the_film_takes_its_time(town: Any) -> None:
    viewing = town.watch(URL, realtime=True, buffer_seconds=6)
    assert 12 < viewing.seconds < 13
    assert viewing.rebuffer_seconds == 0


def test_after_a_redirect_the_film_comes_from_there_and_the_router_is_asked_again(
    town: Any, tell_kinds: Any
) -> None:
    def to(host: str) -> Any:
        return lambda exchange, octets, fields: exchange.respond(
            302, {**fields, "location": f"http://{host}{PATH}"}
        )

    town.name("near.cdn.test", addresses=["203.0.113.1"])
    town.name("next.cdn.test", addresses=["203.0.113.2"])
    town.name("go.cdn.test", addresses=["203.0.113.9"])
    router = town.server("router", "203.0.113.9", {})
    router.trick(PATH, to("near.cdn.test"), *[to("next.cdn.test")] * 9)
    town.world.loop.call_later(1.0, town.servers[0].host.kill)
    viewing = town.watch(f"http://go.cdn.test{PATH}", bandwidth=Profile.constant(8e6))
    assert viewing.complete
    assert viewing.servers == ("near.cdn.test", "next.cdn.test")
    assert "moved" in tell_kinds(viewing)
    assert viewing.bytes == SIZE


def test_ranges_suit_the_line() -> None:
    assert range_bytes_for(None) == range_bytes_for(1e9) == RANGE_BYTES
    assert range_bytes_for(800e3) == 400_000
    assert range_bytes_for(1000) == RANGE_BYTES_MIN
