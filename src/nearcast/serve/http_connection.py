"""The server's end of one HTTP/1.1 connection.

A connection is always in one of these states, and `_advance` walks it from one to the next:

    head      bytes gather until a head is whole; its time runs from its first byte
    body      the request's body gathers
    exchange  the application answers; what the peer sends meanwhile waits, up to a bound
    linger    the last answer is written and our half closed; what still comes is thrown away, because
              closing with unread bytes resets the connection and may destroy the answer (RFC 9112 9.6)

Hot file (bench/http_hit.py): on a hit nothing is logged and no task, timer or copy of a body is made.
"""

from __future__ import annotations

import logging
from asyncio import CancelledError, Future, Task, TimerHandle
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from nearcast.model.faults import UpstreamFault
from nearcast.serve.http_exchange import Exchange
from nearcast.serve.tcp import Connection, Peer
from nearcast.wire.http.body import Framing, request_framing
from nearcast.wire.http.head import end_of_head
from nearcast.wire.http.message import HttpFault, RequestHead

if TYPE_CHECKING:
    from nearcast.serve.http_server import HttpListener

LINGER_SECONDS = 2.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

log = logging.getLogger(__name__)


class HttpConnection(Connection):
    """Reads requests, one after the other, and has each answered by the listener's application."""

    listener: HttpListener

    def __init__(self, listener: HttpListener) -> None:
        super().__init__(listener)
        self.local: Peer = ("", 0)
        self.gone = False  # nothing can be sent any more
        self.closing = False  # the present answer is the last one
        self._requests_left = listener.http_limits.requests_per_connection_max
        self._unread = b""
        self._exchange: Exchange | None = None
        self._request: RequestHead | None = None  # whose body gathers
        self._framing: Framing | None = None
        self._body = bytearray()
        self._task: Task[None] | None = None
        self._drained: Future[None] | None = None
        self._timer: TimerHandle | None = None  # of an unfinished head or body, or of lingering
        self._lingers = False
        self._held_back = False  # we do not read, because too much is unread

    # --- Connection -----------------------------------------------------------------------------
    def started(self) -> None:
        name = self.transport.get_extra_info("sockname")
        if name is not None:
            self.local = (name[0], name[1])

    def received(self, octets: bytes) -> None:
        if self._lingers:
            return
        self._unread = self._unread + octets if self._unread else octets
        if self._exchange is None:
            self._advance()
        else:
            self._hold_back()

    def ended(self) -> None:
        """The peer has closed its half: what it asked before is still answered."""
        if self._exchange is None or self._lingers:
            self.transport.close()

    def finish(self) -> None:
        if self._exchange is None and self._request is None:
            self.transport.close()
        self.closing = True

    def writable(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self._exchange is None:
            self._advance()
        self._hold_back()

    def expired(self) -> None:
        if self.transport.get_write_buffer_size():
            self.reset()  # the peer does not take what it asked for
        elif self._exchange is None:
            self.transport.close()
        # else the application is at work; its own time-outs bound that

    def lost(self, fault: Exception | None) -> None:
        self.gone = True
        self._stop_timer()
        if self._drained is not None and not self._drained.done():
            self._drained.set_exception(ConnectionResetError("the peer is gone"))
        if self._task is not None:
            self._task.cancel()

    # --- for Exchange -----------------------------------------------------------------------------
    @property
    def last_request(self) -> bool:
        """No further request is accepted on this connection."""
        return self._requests_left <= 0 or self.listener.draining

    async def until_peer_reads(self) -> None:
        """Wait for the peer to read what was written. Raises ConnectionResetError when it is gone."""
        while not self.peer_reads:
            if self.gone:
                raise ConnectionResetError("the peer is gone")
            self._drained = self.loop.create_future()
            try:
                await self._drained
            finally:
                self._drained = None

    def answered(self, exchange: Exchange) -> None:
        """The whole answer is written."""
        listener = self.listener
        listener.counters.add(exchange.status, exchange.bytes_sent)
        if listener.on_answered is not None:
            listener.on_answered(exchange)

    def break_off(self) -> None:
        """Reset the connection: the peer must not take what it has for the whole."""
        self.listener.counters.broken_off_total += 1
        self.gone = True
        self.reset()

    # --- from bytes to exchanges ------------------------------------------------------------------
    def _advance(self) -> None:
        """Go on as far as the bytes at hand, and a peer that takes its answers, allow."""
        while self._exchange is None and self.peer_reads and not (self._lingers or self.gone):
            try:
                request = self._next_request()
            except HttpFault as fault:
                self._refuse(fault)
                return
            if request is None:
                if self._peer_ended:
                    self.transport.close()
                return
            body = bytes(self._body)
            if body:
                self._body = bytearray()
            self._hand_over(request, body)

    def _next_request(self) -> RequestHead | None:
        """The next request once its head and body are whole. HttpFault when it cannot be accepted."""
        request = self._request
        if request is None:
            request = self._next_head()
            if request is None:
                return None
            self._framing = request_framing(request.fields)
            if self._framing is None and "expect" not in request.fields:
                return request
            self._request = request
            self._expect_body(request)
        if self._framing is not None and not self._gather_body(self._framing):
            if self._timer is None:
                self._start_timer(self.listener.http_limits.body_seconds_max, "body")
            return None
        self._stop_timer()
        self._request = self._framing = None
        return request

    def _next_head(self) -> RequestHead | None:
        unread = self._unread
        if unread[:1] in (b"\r", b"\n"):  # an empty line before the request (RFC 9112 2.2)
            unread = self._unread = unread.lstrip(b"\r\n")
        if not unread:
            return None
        end = end_of_head(unread)
        bytes_max = self.listener.http_limits.head_bytes_max
        if end > bytes_max or (end < 0 and len(unread) > bytes_max):
            raise HttpFault(431, f"A request's head has at most {bytes_max} bytes.")
        if end < 0:
            if self._timer is None:
                self._start_timer(self.listener.http_limits.head_seconds_max, "head")
            return None
        if self._timer is not None:
            self._stop_timer()
        self._requests_left -= 1
        if end == len(unread):
            self._unread = b""
            return self.listener.parse_head(unread)
        self._unread = unread[end:]
        return self.listener.parse_head(unread[:end])

    def _expect_body(self, request: RequestHead) -> None:
        limits = self.listener.http_limits
        if int(request.fields.get("content-length", "0")) > limits.body_bytes_max:
            raise HttpFault(413, f"A request's body has at most {limits.body_bytes_max} bytes.")
        expects = request.fields.get("expect", "").lower()
        if expects and request.minor_version:
            if expects != "100-continue":
                raise HttpFault(417, "The only expectation here is 100-continue.")
            if self._framing is not None and not self._unread:
                self.transport.write(_CONTINUE)

    def _gather_body(self, framing: Framing) -> bool:
        """Move body bytes out of what is unread; true when the body is whole."""
        try:
            content, self._unread = framing.take(self._unread)
        except ValueError as fault:
            raise HttpFault(400, f"The request's body is malformed: {fault}.") from None
        self._body += content
        if len(self._body) > self.listener.http_limits.body_bytes_max:
            bytes_max = self.listener.http_limits.body_bytes_max
            raise HttpFault(413, f"A request's body has at most {bytes_max} bytes.")
        return framing.complete

    # --- exchanges --------------------------------------------------------------------------------
    def _hand_over(self, request: RequestHead, body: bytes) -> None:
        exchange = self._exchange = Exchange(self, request, body)
        try:
            later = self.listener.application(exchange)
        except Exception as fault:
            self._failed(exchange, fault)
        else:
            if later is not None:
                self._task = self.loop.create_task(self._see_through(exchange, later))
                return
            if not exchange.answered:
                self._failed(exchange, AssertionError("the application returned without an answer"))
        self._after(exchange)

    async def _see_through(self, exchange: Exchange, later: Coroutine[Any, Any, None]) -> None:
        try:
            await later
            if not exchange.answered:
                raise AssertionError("the application returned without an answer")
        except CancelledError:
            if not self.gone:  # cancelled from outside, not because the peer is gone
                exchange.break_off()
            raise
        except Exception as fault:
            self._failed(exchange, fault)
        self._task = None
        self._after(exchange)
        if self._unread or self._peer_ended:
            self._advance()

    def _failed(self, exchange: Exchange, fault: Exception) -> None:
        """The application raised: answer when nothing was sent yet, else break the connection."""
        if isinstance(fault, ConnectionResetError) and self.gone:
            return
        if isinstance(fault, HttpFault):
            status, sentence = fault.status, fault.sentence
        elif isinstance(fault, UpstreamFault):
            status, sentence = 502, str(fault)
        else:
            status, sentence = 500, "This server made a mistake."
            self.closing = True
            self.listener.counters.crashes_total += 1
            request = exchange.request
            log.error("the application crashed on %s %s", request.method, request.target, exc_info=fault)
        if exchange.status == 0:
            exchange.respond(status, {"content-type": "text/plain; charset=utf-8"}, f"{sentence}\n".encode())
        elif not exchange.answered:
            exchange.break_off()

    def _refuse(self, fault: HttpFault) -> None:
        """The peer's fault, seen before there was a request to hand on: answer it and part."""
        self._stop_timer()
        self.listener.counters.refused_total += 1
        self.closing = True
        request = self._request or RequestHead("GET", "*", {}, keep_alive=False)
        exchange = self._exchange = Exchange(self, request, b"")
        self._failed(exchange, fault)
        self._exchange = None
        self._close(linger=True)

    def _after(self, exchange: Exchange) -> None:
        """The exchange is over."""
        self._exchange = None
        if self.gone:
            return
        if self.closing:
            self._close(linger=bool(self._unread))
        elif self._held_back and self.peer_reads and not self._peer_ended:
            self._held_back = False
            self.transport.resume_reading()

    def _hold_back(self) -> None:
        """Stop reading from a peer that sends requests faster than it takes answers."""
        if len(self._unread) > self.listener.http_limits.head_bytes_max and not self.transport.is_closing():
            self._held_back = True
            self.transport.pause_reading()

    def _close(self, *, linger: bool) -> None:
        """Part from the peer after the last answer; `linger` when it may still be sending."""
        if self._lingers or self.transport.is_closing():
            return
        if not linger or self._peer_ended or not self.transport.can_write_eof():
            self.transport.close()
            return
        self._lingers = True
        self._unread = b""
        self.transport.write_eof()
        self.transport.resume_reading()
        self._start_timer(LINGER_SECONDS, "linger")

    # --- time -------------------------------------------------------------------------------------
    def _start_timer(self, seconds: float, state: str) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._too_late, state)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self, state: str) -> None:
        self._timer = None
        if state == "linger":
            self.transport.close()
        else:
            self._refuse(HttpFault(408, f"The request's {state} took too long."))
