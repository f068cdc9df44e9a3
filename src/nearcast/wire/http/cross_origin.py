"""Fields that open answers to pages of other hosts (Fetch, CORS protocol; Resource Timing, 4.5.1).

Players run on pages of other hosts than the content's: everything may be read by everyone, and nobody's
credentials are involved.
"""

from __future__ import annotations

from nearcast.wire.http.message import Fields

METHODS = "GET, HEAD, OPTIONS"

OPEN_TO_ALL: Fields = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "age, cache-status, content-length, content-range, date, etag, "
    "server-timing, via",
    "timing-allow-origin": "*",
}
# The answer to OPTIONS, which browsers ask before a request with fields of the page's own.
PREFLIGHT: Fields = {
    **OPEN_TO_ALL,
    "allow": METHODS,
    "access-control-allow-methods": METHODS,
    "access-control-allow-headers": "*",
    "access-control-max-age": "86400",
}
