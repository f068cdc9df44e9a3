"""RFC 9111 and RFC 5861 as a table: response fields, and what follows from them."""

from __future__ import annotations

import pytest

from nearcast.cache.entry import ObjectHead
from nearcast.cache.freshness import (
    NEGATIVE_SECONDS,
    Freshness,
    Terms,
    freshness,
    initial_age,
    why_not_stored,
    why_private,
)
from nearcast.wire.http.dates import encode_date

NOW = 1_700_000_000.0
TERMS = Terms(fresh_default=30, stale_if_error=100)


def ages(status: int = 200, **fields: str) -> Freshness:
    named = {name.replace("_", "-"): text for name, text in fields.items()}
    return freshness(status, named, TERMS, NOW, NOW)


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({}, 30),
        ({"cache_control": "max-age=5"}, 5),
        ({"cache_control": "max-age=5, s-maxage=7"}, 7),
        ({"cache_control": "max-age=5", "expires": encode_date(NOW + 99)}, 5),
        ({"expires": encode_date(NOW + 99), "date": encode_date(NOW)}, 99),
        ({"expires": encode_date(NOW + 99), "date": encode_date(NOW + 90)}, 9),
        ({"expires": encode_date(NOW + 99)}, 99),
        ({"expires": "0"}, 0),
        ({"expires": encode_date(NOW - 9)}, 0),
        ({"cache_control": "no-cache, max-age=5"}, 0),
        ({"cache_control": "max-age=5", "cdn_cache_control": "max-age=50"}, 50),
        ({"expires": encode_date(NOW + 99), "cdn_cache_control": "public"}, 30),
    ],
)
def test_lifetime(fields: dict[str, str], seconds: float) -> None:
    assert ages(**fields).lifetime == seconds


def test_the_lifetime_of_not_found() -> None:
    assert ages(404).lifetime == NEGATIVE_SECONDS
    assert ages(410, cache_control="max-age=60").lifetime == 60


@pytest.mark.parametrize(
    ("cache_control", "while_revalidate", "if_error"),
    [
        ("max-age=5", 0, 100),
        ("max-age=5, stale-while-revalidate=20, stale-if-error=30", 20, 30),
        ("max-age=5, stale-while-revalidate=20, must-revalidate", 0, 0),
        ("max-age=5, proxy-revalidate", 0, 0),
        ("no-cache, stale-if-error=30", 0, 0),
        ("s-maxage=5", 0, 0),
        ("s-maxage=5, stale-if-error=30", 0, 30),
    ],
)
def test_stale_windows(cache_control: str, while_revalidate: float, if_error: float) -> None:
    found = ages(cache_control=cache_control)
    assert (found.stale_while_revalidate, found.stale_if_error) == (while_revalidate, if_error)


def test_not_found_is_not_believed_on_error() -> None:
    assert ages(404).stale_if_error == 0


@pytest.mark.parametrize(
    ("fields", "asked", "came", "age"),
    [
        ({}, NOW, NOW + 3, 3.0),  # it may have been made when we asked
        ({"age": "10"}, NOW, NOW + 3, 13.0),
        ({"date": encode_date(NOW - 20)}, NOW, NOW, 20.0),
        ({"date": encode_date(NOW)}, NOW, NOW + 0.9, pytest.approx(0.9)),
        ({"date": encode_date(NOW + 50), "age": "1"}, NOW, NOW, 1.0),
        ({"age": "soon", "date": "today"}, NOW, NOW, 0.0),
        ({"age": "7, 9"}, NOW, NOW, 7.0),
        ({"age": "-7"}, NOW + 5, NOW, 0.0),
    ],
)
def test_age_on_arrival(fields: dict[str, str], asked: float, came: float, age: float) -> None:
    assert initial_age(fields, asked, came) == age


@pytest.mark.parametrize(
    ("status", "fields", "why"),
    [
        (200, {}, None),
        (301, {}, None),
        (404, {}, None),
        (302, {}, "status"),
        (302, {"cache-control": "max-age=5"}, None),
        (206, {"cache-control": "max-age=5"}, "status"),
        (500, {"cache-control": "max-age=5"}, "status"),
        (200, {"cache-control": "no-store"}, "no-store"),
        (200, {"cache-control": "private"}, "private"),
        (200, {"cache-control": "private", "cdn-cache-control": "max-age=5"}, None),
        (200, {"vary": "accept-encoding"}, None),
        (200, {"vary": "Origin"}, "vary"),
        (200, {"vary": "*"}, "vary"),
        (200, {"set-cookie": "a=b"}, "set-cookie"),
    ],
)
def test_what_may_be_stored(status: int, fields: dict[str, str], why: str | None) -> None:
    assert why_not_stored(status, fields) == why


def test_an_error_is_not_stored_but_may_be_shared() -> None:
    assert why_private({"cache-control": "max-age=5"}) is None
    assert why_private({"cache-control": "no-store"}) == "no-store"


def test_an_object_ages_in_the_store() -> None:
    head = ObjectHead("k", 200, {}, NOW, Freshness(60.0, 10.0, 5.0, 20.0))
    assert (head.ttl(NOW), head.age(NOW)) == (50, 10)
    assert (head.ttl(NOW + 49.5), head.age(NOW + 49.5)) == (0.5, 59.5)
    assert head.serves_while_revalidating(NOW + 54)
    assert not head.serves_while_revalidating(NOW + 55)
    assert head.serves_on_error(NOW + 69)
    assert not head.serves_on_error(NOW + 70)


def test_after_the_clock_was_set_back_an_object_has_to_be_confirmed() -> None:
    head = ObjectHead("k", 200, {}, NOW, Freshness(60.0, 10.0, 5.0, 20.0))
    assert head.ttl(NOW - 0.5) == 50  # kept right, not set
    assert head.ttl(NOW - 86_400) == 0
    assert head.age(NOW - 86_400) == 10
    assert head.serves_while_revalidating(NOW - 86_400)
    assert head.serves_on_error(NOW - 86_400)
    assert ObjectHead("k", 200, {}, NOW, Freshness(5.0, 10.0, 0.0, 0.0)).ttl(NOW - 86_400) == -5


def test_what_must_be_confirmed_is_never_served_unconfirmed() -> None:
    head = ObjectHead("k", 200, {}, NOW, ages(cache_control="no-cache"))
    assert head.ttl(NOW) <= 0
    assert not head.serves_while_revalidating(NOW)
    assert not head.serves_on_error(NOW)
