"""One request and the answer to it, as an application sees them.

Whatever the application does, what leaves is one well-formed response: a body that is longer or
shorter than announced breaks the connection (our fault, an assertion), and fields that belong to the
connection are set here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from nearcast.serve.tcp import Peer
from nearcast.wire.http.head import encode_response_head
from nearcast.wire.http.message import HOP_BY_HOP, Fields, RequestHead

if TYPE_CHECKING:
    from nearcast.serve.http_connection import HttpConnection

# Up to this size copying a body behind its head is cheaper than handing over two buffers.
JOINED_BYTES_MAX = 8 * 1024

_BODILESS = frozenset({204, 304, *range(100, 200)})


class Exchange:
    """One request and the answer to it."""

    __slots__ = ("_chunked", "_connection", "_left", "answered", "body", "bytes_sent", "request", "status")

    request: RequestHead
    body: bytes  # the request's whole body (bounded by HttpLimits.body_bytes_max)
    status: int  # of the answer; 0 while there is none
    bytes_sent: int  # of the answer's body
    answered: bool  # the answer is complete, or has been broken off

    def __init__(self, connection: HttpConnection, request: RequestHead, body: bytes) -> None:
        self._connection = connection
        self.request = request
        self.body = body
        self.status = 0
        self.bytes_sent = 0
        self.answered = False
        self._chunked = False
        self._left: int | None = 0  # body bytes still to be written; None: not announced

    @property
    def peer(self) -> Peer:
        """The other end's address."""
        return self._connection.peer

    @property
    def local(self) -> Peer:
        """Our own address of this connection."""
        return self._connection.local

    def respond(self, status: int, fields: Fields, body: bytes | memoryview = b"") -> None:
        """Answer completely. Content-Length and Date are added; a HEAD request gets no body.

        `body` is not copied when it is large; a memoryview must stay unchanged until it is sent.
        """
        assert self.status == 0, "an exchange has one answer"
        length = len(body)
        head = self._head(status, fields, length)
        self.status = status
        self.answered = True
        connection = self._connection
        if connection.gone:
            return
        if length == 0 or self.request.method == "HEAD" or status in _BODILESS:
            connection.transport.write(head)
        else:
            self.bytes_sent = length
            if length <= JOINED_BYTES_MAX:
                connection.transport.write(head + body)
            else:
                connection.transport.writelines((head, body))
        connection.answered(self)

    def begin(self, status: int, fields: Fields, length: int | None) -> None:
        """Begin an answer whose body follows by `write`; chunked when `length` is None (until the
        connection's end for an HTTP/1.0 peer)."""
        assert self.status == 0, "an exchange has one answer"
        head = self._head(status, fields, length)
        self.status = status
        bodiless = self.request.method == "HEAD" or status in _BODILESS
        self._left = 0 if bodiless else length
        self._chunked = length is None and not bodiless and self.request.minor_version > 0
        if not self._connection.gone:
            self._connection.transport.write(head)

    async def write(self, octets: bytes | memoryview) -> None:
        """Send a piece of the body; waits while the peer has fallen behind. Raises
        ConnectionResetError when the peer is gone. To a HEAD request nothing is sent."""
        assert self.status and not self.answered, "write comes between begin and end"
        size = len(octets)
        connection = self._connection
        if connection.gone:
            raise ConnectionResetError("the peer is gone")
        if size == 0 or self.request.method == "HEAD":
            return
        if self._left is not None:
            if size > self._left:
                self.break_off()
                raise AssertionError(f"a body longer than announced, by {size - self._left} bytes")
            self._left -= size
        if self._chunked:
            connection.transport.writelines((b"%x\r\n" % size, octets, b"\r\n"))
        else:
            connection.transport.write(octets)
        self.bytes_sent += size
        if not connection.peer_reads:
            await connection.until_peer_reads()

    def end(self) -> None:
        """The body is complete."""
        assert self.status, "end comes after begin"
        if self.answered:
            return
        if self._left:
            self.break_off()
            raise AssertionError(f"a body shorter than announced, by {self._left} bytes")
        self.answered = True
        connection = self._connection
        if connection.gone:
            return
        if self._chunked:
            connection.transport.write(b"0\r\n\r\n")
        connection.answered(self)

    def break_off(self) -> None:
        """The rest of the body cannot be had: reset, so that the peer cannot take it for whole."""
        if not self.answered:
            self.answered = True
            self._connection.break_off()

    def _head(self, status: int, fields: Fields, length: int | None) -> bytes:
        """The head of the answer; decides whether the connection outlives it."""
        connection = self._connection
        request = self.request
        more = "" if "date" in fields else connection.listener.date_line()
        if not HOP_BY_HOP.isdisjoint(fields):  # `connection: close` is heard, the others are dropped
            connection.closing |= "close" in fields.get("connection", "").lower()
            fields = {name: value for name, value in fields.items() if name not in HOP_BY_HOP}
        if "content-length" in fields:
            # Only where no body follows may it say something of its own (RFC 9110 8.6).
            free = request.method == "HEAD" or status == 304
            assert free or fields["content-length"] == str(length), "Content-Length is not the body's"
        elif status in _BODILESS:
            pass
        elif length is not None:
            more += f"content-length: {length}\r\n"
        elif request.minor_version:
            more += "transfer-encoding: chunked\r\n"
        elif request.method != "HEAD":
            connection.closing = True
        if not request.keep_alive or connection.last_request:
            connection.closing = True
        if connection.closing:
            more += "connection: close\r\n"
        elif request.minor_version == 0:
            more += "connection: keep-alive\r\n"
        return encode_response_head(status, fields, more)


Application = Callable[[Exchange], Coroutine[Any, Any, None] | None]
