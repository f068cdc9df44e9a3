"""One request at a time: who is asked, what is answered, and what Cache-Status says of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nearcast.serve.http_server import Exchange

Play = Callable[..., None]


def test_a_miss_is_filled_and_the_second_request_is_a_hit(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture", last_modified="Tue, 14 Nov 2023 00:00:00 GMT")
        first = await cdn.get("/a")
        assert (first.status, first.body) == (200, b"picture")
        assert (first.cache.fwd, first.cache.fwd_status, first.cache.stored) == ("miss", 200, True)
        assert "fill;dur=" in first.fields["server-timing"]
        cdn.now += 7.5
        second = await cdn.get("/a")
        assert (second.status, second.body) == (200, b"picture")
        assert (second.cache.cache, second.cache.hit, second.cache.ttl) == ("ia2.cdn.test", True, 52)
        assert second.fields["age"] == "7"
        assert "server-timing" not in second.fields
        assert cdn.asked["/a"] == 1
        for answer in (first, second):
            assert answer.fields["etag"] == '"v1"'
            assert answer.fields["last-modified"] == "Tue, 14 Nov 2023 00:00:00 GMT"
            assert answer.fields["content-type"] == "video/mp4"
            assert answer.fields["accept-ranges"] == "bytes"
            assert answer.fields["via"] == "1.1 ia2.cdn.test"
            assert answer.fields["access-control-allow-origin"] == "*"
            assert "cache-status" in answer.fields["access-control-expose-headers"]

    play(story)


def test_the_origin_is_told_who_asks_and_nothing_of_the_viewer(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        await cdn.get("/a", cookie="secret=1", range="bytes=1-2", if_none_match='"x"', accept_encoding="br")
        fields = cdn.requests[0].fields
        assert fields["host"] == f"127.0.0.1:{cdn.origin_port}"
        assert fields["via"] == "1.1 ia2.cdn.test"
        assert fields["cdn-loop"] == "ia2.cdn.test"
        assert fields["accept-encoding"] == "identity"
        assert not {"cookie", "range", "if-none-match"} & set(fields)

    play(story)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("www.movie.test", 200),
        ("movie.cdn.test:8080", 200),
        ("s07.movie.cdn.test", 200),
        ("ia2.cdn.test", 200),
        ("127.0.0.2:8080", 200),
        ("127.0.0.1", 421),
        ("www.other.test", 421),
        ("s99.movie.cdn.test", 421),
    ],
)
def test_host_says_whose_content_it_is(play: Play, host: str, status: int) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        assert (await cdn.get("/a", host=host)).status == status

    play(story)


def test_a_servers_own_name_means_no_site_when_there_are_two(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        another = (
            '[[distributions]]\nname = "other"\nhosts = ["www.other.test"]\norigin = "http://127.0.0.1:1"'
        )
        await cdn.edge.swap(cdn.snapshot(2, more=another))
        assert (await cdn.get("/a", host="ia2.cdn.test")).status == 421
        assert (await cdn.get("/a", host="www.movie.test")).status == 200
        assert (await cdn.admin("GET", "/health"))["snapshot"] == 2

    play(story)


def test_other_methods(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        preflight = await cdn.get("/a", "OPTIONS", origin="http://www.movie.test")
        assert preflight.status == 204
        assert preflight.fields["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
        for method in ("POST", "PUT", "DELETE", "BREW"):
            refused = await cdn.get("/a", method)
            assert (refused.status, refused.fields["allow"]) == (405, "GET, HEAD, OPTIONS")
        assert not cdn.asked

    play(story)


def test_an_origin_that_leads_back_here_is_no_origin(play: Play) -> None:
    async def story(cdn: Any) -> None:
        assert (await cdn.get("/a", cdn_loop="elsewhere, IA2.cdn.test;v=1")).status == 508
        assert (await cdn.get("/a", cdn_loop="ia2.cdn.test.example")).status == 404

    play(story)


def test_an_endless_target_is_refused(play: Play) -> None:
    async def story(cdn: Any) -> None:
        assert (await cdn.get("/" + "a" * 5000)).status == 414

    play(story)


def test_spellings_of_one_target_are_one_object(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.pages["/~a%2F"] = lambda exchange: exchange.respond(200, {"cache-control": "max-age=9"}, b"x")
        assert (await cdn.get("/%7ea%2f")).status == 200
        assert (await cdn.get("/~a%2F")).cache.hit
        assert not (await cdn.get("/~a%2F?q")).cache.hit

    play(story)


def test_head_is_answered_from_the_store_and_fills_it(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        miss = await cdn.get("/a", "HEAD")
        assert (miss.status, miss.body, miss.fields["content-length"]) == (200, b"", "7")
        assert cdn.requests[0].method == "GET"
        hit = await cdn.get("/a", "HEAD")
        assert (hit.cache.hit, hit.body, hit.fields["content-length"]) == (True, b"", "7")

    play(story)


def test_ranges_and_conditions_of_a_stored_object(play: Play) -> None:
    async def story(cdn: Any) -> None:
        body = bytes(range(256)) * 1600  # more than is answered at once
        cdn.page("/a", body, last_modified="Tue, 14 Nov 2023 00:00:00 GMT")
        for _ in ("fill", "hit"):
            part = await cdn.get("/a", range="bytes=10-19")
            assert (part.status, part.body) == (206, body[10:20])
            assert part.fields["content-range"] == f"bytes 10-19/{len(body)}"
            assert (await cdn.get("/a", range="bytes=1-")).body == body[1:]
            assert (await cdn.get("/a", range="bytes=-5")).body == body[-5:]
            beyond = await cdn.get("/a", range="bytes=600000-")
            assert (beyond.status, beyond.fields["content-range"]) == (416, f"bytes */{len(body)}")
            assert (await cdn.get("/a", range="bytes=0-3", if_range='"old"')).body == body
            assert (await cdn.get("/a", range="bytes=0-3", if_range='"v1"')).body == body[:4]
            assert (await cdn.get("/a", range="bytes=0-3, 7-9")).status == 200
            unchanged = await cdn.get("/a", if_none_match='W/"v1"')
            assert (unchanged.status, unchanged.body) == (304, b"")
            assert "content-type" not in unchanged.fields
            assert (await cdn.get("/a", if_modified_since="Wed, 15 Nov 2023 00:00:00 GMT")).status == 304
            assert (await cdn.get("/a", if_match='"other"')).status == 412
            assert (await cdn.get("/a")).body == body
        assert cdn.asked["/a"] == 1

    play(story)


def test_the_condition_of_a_miss_is_answered_when_its_head_is_here(play: Play) -> None:
    async def story(cdn: Any) -> None:
        slow = cdn.slow_page("/a", [b"picture"])
        unchanged = await cdn.get("/a", if_none_match='"v1"')
        assert (unchanged.status, unchanged.cache.fwd) == (304, "miss")
        slow.let()

    play(story)


@pytest.mark.parametrize("status", [404, 410])
def test_not_found_is_believed_briefly(play: Play, status: int) -> None:
    async def story(cdn: Any) -> None:
        cdn.pages["/a"] = lambda exchange: exchange.respond(status, {}, b"no")
        assert (await cdn.get("/a")).status == status
        again = await cdn.get("/a", range="bytes=0-0")
        assert (again.status, again.body, again.cache.hit) == (status, b"no", True)
        cdn.now += 3
        assert not (await cdn.get("/a")).cache.hit
        assert cdn.asked["/a"] == 2

    play(story)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"cache-control": "no-store"}, "no-store"),
        ({"cache-control": "private, max-age=60"}, "private"),
        ({"cdn-cache-control": "no-store", "cache-control": "max-age=60"}, "no-store"),
        ({"cache-control": "max-age=60", "vary": "*"}, "vary"),
        ({"cache-control": "max-age=60", "vary": "Accept-Encoding, Cookie"}, "vary"),
        ({"cache-control": "max-age=60", "set-cookie": "a=1"}, "set-cookie"),
    ],
)
def test_what_may_not_be_shared_is_passed_on_and_not_stored(
    play: Play, fields: dict[str, str], why: str
) -> None:
    async def story(cdn: Any) -> None:
        cdn.pages["/a"] = lambda exchange: exchange.respond(200, fields, b"mine")
        for _ in range(2):
            answer = await cdn.get("/a")
            assert (answer.body, answer.cache.stored, answer.cache.detail) == (b"mine", False, why)
            assert answer.fields.get("set-cookie") == fields.get("set-cookie")
        assert cdn.asked["/a"] == 2
        assert len(cdn.disk.entries("objects")) == 0

    play(story)


def test_vary_on_the_coding_makes_no_difference_here(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture", vary="Accept-Encoding")
        await cdn.get("/a", accept_encoding="gzip")
        assert (await cdn.get("/a", accept_encoding="br")).cache.hit

    play(story)


@pytest.mark.parametrize("status", [500, 503])
def test_errors_of_the_origin_are_passed_on_and_not_stored(play: Play, status: int) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"trouble", status)
        for _ in range(2):
            answer = await cdn.get("/a")
            assert (answer.status, answer.body, answer.cache.fwd_status) == (status, b"trouble", status)
        assert cdn.asked["/a"] == 2

    play(story)


def test_a_body_without_a_known_end_is_not_stored(play: Play) -> None:
    async def until_close(exchange: Exchange) -> None:
        exchange.channel.transport.write(b"HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\n\r\nwhole?")
        exchange.channel.transport.close()
        exchange.status, exchange.answered = 200, True

    async def story(cdn: Any) -> None:
        cdn.pages["/a"] = until_close
        answer = await cdn.get("/a")
        assert (answer.body, answer.cache.detail) == (b"whole?", "no length")
        assert not (await cdn.get("/a")).cache.hit

    play(story)


def test_a_chunked_body_is_stored(play: Play) -> None:
    async def story(cdn: Any) -> None:
        slow = cdn.slow_page("/a", [b"one ", b"two"])
        slow.announced = False
        slow.let()
        first = await cdn.get("/a", range="bytes=0-1")
        assert (first.status, first.body) == (200, b"one two")  # the whole: its size was not known yet
        second = await cdn.get("/a", range="bytes=0-1")
        assert (second.status, second.body, second.cache.hit) == (206, b"on", True)

    play(story)


def test_an_object_beyond_the_bound_is_passed_on(play: Play) -> None:
    async def story(cdn: Any) -> None:
        body = bytes(600_000)  # more than half of the store
        cdn.page("/a", body)
        for _ in range(2):
            answer = await cdn.get("/a")
            assert (answer.body, answer.cache.stored, answer.cache.detail) == (body, False, "no room")
        slow = cdn.slow_page("/b", [body[:400_000], body[400_000:]])
        slow.announced = False
        slow.let()
        assert (await cdn.get("/b")).body == body
        assert not (await cdn.get("/b")).cache.hit
        assert cdn.disk.entries("filling") == []

    play(story)


def test_what_needs_credentials_is_between_viewer_and_origin(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"for all")
        await cdn.get("/a")
        answer = await cdn.get("/a", authorization="Bearer 1")
        assert (answer.cache.fwd, answer.cache.stored) == ("bypass", False)
        assert cdn.requests[-1].fields["authorization"] == "Bearer 1"
        assert (await cdn.get("/a")).cache.hit

    play(story)


def test_only_if_cached_asks_no_origin(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        assert (await cdn.get("/a", cache_control="only-if-cached")).status == 504
        assert not cdn.asked
        await cdn.get("/a", cache_control="no-cache")
        assert (await cdn.get("/a", cache_control="only-if-cached")).cache.hit
        assert (await cdn.get("/a", cache_control="no-cache")).cache.hit  # viewers cannot empty the cache

    play(story)


def test_reports_of_caches_above_are_kept_before_ours(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture", cache_status="shield; hit", via="1.1 shield", age="20")
        first = await cdn.get("/a")
        assert first.fields["cache-status"].startswith("shield; hit, ia2.cdn.test")
        assert first.fields["via"] == "1.1 shield, 1.1 ia2.cdn.test"
        second = await cdn.get("/a")
        assert (second.fields["age"], second.cache.ttl) == ("20", 40)
        assert "shield" not in second.fields["cache-status"]

    play(story)
