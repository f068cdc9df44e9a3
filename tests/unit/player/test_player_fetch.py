"""Failing servers: the viewing ends complete and correct, and the trace says what happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nearcast.player.fetch import RetryPolicy, redirected, served_by
from nearcast.player.url import Url
from nearcast.player.viewing import Viewing

SEGMENT = "/clock/v720/3.m4s"


def test_without_mishap_everything_comes_from_the_first_address(town: Any) -> None:
    viewing = town.watch()
    assert viewing.complete
    assert viewing.servers == ("near.cdn.test",)
    assert viewing.events == ()
    assert {each.cache_status for each in viewing.fetched} == {"hit"}
    assert town.servers[1].asked == []


def test_a_server_that_refuses_connections_is_passed_over(town: Any, tell_kinds: Any) -> None:
    town.servers[0].host.kill()
    viewing = town.watch()
    assert viewing.complete
    assert viewing.servers == ("next.cdn.test",)
    assert tell_kinds(viewing) == ["failed", "resumed"]
    assert "no connection" in viewing.events[0].sentence
    assert viewing.events[0].server_address == "203.0.113.1"


def test_a_server_that_does_not_answer_is_passed_over(town: Any, tell_kinds: Any) -> None:
    town.servers[0].host.crash()
    viewing = town.watch()
    assert viewing.complete
    assert tell_kinds(viewing) == ["failed", "resumed"]
    assert "within 1 s" in viewing.events[0].sentence


def test_a_server_killed_in_the_middle_is_replaced(town: Any, segments_of: Any) -> None:
    town.world.loop.call_later(3.0, town.servers[0].host.kill)
    viewing = town.watch(realtime=True, buffer_seconds=4)
    assert viewing.complete
    assert viewing.servers == ("near.cdn.test", "next.cdn.test")
    served = [each.server_host for each in segments_of(viewing)]
    assert served == sorted(served)  # near first, then next: it does not go back to the dead one
    assert [each.number for each in segments_of(viewing)] == [1, 2, 3, 4, 5, 6]


def test_a_server_that_lost_power_in_the_middle_is_replaced(town: Any, segments_of: Any) -> None:
    town.world.loop.call_later(3.0, town.servers[0].host.crash)
    viewing = town.watch(realtime=True, buffer_seconds=4)
    assert viewing.complete
    assert viewing.servers == ("near.cdn.test", "next.cdn.test")


def test_a_broken_segment_is_fetched_again_from_the_next(town: Any, tricks: Any, segments_of: Any) -> None:
    town.servers[0].trick(SEGMENT, tricks.break_off)
    viewing = town.watch()
    assert viewing.complete
    third = [each for each in segments_of(viewing) if each.number == 3]
    assert [each.server_host for each in third] == ["next.cdn.test"]
    assert "broke off" in viewing.events[0].sentence
    assert "720p/3" in viewing.events[0].sentence


@pytest.mark.parametrize("code", [500, 502, 503, 504, 429, 421])
def test_a_server_that_cannot_is_passed_over(town: Any, tricks: Any, code: int) -> None:
    town.servers[0].trick(SEGMENT, tricks.status(code))
    viewing = town.watch()
    assert viewing.complete
    assert f"answers {code}" in viewing.events[0].sentence


def test_a_body_shorter_than_announced_is_not_kept(town: Any, segments_of: Any) -> None:
    async def short(exchange: Any, octets: bytes, fields: dict[str, str]) -> None:
        exchange.begin(200, fields, len(octets))
        await exchange.write(octets[:-1])
        exchange.break_off()

    town.servers[0].trick(SEGMENT, short)
    viewing = town.watch()
    assert viewing.complete
    assert all(each.bytes == 400_000 for each in segments_of(viewing)[1:])


def test_a_part_where_the_whole_was_asked_for_is_not_kept(town: Any) -> None:
    def part(exchange: Any, octets: bytes, fields: dict[str, str]) -> None:
        exchange.respond(206, {**fields, "content-range": "bytes 0-9/400000"}, octets[:10])

    town.servers[0].trick(SEGMENT, part)
    viewing = town.watch()
    assert viewing.complete
    assert "a part where the whole" in viewing.events[0].sentence


def test_a_server_that_stalls_is_passed_over(town: Any) -> None:
    async def stall(exchange: Any, octets: bytes, fields: dict[str, str]) -> None:
        import asyncio

        exchange.begin(200, fields, len(octets))
        await exchange.write(octets[:100])
        await asyncio.sleep(3600)

    town.servers[0].trick(SEGMENT, stall)
    viewing = town.watch()
    assert viewing.complete
    assert "within 2 s" in viewing.events[0].sentence


def test_when_all_addresses_are_dead_the_dns_may_know_better(town: Any, tell_kinds: Any) -> None:
    for server in town.servers:
        server.host.kill()
    town.server("far.cdn.test", "203.0.113.3")
    town.on_question = lambda name: (
        town.name(name, addresses=["203.0.113.3"]) if len(town.questions) == 2 else None
    )
    viewing = town.watch()
    assert viewing.complete
    assert viewing.servers == ("far.cdn.test",)
    assert tell_kinds(viewing) == ["failed", "failed", "again", "resumed"]
    assert [lookup.addresses for lookup in viewing.lookups] == [
        ("203.0.113.1", "203.0.113.2"),
        ("203.0.113.3",),
    ]


def test_when_everything_stays_dead_the_viewing_ends_within_its_patience(town: Any, tell_kinds: Any) -> None:
    for server in town.servers:
        server.host.kill()
    town.patience = RetryPolicy(turns_max=3, backoff_seconds=0.5, answer_seconds_max=0)
    viewing = town.watch()
    assert not viewing.complete
    assert not viewing.reached
    assert viewing.problem == "no server gives http://www.movie.test/clock/manifest.mpd; tried 3 rounds"
    assert tell_kinds(viewing).count("again") == 2
    assert tell_kinds(viewing)[-1] == "ended"
    assert 0.75 <= viewing.seconds < 3


def test_dead_servers_are_asked_until_the_answer_that_names_them_has_expired(town: Any) -> None:
    for server in town.servers:
        server.host.kill()
    town.server("far.cdn.test", "203.0.113.3")
    expires = 31  # the resolver keeps the answer for 30 s, whoever died meanwhile
    town.on_question = lambda name: (
        town.name(name, addresses=["203.0.113.3"]) if town.world.loop.time() > expires else None
    )
    viewing = town.watch()
    assert viewing.complete, viewing.problem
    assert viewing.servers == ("far.cdn.test",)


def test_an_answer_that_lives_for_a_day_is_not_waited_out(town: Any) -> None:
    for server in town.servers:
        server.host.kill()
    town.name("www.movie.test", "movie.cdn.test", addresses=["203.0.113.1", "203.0.113.2"], ttl=86_400)
    viewing = town.watch()
    assert not viewing.complete
    assert 60 < viewing.seconds < 80


def test_a_server_that_comes_back_is_found_again(town: Any) -> None:
    for server in town.servers:
        server.host.crash()
    town.world.loop.call_later(5.0, town.servers[1].host.restart)
    viewing = town.watch()
    assert viewing.complete
    assert viewing.servers == ("next.cdn.test",)


def test_a_dead_resolver_is_told(town: Any) -> None:
    town.dns.kill()
    town.patience = RetryPolicy(turns_max=2, backoff_seconds=0.1)
    viewing = town.watch()
    assert not viewing.reached
    assert "resolver name server 192.0.2.53:53 gives no answer" in viewing.events[0].sentence


def test_a_name_that_does_not_exist_is_not_asked_for_again(town: Any) -> None:
    viewing = town.watch("http://www.moovie.test/clock")
    assert viewing.problem == "there is no host www.moovie.test: NXDOMAIN"
    assert len(town.questions) == 1


def test_servfail_is_asked_for_again(town: Any) -> None:
    town.rcodes["www.movie.test"] = 2
    records = town.records.pop("www.movie.test")

    def recover(name: str) -> None:
        if len(town.questions) == 3:
            town.rcodes.clear()
            town.records[name] = records

    town.on_question = recover
    viewing = town.watch()
    assert viewing.complete
    assert "SERVFAIL" in viewing.events[0].sentence


@pytest.mark.parametrize("code", [403, 404, 410])
def test_what_a_server_says_is_not_there_is_believed(town: Any, tricks: Any, code: int) -> None:
    town.servers[0].trick(SEGMENT, tricks.status(code))
    viewing = town.watch()
    assert not viewing.complete
    assert viewing.reached
    assert f"answers {code}" in (viewing.problem or "")
    assert town.servers[1].asked == []


# --- redirects ----------------------------------------------------------------------------------------


def to(location: str) -> Callable[..., None]:
    return lambda exchange, octets, fields: exchange.respond(302, {**fields, "location": location})


@pytest.fixture
def routed(town: Any) -> Any:
    """As the town, and `/clock` at the router leads to one of two servers by name, near first."""
    town.name("near.cdn.test", addresses=["203.0.113.1"])
    town.name("next.cdn.test", addresses=["203.0.113.2"])
    town.name("go.cdn.test", addresses=["203.0.113.9"])
    router = town.server("router", "203.0.113.9", {})
    near = to("http://near.cdn.test/clock/manifest.mpd")
    following = to("http://next.cdn.test/clock/manifest.mpd")
    router.trick("/clock/manifest.mpd", near, *[following] * 5)
    return town


def test_redirects_are_followed_and_segments_come_from_there(routed: Any, tell_kinds: Any) -> None:
    viewing = routed.watch("http://go.cdn.test/clock")
    assert viewing.complete
    assert tell_kinds(viewing) == ["redirect"]
    assert len(routed.servers[2].asked) == 1
    assert viewing.servers == ("near.cdn.test",)


def test_when_the_server_of_a_redirect_dies_the_router_is_asked_again(routed: Any, tell_kinds: Any) -> None:
    routed.world.loop.call_later(3.0, routed.servers[0].host.kill)
    viewing: Viewing = routed.watch("http://go.cdn.test/clock", realtime=True, buffer_seconds=4)
    assert viewing.complete
    assert viewing.servers == ("near.cdn.test", "next.cdn.test")
    assert tell_kinds(viewing)[-2:] == ["moved", "resumed"] or "moved" in tell_kinds(viewing)


def test_when_the_router_knows_no_better_the_viewing_ends(routed: Any) -> None:
    routed.servers[2].tricks["/clock/manifest.mpd"] = [to("http://near.cdn.test/clock/manifest.mpd")] * 9
    routed.world.loop.call_later(3.0, routed.servers[0].host.kill)
    viewing: Viewing = routed.watch("http://go.cdn.test/clock", realtime=True, buffer_seconds=4)
    assert not viewing.complete


def test_relative_redirects_are_understood(town: Any, tricks: Any) -> None:
    town.servers[0].trick("/old", to("/clock/manifest.mpd"))
    town.servers[0].trick("/old/manifest.mpd", to("../clock/manifest.mpd"))
    assert town.watch("http://www.movie.test/old").complete


def test_redirects_in_a_circle_end(town: Any) -> None:
    town.servers[0].trick("/a.mpd", *[to("/b.mpd")] * 9)
    town.servers[0].trick("/b.mpd", *[to("/a.mpd")] * 9)
    viewing = town.watch("http://www.movie.test/a.mpd")
    assert "more than 5 redirects" in (viewing.problem or "")


@pytest.mark.parametrize("location", ["https://a.test/", "http://[", "mailto:me"])
def test_redirects_that_lead_nowhere_are_that_servers_fault(town: Any, location: str) -> None:
    town.servers[0].trick("/clock/manifest.mpd", to(location))
    viewing = town.watch()
    assert viewing.complete
    assert "redirects to" in viewing.events[0].sentence


def test_a_redirect_to_itself_is_that_servers_fault() -> None:
    url = Url.parse("http://a.test/x")
    with pytest.raises(Exception, match="to itself"):
        redirected(url, "/x", "a.test")


# --- who served ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "served"),
    [
        ({"cache-status": "ia2.cdn.test; hit; ttl=3"}, ("ia2.cdn.test", "hit")),
        ({"cache-status": 'shield; hit, "ia2"; fwd=uri-miss; stored'}, ("ia2", "miss")),
        ({"cache-status": "ia2; fwd=stale; fwd-status=304"}, ("ia2", "stale")),
        ({"cache-status": "ia2; fwd=bypass"}, ("ia2", "bypass")),
        ({"cache-status": "=;;", "via": "1.1 origin, 1.1 ia2.cdn.test"}, ("ia2.cdn.test", "")),
        ({"via": "1.1"}, (None, "")),
        ({}, (None, "")),
    ],
)
def test_servers_say_who_they_are(fields: dict[str, str], served: tuple[str | None, str]) -> None:
    assert served_by(fields) == served
