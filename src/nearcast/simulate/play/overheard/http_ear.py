"""HTTP/1.1 as an eavesdropper reads it: just enough, and by itself.

What it does not understand raises `Unintelligible`; whoever listens then stops listening to that connection.
The programs under test have parsers of their own, which this one must not share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

HEAD_BYTES_MAX = 256 * 1024
WITHOUT_BODY = (204, 304)


class Unintelligible(Exception):
    """This is no HTTP/1.1 that we know."""


class RequestSeen(NamedTuple):
    """The head of a request, names of fields in small letters."""

    method: str
    target: str
    fields: dict[str, str]


class HeadSeen(NamedTuple):
    """The head of a response; `announced` bytes of body follow (None: until the end, or in chunks)."""

    status: int
    fields: dict[str, str]
    announced: int | None


class BodyEnd:
    """The response is whole."""


ResponseEvent = HeadSeen | bytes | BodyEnd


class RequestEar:
    """The client's side of a connection."""

    def __init__(self) -> None:
        self._read = b""
        self._skip = 0

    def feed(self, octets: bytes) -> Iterator[RequestSeen]:
        """Every request whose head is complete with these bytes."""
        self._read += octets
        while self._read:
            if self._skip:
                taken = min(self._skip, len(self._read))
                self._read, self._skip = self._read[taken:], self._skip - taken
                continue
            self._read = self._read.lstrip(b"\r\n")
            head, found, rest = self._read.partition(b"\r\n\r\n")
            if not found:
                _check_size(head)
                return
            self._read = rest
            first, fields = _head(head)
            parts = first.split(" ")
            if len(parts) != 3 or "transfer-encoding" in fields:
                raise Unintelligible(first)
            self._skip = _number(fields.get("content-length", "0"))
            yield RequestSeen(parts[0], parts[1], fields)


class ResponseEar:
    """The server's side of a connection. `feed` asks `method` for which method the next response is."""

    def __init__(self) -> None:
        self._read = b""
        self._left: int | None = 0  # of the body, or of the chunk; None: until the connection ends
        self._chunked = False
        self._inside = False  # between head and end of a response

    @property
    def until_close(self) -> bool:
        """The end of the connection is the end of the body."""
        return self._inside and self._left is None

    def feed(self, octets: bytes, method: Callable[[], str]) -> Iterator[ResponseEvent]:
        """What these bytes say."""
        self._read += octets
        while self._read or (self._inside and self._left == 0 and not self._chunked):
            if not self._inside:
                head = self._next_head()
                if head is None:
                    return
                if head.status // 100 == 1:
                    continue
                yield self._begin(head, method())
            elif self._chunked and not self._left:
                if not self._next_chunk():
                    return
                if not self._inside:
                    yield BodyEnd()
            elif self._left == 0:
                self._inside = False
                yield BodyEnd()
            else:
                taken = len(self._read) if self._left is None else min(self._left, len(self._read))
                piece, self._read = self._read[:taken], self._read[taken:]
                if self._left is not None:
                    self._left -= taken
                yield piece

    def _next_head(self) -> HeadSeen | None:
        head, found, rest = self._read.partition(b"\r\n\r\n")
        if not found:
            _check_size(head)
            return None
        self._read = rest
        first, fields = _head(head)
        version, _, status = first.partition(" ")
        if not version.startswith("HTTP/1."):
            raise Unintelligible(first)
        length = fields.get("content-length")
        return HeadSeen(_number(status[:3]), fields, None if length is None else _number(length))

    def _begin(self, head: HeadSeen, method: str) -> HeadSeen:
        self._inside = True
        self._chunked = False
        if method == "HEAD" or head.status in WITHOUT_BODY:
            self._left = 0
            return head._replace(announced=0)
        self._chunked = head.fields.get("transfer-encoding", "").lower() == "chunked"
        self._left = 0 if self._chunked else head.announced
        return head._replace(announced=None) if self._chunked else head

    def _next_chunk(self) -> bool:
        """Read a chunk's size line, or what stands between chunks; false when it is not there yet."""
        if self._read.startswith(b"\r\n"):
            self._read = self._read[2:]
        line, found, rest = self._read.partition(b"\r\n")
        if not found:
            _check_size(line)
            return False
        size = int(line.partition(b";")[0], 16)
        if size:
            self._read, self._left = rest, size
            return True
        trailer, found, after = rest.partition(b"\r\n")
        if not found:
            return False
        if trailer:
            raise Unintelligible("a trailer")
        self._read, self._inside = after, False
        return True


def _head(octets: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = octets.decode("latin-1").split("\r\n")
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, text = line.partition(":")
        if not colon:
            raise Unintelligible(line)
        name, text = name.lower(), text.strip()
        fields[name] = f"{fields[name]}, {text}" if name in fields else text
    return first, fields


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Unintelligible(text)
    return int(text)


def _check_size(head: bytes) -> None:
    if len(head) > HEAD_BYTES_MAX:
        raise Unintelligible("a head without end")
