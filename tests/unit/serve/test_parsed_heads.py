"""The head lane: remembers, within bounds, and never answers differently."""

from __future__ import annotations

import pytest

from nearcast.serve import parsed_heads
from nearcast.serve.parsed_heads import HEAD_BYTES_MAX, ParsedHeads
from nearcast.wire.http.head import parse_request_head
from nearcast.wire.http.message import HttpFault, RequestHead


def head(target: str, padding: int = 0) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: a\r\nX: {'y' * padding}\r\n\r\n".encode()


class Counting:
    """The core, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, octets: bytes) -> RequestHead:
        self.asked += 1
        return parse_request_head(octets)


def test_it_asks_once_and_answers_alike() -> None:
    core = Counting()
    lane = ParsedHeads(core)
    for target in ("/a", "/b", "/a", "/a", "/b"):
        assert lane(head(target)) == parse_request_head(head(target))
    assert core.asked == 2


def test_faults_pass_through_and_are_not_remembered() -> None:
    core = Counting()
    lane = ParsedHeads(core)
    for _ in range(2):
        with pytest.raises(HttpFault):
            lane(b"GET / HTTP/1.1\r\n\r\n")
    assert core.asked == 2


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsed_heads, "HEADS_MAX", 3)
    core = Counting()
    lane = ParsedHeads(core)
    for number in range(10):
        lane(head(f"/{number}"))
        assert len(lane._known) <= 3
    for _ in range(2):
        lane(head("/long", HEAD_BYTES_MAX))
    assert core.asked == 12, "long heads are not worth their memory"
