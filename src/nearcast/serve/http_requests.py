"""From the bytes of an HTTP/1.1 connection to whole requests, within bounds. Knows no socket and no clock.

Every byte is looked at a bounded number of times, however the peer cuts or piles up what it sends.
Hot file (bench/http_hit.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from nearcast.serve.limits import HttpLimits
from nearcast.wire.http.body import Framing, request_framing
from nearcast.wire.http.head import ReceivedRequest, end_of_head
from nearcast.wire.http.message import HttpFault

_EMPTY_LINES = re.compile(rb"[\r\n]*")
BODY_TAKE_BYTES = 16 * 1024  # of a body at a time: what follows it is not copied for each of many small ones


class RequestReader:
    """Gathers what a peer sends; `next` hands out one request after the other."""

    def __init__(self, parse_head: Callable[[bytes], ReceivedRequest], limits: HttpLimits) -> None:
        self.waits_for = ""  # what is begun and unfinished: "head", "body"
        self.continue_due = False  # the peer waits for `100 Continue` before it sends the body
        self.request: ReceivedRequest | None = None  # whose body gathers
        self._parse_head = parse_head
        self._limits = limits
        self.unread_bytes = 0  # how much waits for its turn
        self._unread = b""
        self._at = 0  # what is before this in _unread has been read
        self._searched = 0  # no head that begins at _at ends before this
        self._framing: Framing | None = None
        self._body = bytearray()

    def feed(self, octets: bytes) -> None:
        """Bytes arrived, cut anywhere."""
        if self._at == len(self._unread):
            self._unread = octets
            self._at = self._searched = 0
        else:
            self._unread = self._unread[self._at :] + octets
            self._searched -= self._at
            self._at = 0
        self.unread_bytes = len(self._unread)

    def forget(self) -> None:
        """Nothing more of what was sent will be read."""
        self._unread = b""
        self._at = self._searched = self.unread_bytes = 0
        self._body = bytearray()

    def next(self) -> tuple[ReceivedRequest, bytes] | None:
        """The next request once its head and body are whole. HttpFault when it cannot be accepted."""
        request = self.request
        if request is None:
            request = self._next_head()
            if request is None:
                return None
            fields = request.head.fields
            self._framing = request_framing(fields)
            if self._framing is None and "expect" not in fields:
                return request, b""
            self.request = request
            self._expect_body(request)
        body = b""
        if self._framing is not None:
            if not self._gather_body(self._framing):
                self.waits_for = "body"
                return None
            body = bytes(self._body)
            self._body = bytearray()
        self.waits_for = ""
        self.continue_due = False
        self.request = self._framing = None
        return request, body

    def _next_head(self) -> ReceivedRequest | None:
        unread, at = self._unread, self._at
        if at < len(unread) and unread[at] in b"\r\n":  # empty lines before the request (RFC 9112 2.2)
            at = self._at = _EMPTY_LINES.match(unread, at).end()  # type: ignore[union-attr]
            self.unread_bytes = len(unread) - at
        if at == len(unread):
            return None
        end = end_of_head(unread, max(at, self._searched - 3))
        bytes_max = self._limits.head_bytes_max
        if end - at > bytes_max or (end < 0 and len(unread) - at > bytes_max):
            raise HttpFault(431, f"A request's head has at most {bytes_max} bytes.")
        if end < 0:
            self._searched = len(unread)
            self.waits_for = "head"
            return None
        self.waits_for = ""
        self._at = self._searched = end
        self.unread_bytes = len(unread) - end
        return self._parse_head(unread if end - at == len(unread) else unread[at:end])

    def _expect_body(self, request: ReceivedRequest) -> None:
        fields, bytes_max = request.head.fields, self._limits.body_bytes_max
        if int(fields.get("content-length", "0")) > bytes_max:
            raise HttpFault(413, f"A request's body has at most {bytes_max} bytes.")
        expects = fields.get("expect", "").lower()
        if expects and request.minor_version:
            if expects != "100-continue":
                raise HttpFault(417, "The only expectation here is 100-continue.")
            self.continue_due = self._framing is not None and not self.unread_bytes

    def _gather_body(self, framing: Framing) -> bool:
        """Move body bytes out of what is unread; true when the body is whole."""
        while not framing.complete and self._at < len(self._unread):
            taken = self._unread[self._at : self._at + BODY_TAKE_BYTES]
            try:
                content, rest = framing.take(taken)
            except ValueError as fault:
                raise HttpFault(400, f"The request's body is malformed: {fault}.") from None
            self._at += len(taken) - len(rest)
            self._body += content
            if len(self._body) > self._limits.body_bytes_max:
                bytes_max = self._limits.body_bytes_max
                raise HttpFault(413, f"A request's body has at most {bytes_max} bytes.")
        self._searched = self._at
        self.unread_bytes = len(self._unread) - self._at
        return framing.complete
