"""Framing over TCP, as connections: what comes in, what must go out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearcast.uppercase.capitals import is_error
from nearcast.uppercase.lines import Lines

QUIET, END = "quiet", "end"


def make_connection(*events: bytes | str, line_bytes_max: int = 65536) -> bytes:
    lines = Lines(line_bytes_max)
    replies = [
        lines.quiet() if event == QUIET else lines.ended() if event == END else lines.received(event)
        for event in events
    ]
    return b"".join(replies)


@pytest.mark.parametrize(
    ("events", "replies"),
    [
        ([b"hello\n"], "HELLO\n"),
        ([b"hello\r\n"], "HELLO\r\n"),
        ([b"he", b"ll", b"o\nw", b"orld\n"], "HELLO\nWORLD\n"),
        ([b"a\nb\nc\n"], "A\nB\nC\n"),
        ([b"\n\n"], "\n\n"),
        ([b"hello"], ""),
        ([b"hello", QUIET], "HELLO"),
        ([b"hello", END], "HELLO"),
        ([b"a\nhello", END], "A\nHELLO"),
        ([b"hel", QUIET, b"lo\n"], "HELLO\n"),
        ([b"hello", QUIET, b"\n"], "HELLO\n"),
        ([b"caf\xc3", QUIET, b"\xa9\n"], "CAFÉ\n"),
        ([b"caf\xc3", QUIET, QUIET, b"\xa9", QUIET], "CAFÉ"),
        ([b"\xf0\x9f", QUIET, b"\x98", QUIET, b"\x80", QUIET], "😀"),
        ([END], ""),
    ],
)
def test_conversation(events: list[bytes | str], replies: str) -> None:
    assert make_connection(*events) == replies.encode()


@pytest.mark.parametrize(
    "events",
    [[b"caf\xc3", END], [b"caf\xc3\n"], [b"caf\xc3", QUIET, b"\n"], [b"\xff", QUIET], [b"a\xffb\n"]],
)
def test_a_cut_or_wrong_character_gets_an_error_line(events: list[bytes | str]) -> None:
    *_, error = make_connection(*events).removeprefix(b"CAF").splitlines(keepends=True)
    assert is_error(error)
    assert error.endswith(b"\n")


def test_after_an_error_the_next_line_is_answered() -> None:
    error, capitals = make_connection(b"\xff\nhello\n").splitlines()
    assert is_error(error)
    assert capitals == b"HELLO"


@pytest.mark.parametrize(
    "events",
    [
        [b"123456789", b"012\nnext\n"],
        [b"123456789012\nnext\n"],
        [b"12345678", b"9", b"0", b"\nnext\n"],
        [b"123456789", QUIET, b"next\n"],
    ],
)
def test_a_line_too_long_is_answered_once_and_skipped(events: list[bytes | str]) -> None:
    error, capitals = make_connection(*events, line_bytes_max=8).splitlines()
    assert is_error(error)
    assert b"up to 8 octets" in error
    assert capitals == b"NEXT"


def test_a_line_of_exactly_the_limit_is_answered() -> None:
    assert make_connection(b"12345678\n", line_bytes_max=8) == b"12345678\n"


def test_what_a_connection_keeps_is_bounded() -> None:
    lines = Lines(8)
    for _ in range(1000):
        lines.received(b"x" * 100)
    assert len(lines._begun) <= 8


@given(st.text(max_size=60), st.lists(st.tuples(st.integers(0, 200), st.booleans()), max_size=12))
def test_however_text_is_cut_and_whenever_it_is_quiet_the_replies_are_its_capitals(
    text: str, cuts: list[tuple[int, bool]]
) -> None:
    octets = text.encode()
    events: list[bytes | str] = []
    begin = 0
    for cut, quiet in sorted(cuts):
        events += [octets[begin:cut], *([QUIET] if quiet else [])]
        begin = max(begin, cut)
    assert make_connection(*events, octets[begin:], END) == text.upper().encode()


@given(st.lists(st.binary(max_size=40) | st.just(QUIET), max_size=20))
def test_no_octets_whatever_make_it_fail_and_each_line_gets_one_end(events: list[bytes | str]) -> None:
    sent = b"".join(event for event in events if isinstance(event, bytes))
    reply = make_connection(*events, END, line_bytes_max=16)
    assert reply.count(b"\n") >= sent.count(b"\n")
