"""Which part of an object a request is to get: all of it, a range, or only the word that it is unchanged.

Pure: conditions (RFC 9110 13) and the range (RFC 9110 14) of a request against the validators and the
size of an object, which may be stored or still on its way.
"""

from __future__ import annotations

from typing import NamedTuple

from nearcast.serve.http_channel import NO_FIELDS
from nearcast.wire.http.conditions import failed_precondition
from nearcast.wire.http.dates import parse_date
from nearcast.wire.http.field_block import FieldBlock
from nearcast.wire.http.message import Fields, RequestHead
from nearcast.wire.http.ranges import (
    Unsatisfiable,
    content_range,
    if_range_holds,
    requested_span,
    unsatisfied_range,
)


class ResponseRange(NamedTuple):
    """How to answer: octets `start` to `stop` (None: to the end), with `fields` and `more`."""

    status: int
    fields: FieldBlock | Fields
    more: Fields = NO_FIELDS
    start: int = 0
    stop: int | None = None


def response_range(
    request: RequestHead, status: int, block: FieldBlock, size: int | None, now: float
) -> ResponseRange:
    """The part of a response with `status` and `block` and a body of `size` bytes (None: not known yet).

    Its fields are without Content-Length. `now` is Unix seconds.
    """
    asked, fields = request.fields, block.fields
    if status != 200:
        return ResponseRange(status, block, NO_FIELDS, 0, size)
    etag = fields.get("etag")
    modified = parse_date(fields.get("last-modified", ""), now)
    failed = failed_precondition(request.method, asked, etag, modified, now)
    if failed is not None:
        return ResponseRange(failed, _without_content(fields), NO_FIELDS, 0, 0)
    if size is None or "range" not in asked or request.method != "GET":  # RFC 9110 14.2: GET only
        return ResponseRange(200, block, NO_FIELDS, 0, size)
    if if_range_holds(asked.get("if-range"), etag, modified, now):
        span = requested_span(asked["range"], size)
        if isinstance(span, Unsatisfiable):
            return ResponseRange(
                416, _without_content(fields), {"content-range": unsatisfied_range(size)}, 0, 0
            )
        if span is not None:
            return ResponseRange(
                206, block, {"content-range": content_range(span, size)}, span.start, span.stop
            )
    return ResponseRange(200, block, NO_FIELDS, 0, size)


def _without_content(fields: Fields) -> dict[str, str]:
    """Without what describes a body that is not sent (RFC 9110 15.4.5)."""
    return {name: text for name, text in fields.items() if not name.startswith("content-")}
