"""One request and the answer to it, as an application sees them.

Whatever the application does, what leaves is one well-formed response: a body that is longer or
shorter than announced breaks the answer off (our fault, an assertion), and what belongs to the
connection is its channel's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from nearcast.serve.http_channel import BODILESS, NO_FIELDS, Channel, Octets
from nearcast.serve.tcp import Peer
from nearcast.wire.http.field_block import FieldBlock
from nearcast.wire.http.message import Fields, RequestHead


class Exchange:
    """One request and the answer to it."""

    __slots__ = ("_left", "answered", "body", "bytes_sent", "channel", "request", "status")

    channel: Channel
    request: RequestHead
    body: bytes  # the request's whole body (bounded by HttpLimits.body_bytes_max)
    status: int  # of the answer; 0 while there is none
    bytes_sent: int  # of the answer's body
    answered: bool  # the answer is complete, or has been broken off

    def __init__(self, channel: Channel, request: RequestHead, body: bytes) -> None:
        self.channel = channel
        self.request = request
        self.body = body
        self.status = 0
        self.bytes_sent = 0
        self.answered = False
        self._left: int | None = 0  # body bytes still to be written; None: not announced

    @property
    def peer(self) -> Peer:
        """The other end's address."""
        return self.channel.peer

    @property
    def local(self) -> Peer:
        """Our own address of this connection."""
        return self.channel.local

    def respond(
        self, status: int, fields: Fields | FieldBlock, body: Octets = b"", more: Fields = NO_FIELDS
    ) -> None:
        """Answer completely. Content-Length and Date are added; a HEAD request gets no body.

        `more` adds to `fields`, and goes before them where both name a field. `body` is not copied when it
        is large; a memoryview must stay unchanged until it is sent. ValueError when a field is none.
        """
        assert self.status == 0, "an exchange has one answer"
        length = len(body)
        if length and (status in BODILESS or self.request.method == "HEAD"):
            body = b""
        if "content-length" in (fields.fields if isinstance(fields, FieldBlock) else fields):
            self._check_length(status, fields, length)
        channel = self.channel
        channel.begin(status, fields, more, length, body)
        self.status = status
        self.answered = True
        if not channel.gone:
            self.bytes_sent = len(body)
            channel.end()

    def begin(
        self, status: int, fields: Fields | FieldBlock, length: int | None, more: Fields = NO_FIELDS
    ) -> None:
        """Begin an answer whose body follows by `write`; `length` is None when it is not known yet.

        Fields are as in `respond`.
        """
        assert self.status == 0, "an exchange has one answer"
        self._check_length(status, fields, length)
        self.channel.begin(status, fields, more, length, b"")
        self.status = status
        self._left = 0 if status in BODILESS or self.request.method == "HEAD" else length

    async def write(self, octets: Octets) -> None:
        """Send a piece of the body; waits while the peer has fallen behind. Raises
        ConnectionResetError when the peer is gone. To a HEAD request nothing is sent."""
        assert self.status and not self.answered, "write comes between begin and end"
        size = len(octets)
        channel = self.channel
        if channel.gone:
            raise ConnectionResetError("the peer is gone")
        if size == 0 or self.request.method == "HEAD":
            return
        if self._left is not None:
            if size > self._left:
                self.break_off()
                raise AssertionError(f"a body longer than announced, by {size - self._left} bytes")
            self._left -= size
        channel.write(octets)
        self.bytes_sent += size
        if not channel.peer_reads:
            await channel.until_peer_reads()

    def end(self) -> None:
        """The body is complete."""
        assert self.status, "end comes after begin"
        if self.answered:
            return
        if self._left:
            self.break_off()
            raise AssertionError(f"a body shorter than announced, by {self._left} bytes")
        self.answered = True
        if not self.channel.gone:
            self.channel.end()

    def break_off(self) -> None:
        """The rest of the body cannot be had: the peer must not take what it has for the whole."""
        if not self.answered:
            self.answered = True
            self.channel.break_off()

    def _check_length(self, status: int, fields: Fields | FieldBlock, length: int | None) -> None:
        """Only where no body follows may Content-Length say something of its own (RFC 9110 8.6)."""
        said = (fields.fields if isinstance(fields, FieldBlock) else fields).get("content-length")
        free = said is None or said == str(length) or status == 304 or self.request.method == "HEAD"
        assert free, "Content-Length is not the body's"


Application = Callable[[Exchange], Coroutine[Any, Any, None] | None]
