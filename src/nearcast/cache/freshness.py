"""May it be stored, how long is it fresh, and what may happen after that?

Pure functions of a response and of times handed in (RFC 9111 3 and 4.2, RFC 5861). Seconds throughout;
wall times are Unix seconds. Whatever is doubtful comes out as less caching.

Where a CDN-Cache-Control field counts, Cache-Control and Expires are for others (RFC 9213 2.2).
"""

from __future__ import annotations

from dataclasses import dataclass

from nearcast.wire.http.cache_control import CacheControl, parse_cache_control, parse_cdn_cache_control
from nearcast.wire.http.dates import parse_date
from nearcast.wire.http.message import Fields

NEGATIVE_SECONDS = 2.0  # how long "not found" is believed when the origin does not say

CLOCK_STEP_SECONDS = 1.0  # a clock that goes back by less is being kept right, not set

_NEGATIVE = frozenset({404, 410})
_KEPT_UNASKED = frozenset({200, 301, 308}) | _NEGATIVE  # fresh for a default time (RFC 9110 15.1)
_KEPT_WHEN_TOLD = frozenset({203, 204, 300, 302, 307})  # only with a lifetime of their own


@dataclass(frozen=True, slots=True)
class Terms:
    """What a site's operator grants where the origin says nothing. Seconds."""

    fresh_default: float
    stale_if_error: float


@dataclass(frozen=True, slots=True)
class Freshness:
    """How one stored response ages. Seconds."""

    lifetime: float  # fresh until this age
    initial_age: float  # its age when it came (RFC 9111 4.2.3)
    stale_while_revalidate: float  # so long after its lifetime it is served while being revalidated
    stale_if_error: float  # so long after its lifetime it is served when the origin fails

    def ttl(self, resident: float) -> float:
        """Freshness left after `resident` seconds in the store; negative: stale since.

        When the clock was set back, nobody knows how long it has been here: then it has to be confirmed.
        """
        left = self.lifetime - self.initial_age - max(0.0, resident)
        return left if resident > -CLOCK_STEP_SECONDS else min(left, 0.0)

    def age(self, resident: float) -> float:
        """The age (RFC 9111 4.2.3) after `resident` seconds in the store."""
        return self.initial_age + max(0.0, resident)


def directives(fields: Fields) -> CacheControl:
    """The directives that count for us."""
    targeted = parse_cdn_cache_control(fields.get("cdn-cache-control"))
    return targeted if targeted is not None else parse_cache_control(fields.get("cache-control"))


def why_private(fields: Fields) -> str | None:
    """Why a response may be for the one who asked only; None when it may be shared.

    Vary on anything but the content coding counts: a different request might get another answer, and
    as everybody is asked for in the identity coding, Accept-Encoding makes no difference here.
    """
    control = directives(fields)
    if control.no_store:
        return "no-store"
    if control.private:
        return "private"
    if "set-cookie" in fields:
        return "set-cookie"
    varies = {name.strip().lower() for name in fields.get("vary", "").split(",")}
    return "vary" if varies - {"", "accept-encoding"} else None


def why_not_stored(status: int, fields: Fields) -> str | None:
    """Why a response to a GET may not be stored; None when it may (RFC 9111 3)."""
    if (private := why_private(fields)) is not None:
        return private
    if status in _KEPT_UNASKED:
        return None
    if status in _KEPT_WHEN_TOLD and _lifetime_told(fields, directives(fields), 0.0) is not None:
        return None
    return "status"


def freshness(status: int, fields: Fields, terms: Terms, requested_at: float, came_at: float) -> Freshness:
    """How a response ages that was asked for at `requested_at` and came at `came_at` (Unix seconds)."""
    control = directives(fields)
    lifetime = _lifetime_told(fields, control, came_at)
    if lifetime is None:
        lifetime = NEGATIVE_SECONDS if status in _NEGATIVE else terms.fresh_default
    while_revalidate = float(control.stale_while_revalidate or 0)
    if control.stale_if_error is not None:
        if_error = float(control.stale_if_error)
    elif control.s_maxage is not None or status in _NEGATIVE:
        if_error = 0.0  # s-maxage forbids stale answers of shared caches (RFC 9111 5.2.2.10)
    else:
        if_error = terms.stale_if_error
    if control.no_cache or control.must_revalidate or control.proxy_revalidate:
        while_revalidate = if_error = 0.0
    age = initial_age(fields, requested_at, came_at)
    return Freshness(lifetime, age, while_revalidate, if_error)


def initial_age(fields: Fields, requested_at: float, came_at: float) -> float:
    """The age of a response on arrival (RFC 9111 4.2.3), never negative."""
    date = parse_date(fields.get("date", ""), came_at)
    # Date counts whole seconds: less than one second of difference is no age.
    apparent = 0 if date is None else max(0, int(came_at) - date)
    told = fields.get("age", "").partition(",")[0].strip()
    value = int(told[:10]) if told.isascii() and told.isdigit() else 0
    return float(max(apparent, value + max(0.0, came_at - requested_at)))


def _lifetime_told(fields: Fields, control: CacheControl, came_at: float) -> float | None:
    """What the origin says, None when it says nothing (RFC 9111 4.2.1)."""
    if control.no_cache:
        return 0.0  # stored, but confirmed before every use
    if control.s_maxage is not None:
        return float(control.s_maxage)
    if control.max_age is not None:
        return float(control.max_age)
    if "expires" in fields and "cdn-cache-control" not in fields:
        expires = parse_date(fields["expires"], came_at)
        date = parse_date(fields.get("date", ""), came_at)
        if expires is None:
            return 0.0  # no date means the past (RFC 9111 5.3)
        return max(0.0, expires - (came_at if date is None else date))
    return None
