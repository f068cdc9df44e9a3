"""HTTP dates, by the examples of RFC 9110 5.6.7 and around its edges."""

from __future__ import annotations

import pytest

from nearcast.wire.http.dates import encode_date, parse_date

THEN = 784111777
NOW = 1_800_000_000.0  # January 2027


def test_the_example_of_the_rfc() -> None:
    assert encode_date(THEN) == encode_date(THEN + 0.9) == "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    "text",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_the_three_forms(text: str) -> None:
    assert parse_date(text, NOW) == THEN


@pytest.mark.parametrize(
    ("digits", "year"), [("77", 2077), ("78", 1978), ("27", 2027), ("00", 2000), ("99", 1999)]
)
def test_two_digits_lie_at_most_50_years_ahead(digits: str, year: int) -> None:
    parsed = parse_date(f"Sunday, 06-Nov-{digits} 08:49:37 GMT", NOW)
    assert parsed is not None and f" {year} " in encode_date(parsed)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        "Sun, ٠6 Nov 1994 08:49:37 GMT",
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert parse_date(text, NOW) is None


def test_a_leap_second() -> None:
    before = parse_date("Sat, 31 Dec 2016 23:59:59 GMT", NOW)
    assert parse_date("Sat, 31 Dec 2016 23:59:60 GMT", NOW) == before
