"""The server's end of one HTTP/1.1 connection, and the channel of its exchanges.

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
from asyncio import CancelledError, Future, Task
from collections.abc import Coroutine
from typing import Any

from nearcast.model.faults import UpstreamFault
from nearcast.serve.deadline import Alarm
from nearcast.serve.http_channel import BODILESS, Octets
from nearcast.serve.http_exchange import Exchange
from nearcast.serve.http_listener import HttpListener
from nearcast.serve.http_requests import RequestReader
from nearcast.serve.tcp import Connection, Peer
from nearcast.wire.http.field_block import FieldBlock, few_field_lines
from nearcast.wire.http.head import ReceivedRequest, encode_response_head
from nearcast.wire.http.message import HOP_BY_HOP, Fields, HttpFault, RequestHead

LINGER_SECONDS = 2.0
# Up to this size copying a body behind its head is cheaper than handing over two buffers.
JOINED_BYTES_MAX = 8 * 1024
# Answers to one peer in one turn of the loop; then others have theirs.
TURN_ANSWERS_MAX = 16

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_NOBODY = ReceivedRequest(RequestHead("GET", "*", {}), keep_alive=False)  # asked what could not be read

log = logging.getLogger(__name__)


class HttpConnection(Connection):
    """Reads requests, one after the other, and has each answered by the listener's application."""

    listener: HttpListener

    def __init__(self, listener: HttpListener) -> None:
        super().__init__(listener)
        self.local: Peer = ("", 0)
        self.gone = False  # nothing can be sent any more
        self._closing = False  # the present answer is the last one
        self._requests_left = listener.http_limits.requests_per_connection_max
        self._reader = RequestReader(listener.parse_head, listener.http_limits)
        self._exchange: Exchange | None = None
        self._request = _NOBODY  # of the present exchange
        self._chunked = False  # so the present answer is framed
        self._task: Task[None] | None = None
        self._drained: Future[None] | None = None
        self._timer: Alarm | None = None  # of an unfinished head or body, or of lingering
        self._timed = ""  # what the timer bounds
        self._lingers = False
        self._held_back = False  # we do not read, because too much is unread
        self._yields = False  # others have their turn; then we go on

    # --- Connection -----------------------------------------------------------------------------
    def started(self) -> None:
        name = self.transport.get_extra_info("sockname")
        if name is not None:
            self.local = (name[0], name[1])

    def received(self, octets: bytes) -> None:
        if self._lingers:
            return
        self._reader.feed(octets)
        if self._exchange is None:
            self._advance()
        if self._reader.unread_bytes:
            self._hold_back()

    def ended(self) -> None:
        """The peer has closed its half: what it asked before is still answered."""
        if self._exchange is None or self._lingers:
            self.transport.close()

    def finish(self) -> None:
        if self._exchange is None and self._reader.request is None:
            self.transport.close()
        self._closing = True

    def writable(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self._exchange is None:
            self._advance()
        self._hold_back()

    def expired(self) -> None:
        if self.transport.get_write_buffer_size():
            self.reset()  # the peer does not take what it asked for
        elif self._exchange is None and not self._reader.waits_for:
            self.transport.close()
        # else the application is at work, or a request comes in: their own time-outs bound that

    @property
    def busy(self) -> bool:
        return self._exchange is not None or self._reader.request is not None or super().busy

    def lost(self, fault: Exception | None) -> None:
        self.gone = True
        self._stop_timer()
        if self._drained is not None and not self._drained.done():
            self._drained.set_exception(ConnectionResetError("the peer is gone"))
        task, self._task, self._exchange = self._task, None, None  # what an answer holds goes with it
        if task is not None:
            task.cancel()

    # --- Channel ----------------------------------------------------------------------------------
    def begin(
        self, status: int, fields: Fields | FieldBlock, more: Fields, length: int | None, octets: Octets
    ) -> None:
        head = self._head(status, fields, more, length)
        if self.gone:
            return
        if not octets:
            self.transport.write(head)
        elif len(octets) <= JOINED_BYTES_MAX:
            self.transport.write(head + octets)
        else:
            self.transport.writelines((head, octets))

    def write(self, octets: Octets) -> None:
        if self._chunked:
            self.transport.writelines((b"%x\r\n" % len(octets), octets, b"\r\n"))
        else:
            self.transport.write(octets)

    async def until_peer_reads(self) -> None:
        while not self.peer_reads:
            if self.gone:
                raise ConnectionResetError("the peer is gone")
            self._drained = self.loop.create_future()
            try:
                await self._drained
            finally:
                self._drained = None

    def end(self) -> None:
        if self._chunked:
            self.transport.write(b"0\r\n\r\n")
        self._deadline = self.loop.time() + self.limits.idle_seconds  # as `extend` does
        assert self._exchange is not None
        self.listener.answered(self._exchange)

    def break_off(self) -> None:
        self.listener.counters.broken_off_total += 1
        self.gone = True
        self.reset()

    def _head(self, status: int, fields: Fields | FieldBlock, more: Fields, length: int | None) -> bytes:
        """The head of the answer; decides how it is framed and whether the connection outlives it."""
        named = fields.fields if isinstance(fields, FieldBlock) else fields
        if isinstance(fields, FieldBlock) and HOP_BY_HOP.isdisjoint(more) and named.keys().isdisjoint(more):
            lines = few_field_lines(more)
        else:
            fields = named = self._without_hop_by_hop({**named, **more} if more else named)
            lines = b""
        if "date" not in named and "date" not in more:
            lines += self.listener.date_line()
        self._chunked = False
        if "content-length" not in named and status not in BODILESS:
            lines += b"content-length: %d\r\n" % length if length is not None else self._framing_line()
        request = self._request
        lasts = request.keep_alive and self._requests_left > 0 and not self.listener.draining
        if self._closing or not lasts:
            self._closing = True
            lines += b"connection: close\r\n"
        elif not request.minor_version:
            lines += b"connection: keep-alive\r\n"
        return encode_response_head(status, fields, lines)

    def _without_hop_by_hop(self, fields: Fields) -> Fields:
        """Of the hop-by-hop fields `connection: close` is heard, and none is sent on."""
        if HOP_BY_HOP.isdisjoint(fields):
            return fields
        self._closing |= "close" in fields.get("connection", "").lower()
        return {name: value for name, value in fields.items() if name not in HOP_BY_HOP}

    def _framing_line(self) -> bytes:
        """How the peer finds the end of a body whose length is not known yet."""
        asked_for_head = self._request.head.method == "HEAD"
        if self._request.minor_version:
            self._chunked = not asked_for_head
            return b"transfer-encoding: chunked\r\n"
        self._closing |= not asked_for_head
        return b""

    # --- from bytes to exchanges ------------------------------------------------------------------
    def _advance(self) -> None:
        """Go on as far as the bytes at hand, and a peer that takes its answers, allow."""
        reader, answers = self._reader, 0
        while self._exchange is None and self.peer_reads and not (self._lingers or self.gone or self._yields):
            if answers == TURN_ANSWERS_MAX:
                self._yields = True
                self.loop.call_soon(self._go_on)
                return
            try:
                whole = reader.next()
            except HttpFault as fault:
                self._refuse(fault)
                return
            if self._timed != reader.waits_for:
                self._time_request(reader.waits_for)
            if whole is None:
                if reader.continue_due:
                    reader.continue_due = False
                    self.transport.write(_CONTINUE)
                if self._peer_ended:
                    self.transport.close()
                self._read_again()
                return
            answers += 1
            self._requests_left -= 1
            self._hand_over(*whole)
            if not (reader.unread_bytes or self._held_back or self._peer_ended):
                return  # nothing is left to look at

    def _go_on(self) -> None:
        self._yields = False
        self._advance()

    # --- exchanges --------------------------------------------------------------------------------
    def _hand_over(self, request: ReceivedRequest, body: bytes) -> None:
        self._request = request
        exchange = self._exchange = Exchange(self, request.head, body)
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
        if self._reader.unread_bytes or self._peer_ended:
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
            self._closing = True
            self.listener.counters.crashes_total += 1
            request = exchange.request
            log.error("the application crashed on %s %s", request.method, request.target, exc_info=fault)
        if exchange.status == 0:
            exchange.respond(status, {"content-type": "text/plain; charset=utf-8"}, f"{sentence}\n".encode())
        elif not exchange.answered:
            exchange.break_off()
        if isinstance(fault, AssertionError):  # the worker ends by it
            message = f"an assertion failed on {exchange.request.method} {exchange.request.target}"
            self.loop.call_exception_handler({"message": message, "exception": fault, "protocol": self})

    def _refuse(self, fault: HttpFault) -> None:
        """The peer's fault, seen before there was a request to hand on: answer it and part."""
        self._stop_timer()
        self.listener.counters.refused_total += 1
        self._closing = True
        self._request = self._reader.request or _NOBODY
        exchange = self._exchange = Exchange(self, self._request.head, b"")
        self._failed(exchange, fault)
        self._exchange = None
        self._close(linger=True)

    def _after(self, exchange: Exchange) -> None:
        """The exchange is over."""
        self._exchange = None
        if self.gone:
            return
        if self._closing:
            self._close(linger=bool(self._reader.unread_bytes))
        else:
            self._read_again()

    def _hold_back(self) -> None:
        """Stop reading from a peer that sends requests faster than it takes answers."""
        if self._much_is_unread and not (self._lingers or self.transport.is_closing()):
            self._held_back = True
            self.transport.pause_reading()

    def _read_again(self) -> None:
        if self._held_back and self.peer_reads and not (self._peer_ended or self._much_is_unread):
            self._held_back = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    @property
    def _much_is_unread(self) -> bool:
        return self._reader.unread_bytes > self.listener.http_limits.head_bytes_max

    def _close(self, *, linger: bool) -> None:
        """Part from the peer after the last answer; `linger` when it may still be sending."""
        if self._lingers or self.transport.is_closing():
            return
        if not linger or self._peer_ended or not self.transport.can_write_eof():
            self.transport.close()
            return
        self._lingers = True
        self._reader.forget()
        self.transport.write_eof()
        self.transport.resume_reading()
        self._timer = Alarm(self.loop, LINGER_SECONDS, self.transport.close)

    # --- time -------------------------------------------------------------------------------------
    def _time_request(self, part: str) -> None:
        """From now on the time of an unfinished `part` of a request runs, of none when it is ""."""
        self._stop_timer()
        self._timed = part
        if part:
            limits = self.listener.http_limits
            seconds = limits.head_seconds_max if part == "head" else limits.body_seconds_max
            self._timer = Alarm(self.loop, seconds, self._too_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        self._refuse(HttpFault(408, f"The request's {self._timed} took too long."))
