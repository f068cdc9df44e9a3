"""Conditional requests, in the order of RFC 9110 13.2.2."""

from __future__ import annotations

import pytest

from nearcast.wire.http.conditions import entity_tags, failed_precondition, strongly_equal, weakly_equal
from nearcast.wire.http.dates import encode_date

THEN = 1_000_000
BEFORE, SAME, AFTER = encode_date(THEN - 1), encode_date(THEN), encode_date(THEN + 1)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, None),
        ({"if-none-match": '"a"'}, 304),
        ({"if-none-match": 'W/"a"'}, 304),
        ({"if-none-match": '"x", "a"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"x"'}, None),
        ({"if-none-match": "a"}, None),
        ({"if-none-match": ""}, None),
        ({"if-none-match": '"x"', "if-modified-since": AFTER}, None),
        ({"if-none-match": '"a"', "if-modified-since": BEFORE}, 304),
        ({"if-modified-since": SAME}, 304),
        ({"if-modified-since": AFTER}, 304),
        ({"if-modified-since": BEFORE}, None),
        ({"if-modified-since": "yesterday"}, None),
        ({"if-match": '"a"'}, None),
        ({"if-match": "*"}, None),
        ({"if-match": '"x"'}, 412),
        ({"if-match": 'W/"a"'}, 412),
        ({"if-match": '"a"', "if-none-match": '"a"'}, 304),
        ({"if-unmodified-since": SAME}, None),
        ({"if-unmodified-since": BEFORE}, 412),
        ({"if-unmodified-since": "never"}, None),
        ({"if-match": '"a"', "if-unmodified-since": BEFORE}, None),
    ],
)
def test_reading(fields: dict[str, str], status: int | None) -> None:
    assert failed_precondition("GET", fields, '"a"', THEN + 0.5, THEN + 100.0) == status


def test_writing_insists() -> None:
    assert failed_precondition("PUT", {"if-none-match": "*"}, '"a"', None, 0.0) == 412
    assert failed_precondition("PUT", {"if-modified-since": AFTER}, '"a"', THEN, 0.0) is None


def test_without_validators_only_a_star_matches() -> None:
    assert failed_precondition("GET", {"if-none-match": '"a"'}, None, None, 0.0) is None
    assert failed_precondition("GET", {"if-modified-since": AFTER}, None, None, 0.0) is None
    assert failed_precondition("GET", {"if-match": '"a"'}, None, None, 0.0) == 412


def test_tags() -> None:
    assert entity_tags('"a,b" , W/"c",, "",') == ['"a,b"', 'W/"c"', '""']
    for malformed in ('"a" "b"', '"a', "w/", 'w/"a"', '"a"x', "*"):
        assert entity_tags(malformed) == []
    assert weakly_equal('W/"a"', '"a"') and not weakly_equal('"a"', '"b"')
    assert strongly_equal('"a"', '"a"') and not strongly_equal('W/"a"', 'W/"a"')
