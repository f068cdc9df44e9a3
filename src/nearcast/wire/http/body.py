"""Where a body ends (RFC 9112 6 and 7).

A framing takes bytes as they arrive, cut anywhere, and gives back the content in them and what
follows the body. `complete` turns true with the body's last byte. Nothing is copied when a piece is
all content, which is the common case.

Chunked bodies are read strictly: CRLF only, bounded chunk lines and trailers. Leniency there is how
requests get smuggled. Trailers are dropped (RFC 9110 6.5.1 allows it).
"""

from __future__ import annotations

import re
from typing import Protocol

from nearcast.wire.http.message import Fields

CHUNK_LINE_BYTES_MAX = 1024
TRAILER_BYTES_MAX = 8 * 1024

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_TRAILER_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*")


class Framing(Protocol):
    """Knows where one body ends."""

    complete: bool

    def take(self, octets: bytes) -> tuple[bytes, bytes]:
        """(content, what follows the body). ValueError when the framing is broken."""
        ...


class LengthFraming:
    """A body of an announced number of bytes."""

    def __init__(self, length: int) -> None:
        self.left = length
        self.complete = length == 0

    def take(self, octets: bytes) -> tuple[bytes, bytes]:
        left = self.left
        if len(octets) < left:
            self.left = left - len(octets)
            return octets, b""
        self.left = 0
        self.complete = True
        return octets[:left], octets[left:]


class UntilCloseFraming:
    """A response body that ends with its connection; it never knows that it is complete."""

    complete = False

    def take(self, octets: bytes) -> tuple[bytes, bytes]:
        return octets, b""


class ChunkedFraming:
    """A body in chunks: size line, content, CRLF, …, a zero chunk, trailers, an empty line."""

    def __init__(self) -> None:
        self.complete = False
        self._held = b""  # an unfinished line
        self._left = 0  # content bytes of the present chunk still to come
        self._expects = self._size_line  # what the next line is
        self._trailer_bytes = 0

    def take(self, octets: bytes) -> tuple[bytes, bytes]:
        if self._left > len(octets):  # all content: nothing to look at, nothing to copy
            self._left -= len(octets)
            return octets, b""
        pieces: list[bytes] = []
        octets = self._held + octets
        at = 0
        while not self.complete:
            if self._left:
                piece = octets[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    break
                self._expects = self._chunk_end
            end = octets.find(b"\r\n", at)
            if end < 0:
                break
            self._expects(octets[at:end])
            at = end + 2
        self._held = b"" if self.complete or self._left else octets[at:]
        if len(self._held) > CHUNK_LINE_BYTES_MAX:
            raise ValueError("a chunk line without an end")
        return b"".join(pieces), octets[at:] if self.complete else b""

    def _size_line(self, line: bytes) -> None:
        match = _CHUNK_LINE.fullmatch(line)
        if match is None or len(line) > CHUNK_LINE_BYTES_MAX:
            raise ValueError("a malformed chunk size")
        self._left = int(match[1], 16)
        if self._left == 0:
            self._expects = self._trailer_line

    def _chunk_end(self, line: bytes) -> None:
        if line:
            raise ValueError("a chunk longer than its size")
        self._expects = self._size_line

    def _trailer_line(self, line: bytes) -> None:
        self._trailer_bytes += len(line) + 2
        if not line:
            self.complete = True
        elif not _TRAILER_LINE.fullmatch(line) or self._trailer_bytes > TRAILER_BYTES_MAX:
            raise ValueError("malformed or endless trailers")


def request_framing(fields: Fields) -> Framing | None:
    """How the body of a request with these (parsed, hence checked) fields is framed; None: no body."""
    if "transfer-encoding" in fields:
        return ChunkedFraming()
    if (length := fields.get("content-length")) is not None and int(length):
        return LengthFraming(int(length))
    return None


def announced_length(fields: Fields) -> int | None:
    """The number in Content-Length, None when there is none. ValueError when it is no number."""
    text = fields.get("content-length")
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ValueError(f"Content-Length is no number: {text[:40]!r}")
    return int(text)


def response_framing(method: str, status: int, fields: Fields) -> Framing:
    """How the body of a response to `method` is framed (RFC 9112 6.3). ValueError when in doubt."""
    length = announced_length(fields)
    if method == "HEAD" or 100 <= status < 200 or status in (204, 304):
        return LengthFraming(0)
    if "transfer-encoding" in fields:
        if fields["transfer-encoding"].lower() != "chunked":
            raise ValueError("a transfer coding other than chunked")
        return ChunkedFraming()
    return UntilCloseFraming() if length is None else LengthFraming(length)
