"""Conditional requests (RFC 9110 13): does the client already have it, or does it insist on a version?"""

from __future__ import annotations

import re

from nearcast.wire.http.dates import parse_date
from nearcast.wire.http.message import Fields

_TAG = re.compile(r'(?:W/)?"[!#-~\x80-\xff]*"')
_TAG_LIST = re.compile(rf"[ \t,]*{_TAG.pattern}[ \t]*(?:,[ \t]*(?:{_TAG.pattern}[ \t]*)?)*")


def entity_tags(field: str) -> list[str]:
    """The tags of an If-Match or If-None-Match list; none when it is malformed or `*`."""
    return _TAG.findall(field) if _TAG_LIST.fullmatch(field) else []


def weakly_equal(one: str, other: str) -> bool:
    """Weak comparison (RFC 9110 8.8.3.2): W/ makes no difference."""
    return _opaque(one) == _opaque(other)


def strongly_equal(one: str, other: str) -> bool:
    """Strong comparison (RFC 9110 8.8.3.2): equal, and neither is weak."""
    return one == other and not one.startswith("W/")


def failed_precondition(
    method: str, fields: Fields, etag: str | None, modified: float | None, now: float
) -> int | None:
    """304 or 412 when a precondition of the request fails, None when the request goes ahead.

    In the order of RFC 9110 13.2.2. `etag` and `modified` (Unix seconds) are those of the object that
    exists; `now` is Unix seconds.
    """
    since = None if modified is None else int(modified)
    if "if-match" in fields:
        field = fields["if-match"]
        if field != "*" and not any(strongly_equal(tag, etag or "") for tag in entity_tags(field)):
            return 412
    elif "if-unmodified-since" in fields and since is not None:
        date = parse_date(fields["if-unmodified-since"], now)
        if date is not None and since > date:
            return 412
    reads = method in ("GET", "HEAD")
    if "if-none-match" in fields:
        field = fields["if-none-match"]
        if field == "*" or (etag and _opaque(etag) in map(_opaque, entity_tags(field))):
            return 304 if reads else 412
    elif reads and "if-modified-since" in fields and since is not None:
        date = parse_date(fields["if-modified-since"], now)
        if date is not None and since <= date:
            return 304
    return None


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/")
