"""Every codec of a field reads what it writes, and takes noise without surprise."""

from __future__ import annotations

from email.utils import formatdate

from hypothesis import example, given
from hypothesis import strategies as st

from nearcast.wire.http.cache_control import SECONDS_MAX, parse_cache_control, parse_cdn_cache_control
from nearcast.wire.http.cache_status import CacheStatus, encode_cache_status, parse_cache_status
from nearcast.wire.http.conditions import entity_tags, failed_precondition
from nearcast.wire.http.dates import encode_date, parse_date
from nearcast.wire.http.ranges import (
    UNSATISFIABLE,
    Span,
    Unsatisfiable,
    content_range,
    parse_content_range,
    requested_span,
)
from nearcast.wire.http.structured import Token, encode_item, parse_dictionary, parse_list

ASCII = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
FIELD_NOISE = st.text(st.sampled_from('abc019=,;:"\\()?*-. \tW/'), max_size=40)
SECONDS = st.integers(-62_135_596_800, 253_402_300_799)  # years 1 to 9999


@given(SECONDS)
def test_dates(seconds: int) -> None:
    assert parse_date(encode_date(seconds), 0.0) == seconds


@given(st.integers(0, 253_402_300_799))
def test_dates_are_written_as_the_standard_library_writes_them(seconds: int) -> None:
    assert encode_date(seconds) == formatdate(seconds, usegmt=True)


@given(st.integers(1, 1000), st.data())
def test_ranges_are_slices(size: int, data: st.DataObject) -> None:
    octets = bytes(number % 251 for number in range(size))
    first = data.draw(st.integers(0, size - 1))
    last = data.draw(st.integers(first, size + 10))
    span = requested_span(f"bytes={first}-{last}", size)
    assert isinstance(span, Span)
    assert octets[span.start : span.stop] == octets[first : last + 1]
    assert parse_content_range(content_range(span, size)) == (span, size)
    assert requested_span(f"bytes={first}-", size) == Span(first, size)
    suffix = requested_span(f"bytes=-{last + 1}", size)
    assert isinstance(suffix, Span)
    assert octets[suffix.start : suffix.stop] == octets[-(last + 1) :]
    assert requested_span(f"bytes={size + first}-", size) is UNSATISFIABLE


@given(st.text(st.sampled_from("bytes=0123456789-, "), max_size=20), st.integers(0, 50))
def test_a_span_is_never_outside(field: str, size: int) -> None:
    for text in (field, "bytes=" + field):
        span = requested_span(text, size)
        assert span is None or isinstance(span, Unsatisfiable) or 0 <= span.start < span.stop <= size


TAGS = st.text(st.characters(min_codepoint=0x23, max_codepoint=0x7E), max_size=8).map(
    lambda text: f'"{text}"'
)
WEAK = st.booleans().map(lambda weak: "W/" if weak else "")


@given(st.lists(st.builds(str.__add__, WEAK, TAGS), min_size=1, max_size=5), TAGS)
def test_a_tag_in_the_list_is_not_modified(tags: list[str], etag: str) -> None:
    field = ", ".join(tags)
    assert entity_tags(field) == tags
    failed = failed_precondition("GET", {"if-none-match": field}, etag, None, 0.0)
    assert failed == (304 if etag in [tag.removeprefix("W/") for tag in tags] else None)


LIFETIMES = st.dictionaries(
    st.sampled_from(["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"]),
    st.integers(0, 2**40),
)
FLAGS = st.sets(
    st.sampled_from(["no-store", "no-cache", "private", "must-revalidate", "immutable", "x-other"])
)


@given(LIFETIMES, FLAGS, st.sampled_from([", ", ",", " ,\t"]))
def test_both_cache_fields_read_what_is_well_formed_alike(
    lifetimes: dict[str, int], flags: set[str], comma: str
) -> None:
    text = comma.join([*(f"{name}={seconds}" for name, seconds in lifetimes.items()), *sorted(flags)])
    said = parse_cache_control(text)
    for name, seconds in lifetimes.items():
        assert getattr(said, name.replace("-", "_")) == min(seconds, SECONDS_MAX)
    assert said.no_store == ("no-store" in flags) and said.private == ("private" in flags)
    assert parse_cdn_cache_control(text) == (said if text else None)


@given(FIELD_NOISE)
def test_noise_in_any_field_is_survived(noise: str) -> None:
    parse_cache_control(noise)
    parse_cache_control("no-store=" + noise)
    parse_cdn_cache_control(noise)
    entity_tags(noise)
    parse_date(noise, 0.0)
    parse_content_range(noise)
    for parse in (parse_list, parse_dictionary, parse_cache_status):
        try:
            parse(noise)
        except ValueError:
            pass


NUMBERS = st.integers(-(10**15) + 1, 10**15 - 1)
TEXTS = st.one_of(st.none(), ASCII)


@given(
    st.builds(
        CacheStatus,
        cache=ASCII,
        hit=st.booleans(),
        fwd=st.sampled_from([None, "miss", "uri-miss", "stale"]),
        fwd_status=st.one_of(st.none(), st.integers(100, 599)),
        ttl=st.one_of(st.none(), NUMBERS),
        stored=st.booleans(),
        collapsed=st.booleans(),
        key=TEXTS,
        detail=TEXTS,
    )
)
@example(CacheStatus(cache="A "))
@example(CacheStatus(cache=" A"))
def test_cache_status(status: CacheStatus) -> None:
    once = encode_cache_status(status)
    assert parse_cache_status(once) == [status]
    assert parse_cache_status(encode_cache_status(status, before=once)) == [status, status]


BARE = st.one_of(
    ASCII,
    NUMBERS,
    st.booleans(),
    st.binary(max_size=20),
    st.from_regex(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]{0,10}", fullmatch=True).map(Token),
    st.integers(-(10**14), 10**14).map(lambda thousandths: thousandths / 1000),
)


@given(BARE, st.dictionaries(st.from_regex(r"[a-z*][a-z0-9_\-.*]{0,5}", fullmatch=True), BARE, max_size=4))
def test_items(value: object, parameters: dict[str, object]) -> None:
    (item,) = parse_list(encode_item(value, parameters))  # type: ignore[arg-type]
    assert item == (value, parameters)
    assert [type(each) for each in item.parameters.values()] == [type(each) for each in parameters.values()]
    assert type(item.value) is type(value)
