"""Range, Content-Range and If-Range."""

from __future__ import annotations

import pytest

from nearcast.wire.http.dates import encode_date
from nearcast.wire.http.ranges import (
    UNSATISFIABLE,
    Span,
    content_range,
    if_range_holds,
    parse_content_range,
    requested_span,
    unsatisfied_range,
)


@pytest.mark.parametrize(
    ("field", "span"),
    [
        (None, None),
        ("bytes=0-0", Span(0, 1)),
        ("bytes=2-4", Span(2, 5)),
        ("bytes=2-", Span(2, 10)),
        ("bytes=2-99", Span(2, 10)),
        ("bytes=9-9", Span(9, 10)),
        ("bytes=-3", Span(7, 10)),
        ("bytes=-99", Span(0, 10)),
        ("Bytes=0-0", Span(0, 1)),
        ("bytes= 0-0 ", Span(0, 1)),
        ("bytes=,0-0,", Span(0, 1)),
        ("bytes=2-" + "9" * 5000, Span(2, 10)),
        ("bytes=000002-4", Span(2, 5)),
        ("bytes=10-", UNSATISFIABLE),
        ("bytes=10-20", UNSATISFIABLE),
        ("bytes=" + "9" * 5000 + "-", UNSATISFIABLE),
        ("bytes=-0", UNSATISFIABLE),
        ("bytes=4-2", None),
        ("bytes=0-1,3-4", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes=a-b", None),
        ("bytes 0-1", None),
        ("bytes=1", None),
        ("bytes=--1", None),
        ("bytes=١-٢", None),
        ("seconds=1-2", None),
    ],
)
def test_what_a_range_asks_of_ten_bytes(field: str | None, span: object) -> None:
    assert requested_span(field, 10) == span


@pytest.mark.parametrize(("field", "span"), [("bytes=0-", UNSATISFIABLE), ("bytes=-1", None), (None, None)])
def test_what_a_range_asks_of_nothing(field: str | None, span: object) -> None:
    assert requested_span(field, 0) == span


def test_content_ranges() -> None:
    assert content_range(Span(0, 100), 1000) == "bytes 0-99/1000"
    assert unsatisfied_range(1000) == "bytes */1000"
    assert parse_content_range("bytes 0-99/1000") == (Span(0, 100), 1000)
    assert parse_content_range("bytes 0-99/*") == (Span(0, 100), None)
    for text in ("bytes */1000", "bytes 5-2/10", "bytes 0-10/10", "items 0-1/2", "bytes 0-1", ""):
        assert parse_content_range(text) is None


THEN, NOW = 1_000_000.0, 2_000_000.0


@pytest.mark.parametrize(
    ("field", "holds"),
    [
        (None, True),
        ('"a"', True),
        ('"b"', False),
        ('W/"a"', False),
        (encode_date(THEN), True),
        (encode_date(THEN - 1), False),
        (encode_date(THEN + 1), False),
        ("a", False),
        ("", False),
    ],
)
def test_if_range(field: str | None, holds: bool) -> None:
    assert if_range_holds(field, '"a"', THEN, NOW) == holds


def test_only_strong_validators_join_parts() -> None:
    assert not if_range_holds('W/"a"', 'W/"a"', THEN, NOW)
    assert not if_range_holds(encode_date(THEN), None, THEN, THEN + 59)
    assert not if_range_holds(encode_date(THEN), None, None, NOW)
