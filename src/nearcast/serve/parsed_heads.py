"""The head lane: remembers what request heads parsed to.

Players ask with the same bytes again and again: the same fields, and for a popular object the same
target. A head is parsed by a pure function of its bytes, so the bytes are the whole key, and nothing
ever makes an entry stale. Faults are not remembered: they pass through.
Paid for by bench/http_hit.py.
"""

from __future__ import annotations

from collections.abc import Callable

from nearcast.wire.http.message import RequestHead

HEADS_MAX = 4096
HEAD_BYTES_MAX = 2048  # longer heads are rare and would cost memory: 8 MiB of keys at most


class ParsedHeads:
    """`parse` with a bounded memory, and of the same signature."""

    def __init__(self, parse: Callable[[bytes], RequestHead]) -> None:
        self._parse = parse
        self._known: dict[bytes, RequestHead] = {}

    def __call__(self, octets: bytes) -> RequestHead:
        known = self._known.get(octets)
        if known is not None:
            return known
        head = self._parse(octets)
        if len(octets) <= HEAD_BYTES_MAX:
            if len(self._known) >= HEADS_MAX:
                self._known.clear()
            self._known[octets] = head
        return head
