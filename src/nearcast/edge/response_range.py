"""Which part of an object a request is to get: all of it, a range, or only the word that it is unchanged.

Pure: conditions (RFC 9110 13) and the range (RFC 9110 14) of a request against the validators and the
size of an object, which may be stored or still on its way.
"""

from __future__ import annotations

from typing import NamedTuple

from nearcast.wire.http.conditions import failed_precondition
from nearcast.wire.http.dates import parse_date
from nearcast.wire.http.message import Fields, RequestHead
from nearcast.wire.http.ranges import (
    Unsatisfiable,
    content_range,
    if_range_holds,
    requested_span,
    unsatisfied_range,
)

_ASKING = ("range", "if-none-match", "if-modified-since", "if-match", "if-unmodified-since")


class ResponseRange(NamedTuple):
    """How to answer: octets `start` to `stop` (None: to the end, wherever that is) with `fields`."""

    status: int
    fields: dict[str, str]
    start: int = 0
    stop: int | None = None


def response_range(
    request: RequestHead, status: int, fields: Fields, size: int | None, now: float
) -> ResponseRange:
    """The part of a response with `status` and `fields` and a body of `size` bytes (None: not known yet).

    The returned fields are a copy, without Content-Length. `now` is Unix seconds.
    """
    asked = request.fields
    answer = dict(fields)
    if status != 200 or not any(name in asked for name in _ASKING):
        return ResponseRange(status, answer, 0, size)
    etag = fields.get("etag")
    modified = parse_date(fields.get("last-modified", ""), now)
    failed = failed_precondition(request.method, asked, etag, modified, now)
    if failed is not None:
        return ResponseRange(failed, _without_content(answer), 0, 0)
    if size is None or "range" not in asked or request.method != "GET":  # RFC 9110 14.2: GET only
        return ResponseRange(200, answer, 0, size)
    if if_range_holds(asked.get("if-range"), etag, modified, now):
        span = requested_span(asked["range"], size)
        if isinstance(span, Unsatisfiable):
            answer = _without_content(answer) | {"content-range": unsatisfied_range(size)}
            return ResponseRange(416, answer, 0, 0)
        if span is not None:
            answer["content-range"] = content_range(span, size)
            return ResponseRange(206, answer, span.start, span.stop)
    return ResponseRange(200, answer, 0, size)


def _without_content(fields: dict[str, str]) -> dict[str, str]:
    """Without what describes a body that is not sent (RFC 9110 15.4.5)."""
    return {name: text for name, text in fields.items() if not name.startswith("content-")}
