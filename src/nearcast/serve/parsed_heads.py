"""The lane of request heads: remembers what request lines and blocks of fields parsed to.

Players repeat their fields and change the path, so the two are remembered apart: a thousand URLs asked for
with fifty sets of fields are a thousand and fifty entries. Each is a pure function of its bytes, so the bytes
are the whole key, and nothing ever makes an entry stale. Faults are not remembered: they pass through.
Both memories are bounded by the bytes they really hold, and emptied when they are full.
Paid for by bench/http_hit.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Generic, TypeVar

from nearcast.wire.http.head import (
    ReceivedRequest,
    RequestFields,
    RequestLine,
    join_request,
    parse_request_fields,
    parse_request_line,
)
from nearcast.wire.http.message import RequestHead

LINES_BYTES_MAX = 2 * 1024 * 1024
FIELDS_BYTES_MAX = 4 * 1024 * 1024
KEY_BYTES_MAX = 4096  # longer ones are rare, and would push many others out
ENTRY_BYTES = 104  # what a dictionary keeps for an entry when it has just grown, the worst case

T = TypeVar("T")


class ParsedHeads:
    """`wire.http.head.parse_request_head` with a bounded memory, and of the same signature."""

    def __init__(self) -> None:
        self.lines = Memory(parse_request_line, _line_bytes, LINES_BYTES_MAX)
        self.fields = Memory(parse_request_fields, _fields_bytes, FIELDS_BYTES_MAX)

    def __call__(self, octets: bytes) -> ReceivedRequest:
        end = octets.find(b"\r\n")
        if end < 0:
            end = len(octets)
        line, block = octets[:end], octets[end + 2 :]
        known_line = self.lines.known.get(line) or self.lines.learn(line)
        known_fields = self.fields.known.get(block) or self.fields.learn(block)
        method, target, minor, host = known_line
        fields, persist = known_fields
        if minor and host is None and "host" in fields:  # unrolled: what nearly all requests are
            return ReceivedRequest(RequestHead(method, target, fields), persist[1], 1)
        return join_request(known_line, known_fields)


class Memory(Generic[T]):
    """What `parse` made of some bytes; at most `bytes_max` of memory, as `size_of` counts a value."""

    def __init__(self, parse: Callable[[bytes], T], size_of: Callable[[T], int], bytes_max: int) -> None:
        self.known: dict[bytes, T] = {}
        self.bytes_held = 0
        self._parse = parse
        self._size_of = size_of
        self._bytes_max = bytes_max

    def learn(self, octets: bytes) -> T:
        """Parse `octets`, and remember what they are."""
        value = self._parse(octets)
        if len(octets) <= KEY_BYTES_MAX:
            size = sys.getsizeof(octets) + self._size_of(value) + ENTRY_BYTES
            if self.bytes_held + size > self._bytes_max:
                self.known.clear()
                self.bytes_held = 0
            self.known[octets] = value
            self.bytes_held += size
        return value


def _line_bytes(line: RequestLine) -> int:
    return sum(map(sys.getsizeof, (line, *line)))


def _fields_bytes(parsed: RequestFields) -> int:
    fields = parsed.fields
    texts = sum(sys.getsizeof(name) + sys.getsizeof(value) for name, value in fields.items())
    return texts + sum(map(sys.getsizeof, (parsed, fields, parsed.persist)))
