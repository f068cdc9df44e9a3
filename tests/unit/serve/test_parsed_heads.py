"""The lane of heads: remembers, within bounds, and never answers differently."""

from __future__ import annotations

import sys

import pytest

from nearcast.serve import parsed_heads
from nearcast.serve.parsed_heads import KEY_BYTES_MAX, Memory, ParsedHeads
from nearcast.wire.http.head import parse_request_head, parse_request_line
from nearcast.wire.http.message import HttpFault

MEBIBYTE = 1024 * 1024


def head(target: str, number: int = 0, padding: int = 0) -> bytes:
    """A request as a player sends it, with one of many sets of fields."""
    return (
        f"GET {target} HTTP/1.1\r\nHost: www.movie.test:8080\r\nConnection: keep-alive\r\n"
        f"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/{number}\r\n"
        f"Accept: */*\r\nOrigin: http://www.movie.test\r\nRange: bytes={number}-\r\n"
        f"Accept-Language: en-US,en;q=0.9\r\nX: {'y' * padding}\r\n\r\n"
    ).encode()


def count(lane: ParsedHeads, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the lane has parsed since, in order."""
    asked: list[str] = []
    for name, memory in (("line", lane.lines), ("fields", lane.fields)):
        parse = memory._parse
        monkeypatch.setattr(
            memory, "_parse", lambda octets, name=name, parse=parse: asked.append(name) or parse(octets)
        )
    return asked


def test_it_asks_once_and_answers_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    lane = ParsedHeads()
    asked = count(lane, monkeypatch)
    for target in ("/a", "/b", "/a", "/a", "/b"):
        assert lane(head(target)) == parse_request_head(head(target))
    assert asked == ["line", "fields", "line"]


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /\r\n\r\n",
    ],
)
def test_faults_pass_through_and_are_not_remembered(octets: bytes) -> None:
    lane = ParsedHeads()
    statuses = []
    for parse in (lane, lane, parse_request_head):
        with pytest.raises(HttpFault) as caught:
            parse(octets)
        statuses.append(caught.value.status)
    assert statuses == [400] * 3


def test_one_block_of_fields_serves_every_version_and_authority() -> None:
    lane = ParsedHeads()
    fields = b"\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n"
    for line in (b"GET / HTTP/1.1", b"GET / HTTP/1.0", b"GET http://b.test/ HTTP/1.1", b"GET / HTTP/1.1"):
        assert lane(line + fields) == parse_request_head(line + fields)
    assert len(lane.fields.known) == 1


def test_a_thousand_urls_and_fifty_sets_of_fields_are_all_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lane = ParsedHeads()
    asked = count(lane, monkeypatch)
    for _ in range(2):
        for url in range(1000):
            for number in range(url % 5, 50, 5):
                lane(head(f"/movie/segment-{url}.m4s", number))
    assert (asked.count("line"), asked.count("fields")) == (1000, 50)
    assert lane.lines.bytes_held + lane.fields.bytes_held < MEBIBYTE


def really_held(memory: Memory[tuple[object, ...]]) -> int:
    """Bytes of everything that a memory keeps, each object once."""
    seen: dict[int, int] = {}

    def walk(thing: object) -> None:
        if id(thing) in seen or thing is None or isinstance(thing, bool):
            return
        seen[id(thing)] = sys.getsizeof(thing)
        if isinstance(thing, dict):
            for name, value in thing.items():
                walk(name)
                walk(value)
        elif isinstance(thing, tuple):
            for part in thing:
                walk(part)

    walk(memory.known)
    return sum(seen.values())


@pytest.mark.parametrize("padding", [0, 1500, 3000])
def test_its_memory_is_what_it_says_and_stays_in_bounds(
    padding: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsed_heads, "LINES_BYTES_MAX", MEBIBYTE // 4)
    monkeypatch.setattr(parsed_heads, "FIELDS_BYTES_MAX", MEBIBYTE // 2)
    lane = ParsedHeads()
    most = 0
    for number in range(2000):
        lane(head(f"/{number}", number, padding))
        assert lane.lines.bytes_held <= MEBIBYTE // 4
        assert lane.fields.bytes_held <= MEBIBYTE // 2
        if number % 100 == 0:
            for memory in (lane.lines, lane.fields):
                assert really_held(memory) <= memory.bytes_held + 1024  # an empty dictionary, and a little
            most = max(most, lane.fields.bytes_held)
    assert most > MEBIBYTE // 8, "it would not be worth its name"


def test_long_keys_are_not_worth_their_memory() -> None:
    lane = ParsedHeads()
    for _ in range(2):
        lane(head("/" + "a" * KEY_BYTES_MAX, padding=KEY_BYTES_MAX))
    assert not lane.lines.known and not lane.fields.known


def test_a_full_memory_is_emptied_and_goes_on() -> None:
    memory = Memory(parse_request_line, lambda line: 1000, 5000)
    for number in range(10):
        memory.learn(b"GET /%d HTTP/1.1" % number)
        assert 0 < len(memory.known) <= 4
