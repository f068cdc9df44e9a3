"""Cache-Control (RFC 9111 5.2) and its form for CDNs alone, CDN-Cache-Control (RFC 9213).

The two look alike and fail differently. Cache-Control is read leniently, and what is doubtful comes out
as less caching: a lifetime that is no number counts as 0 (RFC 9111 4.2.1), the first of several values
counts, `no-cache="field"` and `private="field"` count for the whole response. CDN-Cache-Control is a
structured dictionary: when it is malformed or empty it does not exist (RFC 9213 2.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields

from nearcast.wire.http.structured import parse_dictionary

SECONDS_MAX = 2**31  # larger lifetimes count as this one (RFC 9111 1.2.2)

# Up to a comma outside quotes. Nothing follows the loops and no two ways lead through them, so that the
# engine never goes back: one pass over the field, whatever it holds.
_MEMBER = re.compile(r"(?:[^\",]|\"(?:[^\"\\]|\\.)*(?:\"|\\?\Z))*", re.DOTALL)
_DIRECTIVE = re.compile(
    r"[ \t]*(?P<name>[!#$%&'*+\-.^_`|~0-9A-Za-z]+)"
    r"(?:[ \t]*|=\"(?P<quoted>(?:[^\"\\]|\\.)*)\"[ \t]*|=(?P<token>[^\"]*))",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class CacheControl:
    """The directives of one field. Lifetimes are seconds, None when absent."""

    max_age: int | None = None
    s_maxage: int | None = None
    stale_while_revalidate: int | None = None
    stale_if_error: int | None = None
    min_fresh: int | None = None
    no_store: bool = False
    no_cache: bool = False
    private: bool = False
    public: bool = False
    must_revalidate: bool = False
    proxy_revalidate: bool = False
    must_understand: bool = False
    no_transform: bool = False
    immutable: bool = False
    only_if_cached: bool = False


_FIELDS = {field.name.replace("_", "-"): field.name for field in fields(CacheControl)}
_LIFETIMES = {"max-age", "s-maxage", "stale-while-revalidate", "stale-if-error", "min-fresh"}
_FRESHNESS = {"max-age", "s-maxage"}  # a malformed one makes the response stale, not immortal

NOTHING_SAID = CacheControl()


def parse_cache_control(text: str | None) -> CacheControl:
    """The directives of a Cache-Control field; never fails."""
    if not text:
        return NOTHING_SAID
    found: dict[str, int | bool] = {}
    for member in _members(text):
        match = _DIRECTIVE.fullmatch(member)
        name = "" if match is None else match["name"].lower()
        if match is None or name not in _FIELDS or _FIELDS[name] in found:
            continue
        if name not in _LIFETIMES:
            found[_FIELDS[name]] = True
            continue
        argument = match["quoted"] if match["quoted"] is not None else match["token"]
        seconds = _seconds((argument or "").strip())
        if seconds is None and name in _FRESHNESS:
            seconds = 0
        if seconds is not None:
            found[_FIELDS[name]] = seconds
    return CacheControl(**found)  # type: ignore[arg-type]


def parse_cdn_cache_control(text: str | None) -> CacheControl | None:
    """The directives of a CDN-Cache-Control field; None when it does not count, for then Cache-Control
    does."""
    if not text:
        return None
    try:
        members = parse_dictionary(text)
    except ValueError:
        return None
    found: dict[str, int | bool] = {}
    for name, (value, _) in members.items():
        if name not in _FIELDS:
            continue
        if name not in _LIFETIMES:
            if value is not False:
                found[_FIELDS[name]] = True
        elif isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            found[_FIELDS[name]] = min(value, SECONDS_MAX)
        elif name in _FRESHNESS:
            found[_FIELDS[name]] = 0
    return CacheControl(**found) if members else None  # type: ignore[arg-type]


def _members(text: str) -> Iterator[str]:
    """What stands between the commas; a comma in quotes is none."""
    at = 0
    while at < len(text):
        member = _MEMBER.match(text, at)
        assert member is not None
        yield member[0]
        at = member.end() + 1


def _seconds(text: str) -> int | None:
    if not text.isascii() or not text.isdigit():
        return None
    return min(int(text), SECONDS_MAX) if len(text) <= 18 else SECONDS_MAX
