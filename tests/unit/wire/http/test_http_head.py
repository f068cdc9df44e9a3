"""Heads in and out. What the server answers to malformed ones is told in the connections of `serve`."""

from __future__ import annotations

import pytest

from nearcast.wire.http.head import (
    encode_request_head,
    encode_response_head,
    end_of_head,
    parse_request_head,
    parse_response_head,
)
from nearcast.wire.http.message import HttpFault, RequestHead


@pytest.mark.parametrize(
    ("octets", "start", "end"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 0, 18),
        (b"GET / HTTP/1.1\r\n\r", 0, -1),
        (b"GET / HTTP/1.1\r\n\r\nbody\r\n\r\n", 0, 18),
        (b"xx\r\n\r\nGET / HTTP/1.1\r\n\r\n", 6, 24),
        (b"GET / HTTP/1.1\n\nGET / HTTP/1.1\r\n\r\n", 0, 16),
        (b"", 0, -1),
    ],
)
def test_the_end_of_a_head(octets: bytes, start: int, end: int) -> None:
    assert end_of_head(octets, start) == end


def test_a_request() -> None:
    head, keep_alive, minor_version = parse_request_head(
        b"GET /a?b=c HTTP/1.1\r\nHOST: A.test:80\r\nAccept: x\r\nEmpty:\r\naccept:  y \r\nName: \xe9\r\n\r\n"
    )
    fields = {"host": "A.test:80", "accept": "x, y", "empty": "", "name": "é"}
    assert head == RequestHead("GET", "/a?b=c", fields)
    assert (keep_alive, minor_version) == (True, 1)
    assert (head.path, head.query, head.host) == ("/a", "b=c", "a.test")


@pytest.mark.parametrize(
    ("line", "target", "host"),
    [
        (b"GET http://b.test:81/x?y HTTP/1.1", "/x?y", "b.test:81"),
        (b"GET HTTP://b.test HTTP/1.1", "/", "b.test"),
        (b"GET https://b.test?y HTTP/1.1", "/?y", "b.test"),
        (b"GET http://[::1]:80/ HTTP/1.1", "/", "[::1]:80"),
        (b"OPTIONS http://b.test HTTP/1.1", "*", "b.test"),
        (b"GET //x/../y HTTP/1.1", "//x/../y", "a.test"),
    ],
)
def test_targets_come_out_in_origin_form(line: bytes, target: str, host: str) -> None:
    head = parse_request_head(line + b"\r\nHost: a.test\r\n\r\n").head
    assert (head.target, head.fields["host"]) == (target, host)


@pytest.mark.parametrize("target", [b"ftp://a/", b"http://", b"http:///x", b"http://u@a/", b"a", b"*"])
def test_targets_that_are_none(target: bytes) -> None:
    with pytest.raises(HttpFault) as caught:
        parse_request_head(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert caught.value.status == 400


def test_a_head_that_ends_earlier_for_another_reader() -> None:
    with pytest.raises(HttpFault):
        parse_request_head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
    with pytest.raises(HttpFault):
        parse_request_head(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
    with pytest.raises(ValueError):
        parse_response_head(b"HTTP/1.1 200 OK\r\n\r\nx")


@pytest.mark.parametrize(
    ("octets", "keep_alive"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.0 200 OK\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Upgrade, close\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", True),
        (b"HTTP/1.1 200\r\n\r\n", True),
    ],
)
def test_a_response(octets: bytes, keep_alive: bool) -> None:
    received = parse_response_head(octets)
    assert (received.head.status, received.keep_alive) == (200, keep_alive)


@pytest.mark.parametrize(
    "octets",
    [b"HTTP/2.0 200 OK\r\n\r\n", b"ICY 200 OK\r\n\r\n", b"HTTP/1.1 2x0 OK\r\n\r\n", b"HTTP/1.1 200 OK\n\n"],
)
def test_a_response_that_is_none(octets: bytes) -> None:
    with pytest.raises(ValueError):
        parse_response_head(octets)


def test_heads_go_out_in_order() -> None:
    fields = {"host": "a", "x-y": "é"}
    assert encode_request_head("GET", "/", fields) == b"GET / HTTP/1.1\r\nhost: a\r\nx-y: \xe9\r\n\r\n"
    assert encode_response_head(206, {"a": "b"}, b"c: d\r\n") == (
        b"HTTP/1.1 206 Partial Content\r\na: b\r\nc: d\r\n\r\n"
    )
    assert encode_response_head(299, {}) == b"HTTP/1.1 299 \r\n\r\n"


@pytest.mark.parametrize(
    "fields",
    [
        {"a": "b\r\nc: d"},
        {"a": "b\n"},
        {"a": "b\r"},
        {"a": "\x00"},
        {"a\r\nb": "c"},
        {"a: b\r\nc": "d"},
        {"": "a"},
        {"a b": "c"},
        {"ä": "b"},
        {"a": "b", "c": "d\r\ne: f"},
    ],
)
def test_nothing_can_be_smuggled_into_a_head(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        encode_response_head(200, fields)
    with pytest.raises(ValueError):
        encode_request_head("GET", "/", fields)


@pytest.mark.parametrize(
    ("method", "target"), [("GET /", "/"), ("", "/"), ("GET", "/ x"), ("GET", "/\r\n"), ("GET", "")]
)
def test_nothing_can_be_smuggled_into_a_request_line(method: str, target: str) -> None:
    with pytest.raises(ValueError):
        encode_request_head(method, target, {})


def test_what_is_no_latin_1_is_refused() -> None:
    with pytest.raises(ValueError):
        encode_response_head(200, {"a": "日"})


def test_a_head_that_trickles_in_is_searched_where_it_is_new() -> None:
    octets = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest"
    for have in range(len(octets)):
        for more in range(have, len(octets) + 1):
            if end_of_head(octets[:have]) < 0:
                assert end_of_head(octets[:more], 0, have) == end_of_head(octets[:more])


def test_a_field_that_came_often_is_joined_in_order() -> None:
    lines = b"".join(b"a: %d\r\nb: x\r\n" % number for number in range(1000))
    fields = parse_request_head(b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n").head.fields
    assert fields["a"] == ", ".join(map(str, range(1000)))
    assert list(fields) == ["host", "a", "b"]


@pytest.mark.parametrize("status", [100, 299, 599, 600, 799, 999])
def test_a_status_of_three_digits_goes_through_as_it_came(status: int) -> None:
    head = parse_response_head(b"HTTP/1.1 %d Odd\r\nContent-Length: 0\r\n\r\n" % status).head
    assert head.status == status
    assert encode_response_head(status, {}).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize("status", [b"000", b"099", b"99", b"1000", b"-20", b"2e2", b""])
def test_what_is_no_status_is_malformed(status: bytes) -> None:
    with pytest.raises(ValueError):
        parse_response_head(b"HTTP/1.1 " + status + b" Odd\r\n\r\n")


@pytest.mark.parametrize("status", [-1, 0, 99, 1000])
def test_what_is_no_status_is_not_written(status: int) -> None:
    with pytest.raises(ValueError, match="no status"):
        encode_response_head(status, {})
