"""Single byte ranges (RFC 9110 14): which part of an object a request asks for.

One range of bytes is honoured. Several ranges, other units and malformed fields are ignored, which
RFC 9110 14.2 allows: the answer is then the whole object. A `Span` counts as Python slices do: the
octet at `stop` is not in it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from nearcast.wire.http.dates import parse_date

_RANGE = re.compile(r"bytes=[ \t,]*([0-9]*)-([0-9]*)[ \t,]*", re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", re.IGNORECASE)


class Span(NamedTuple):
    """Octets `start` to `stop` of an object, without the one at `stop`. Never empty."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start


class Unsatisfiable:
    """The range asked for lies wholly outside the object: answer 416."""


UNSATISFIABLE: Final = Unsatisfiable()


def requested_span(field: str | None, size: int) -> Span | Unsatisfiable | None:
    """What the Range field `field` asks of an object of `size` bytes; None means all of it."""
    match = None if field is None else _RANGE.fullmatch(field)
    if match is None:
        return None
    first, last = match[1], match[2]
    if first:
        start = _number(first)
        if last and _number(last) < start:
            return None  # malformed, hence ignored
        if start >= size:
            return UNSATISFIABLE
        return Span(start, min(_number(last) + 1, size) if last else size)
    if not last:
        return None
    suffix = _number(last)
    if suffix == 0:
        return UNSATISFIABLE
    return Span(max(size - suffix, 0), size) if size else None  # nothing is the whole of nothing


def content_range(span: Span, size: int) -> str:
    """The Content-Range of a 206: `bytes 0-99/1000`."""
    return f"bytes {span.start}-{span.stop - 1}/{size}"


def unsatisfied_range(size: int) -> str:
    """The Content-Range of a 416: `bytes */1000`."""
    return f"bytes */{size}"


def parse_content_range(text: str) -> tuple[Span, int | None] | None:
    """(span, size of the whole, None when unknown) of a 206, or None when `text` makes no sense."""
    match = _CONTENT_RANGE.fullmatch(text)
    if match is None:
        return None
    span = Span(int(match[1]), int(match[2]) + 1)
    size = None if match[3] == "*" else int(match[3])
    if span.length <= 0 or (size is not None and span.stop > size):
        return None
    return span, size


def if_range_holds(field: str | None, etag: str | None, modified: float | None, now: float) -> bool:
    """Whether the Range field counts (RFC 9110 13.1.5); when not, the answer is the whole object.

    `field` is If-Range; `etag` and `modified` (Unix seconds) are the object's validators. Only strong
    validators hold: no weak tag, and a date only when it is a minute past, since until then the object
    might have changed again within the same second (RFC 9110 8.8.2.2).
    """
    if field is None:
        return True
    if field.startswith(('"', "W/")):
        return field == etag and not field.startswith("W/")
    date = parse_date(field, now)
    return date is not None and modified is not None and date == int(modified) and now - modified >= 60


def _number(digits: str) -> int:
    """`digits` as a number; whatever is beyond any object's size comes out as 10^18."""
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= 18 else 10**18
