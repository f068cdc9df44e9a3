"""Cache-Control, CDN-Cache-Control and Cache-Status."""

from __future__ import annotations

import pytest

from nearcast.wire.http.cache_control import (
    SECONDS_MAX,
    CacheControl,
    parse_cache_control,
    parse_cdn_cache_control,
)
from nearcast.wire.http.cache_status import CacheStatus, encode_cache_status, parse_cache_status


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, CacheControl()),
        ("", CacheControl()),
        ("max-age=60, public", CacheControl(max_age=60, public=True)),
        ("MAX-AGE=60 ,Immutable", CacheControl(max_age=60, immutable=True)),
        ('max-age="60"', CacheControl(max_age=60)),
        ("s-maxage=1,stale-while-revalidate=2,stale-if-error=3",
         CacheControl(s_maxage=1, stale_while_revalidate=2, stale_if_error=3)),
        ("no-store,no-cache,private,must-revalidate,proxy-revalidate,no-transform,must-understand",
         CacheControl(no_store=True, no_cache=True, private=True, must_revalidate=True,
                      proxy_revalidate=True, no_transform=True, must_understand=True)),
        ("only-if-cached, min-fresh=5", CacheControl(only_if_cached=True, min_fresh=5)),
        ('private="set-cookie, x", no-cache="y"', CacheControl(private=True, no_cache=True)),
        ("max-age=1, max-age=2", CacheControl(max_age=1)),
        ("max-age=x, s-maxage", CacheControl(max_age=0, s_maxage=0)),
        ("max-age=-1", CacheControl(max_age=0)),
        ("max-age=1.5", CacheControl(max_age=0)),
        ("max-age=١", CacheControl(max_age=0)),
        ("stale-if-error=x", CacheControl()),
        ("max-age=" + "9" * 5000, CacheControl(max_age=SECONDS_MAX)),
        ('community="no-store, private", x=y', CacheControl()),
        ('"no-store, x" , no-cache', CacheControl(no_cache=True)),
        (",, no-cache ,", CacheControl(no_cache=True)),
        ("no cache, no-store", CacheControl(no_store=True)),
        ('x="unfinished, no-store', CacheControl()),
        ('x="unfinished, no-store\\', CacheControl()),
        ('x="a\\", no-store", no-cache', CacheControl(no_cache=True)),
        ('max-age=" 60 " , public', CacheControl(max_age=60, public=True)),
        ("max-age= 60 ,public", CacheControl(max_age=60, public=True)),
        ('max-age=60"x", public', CacheControl(public=True)),
    ],
)  # fmt: skip
def test_cache_control(text: str | None, said: CacheControl) -> None:
    assert parse_cache_control(text) == said


@pytest.mark.parametrize("piece", ['\\"', ',"', 'a="', '"', "a=", '"\\'])
def test_a_hostile_field_is_read_in_one_pass(piece: str) -> None:
    assert not parse_cache_control(piece * 500_000).no_store  # a quadratic reader would never end


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, None),
        ("", None),
        ("max-age=60", CacheControl(max_age=60)),
        ("max-age=60, no-store, x=y", CacheControl(max_age=60, no_store=True)),
        ("max-age=60;p=1, private=?0", CacheControl(max_age=60)),
        ("max-age=1, max-age=2", CacheControl(max_age=2)),
        ('max-age="60"', CacheControl(max_age=0)),
        ("max-age=-1", CacheControl(max_age=0)),
        ("max-age=60,", None),
        ("MAX-AGE=60", None),
        ("max-age=60 no-store", None),
    ],
)
def test_cdn_cache_control(text: str | None, said: CacheControl | None) -> None:
    assert parse_cdn_cache_control(text) == said


def test_cache_status() -> None:
    hit = CacheStatus("ia1.cdn.test", hit=True, ttl=376)
    assert encode_cache_status(hit) == "ia1.cdn.test; hit; ttl=376"
    miss = CacheStatus(
        "edge 1", fwd="miss", fwd_status=200, stored=True, collapsed=True, key='a"b', detail="x y"
    )
    text = encode_cache_status(miss, before=encode_cache_status(hit))
    assert text == (
        'ia1.cdn.test; hit; ttl=376, "edge 1"; fwd=miss; fwd-status=200; stored; collapsed; key="a\\"b"; '
        'detail="x y"'
    )
    assert parse_cache_status(text) == [hit, miss]


def test_cache_status_of_others() -> None:
    text = 'OriginCache; hit; ttl=1100; unknown=?0, "CDN: Company"; fwd=uri-miss; ttl="x"; hit=1'
    assert parse_cache_status(text) == [
        CacheStatus("OriginCache", hit=True, ttl=1100),
        CacheStatus("CDN: Company", fwd="uri-miss"),
    ]
    with pytest.raises(ValueError):
        parse_cache_status("a; hit,")
    with pytest.raises(ValueError):
        encode_cache_status(CacheStatus("a", detail="new\nline"))
