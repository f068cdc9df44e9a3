"""The client's end of one HTTP/1.1 connection: one request under way at a time.

Back-pressure: body pieces wait in a bounded buffer; while it is full the connection is not read, and
TCP slows the upstream down to the pace of whoever reads the pieces.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nearcast.model.faults import UpstreamFault
from nearcast.serve.deadline import Alarm
from nearcast.serve.limits import ClientLimits
from nearcast.wire.addresses import endpoint_text
from nearcast.wire.http.body import Framing, UntilCloseFraming, response_framing
from nearcast.wire.http.head import end_of_head, parse_response_head
from nearcast.wire.http.message import ResponseHead


class UpstreamConnection(asyncio.Protocol):
    """Asks, and hands out the answer: `ask` gives its head, `piece` its body."""

    def __init__(self, address: tuple[str, int], limits: ClientLimits) -> None:
        self.address = address
        self.complete = False  # the present response is here to its last byte
        self.stale = False  # ended before any byte of the present answer
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._method = ""
        self._unread = b""  # of a head
        self._interim_bytes = 0  # of interim responses to the present request
        self._head: ResponseHead | None = None
        self._keep_alive = False  # so the head says
        self._framing: Framing | None = None
        self._pieces: deque[bytes] = deque()
        self._buffered = 0  # bytes in _pieces
        self._held_back = False  # we do not read, because the buffer is full
        self._fault: str | None = None  # why nothing more can come
        self._waiter: asyncio.Future[None] | None = None
        self._late = False  # the time of what is waited for is over
        self._answered = False  # a byte of the present answer has come
        self._ended: Callable[[UpstreamConnection], None] | None = None  # set while kept
        self._timer: asyncio.TimerHandle | None = None  # of a kept connection

    # --- for the client ---------------------------------------------------------------------------
    async def ask(self, method: str, octets: bytes) -> ResponseHead:
        """Send a request, whose octets are whole; wait for the head of the answer.

        Interim responses are skipped (RFC 9110 15.2) and buy no time: `head_seconds` are for all of it.
        """
        assert self._transport is not None
        self._method = method
        self._head = self._framing = None
        self.complete = self._answered = False
        self._interim_bytes = 0
        if self._fault is None:
            self._transport.write(octets)
        seconds = self._limits.head_seconds
        with self._bounded(seconds):
            while self._head is None:
                if self._fault is not None:
                    self.stale = not self._answered
                    raise UpstreamFault(endpoint_text(*self.address), self._fault)
                if self._late:
                    sentence = f"no answer within {seconds:g} s"
                    raise UpstreamFault(endpoint_text(*self.address), sentence, timed_out=True)
                await self._change()
        return self._head

    async def piece(self) -> bytes | None:
        """The next piece of the body, None after the last one."""
        if not self._pieces and not self.complete:
            with self._bounded(self._limits.stall_seconds):
                await self._until_more()
        if not self._pieces:
            return None
        piece = self._pieces.popleft()
        self._buffered -= len(piece)
        if self._held_back and self._buffered <= self._limits.buffer_bytes // 2:
            self._held_back = False
            assert self._transport is not None
            self._transport.resume_reading()
        return piece

    @property
    def reusable(self) -> bool:
        """The connection can carry another request."""
        return (
            self.complete
            and self._fault is None
            and self._keep_alive
            and self._transport is not None
            and self._transport.get_write_buffer_size() == 0
        )

    def lay_down(self, ended: Callable[[UpstreamConnection], None]) -> None:
        """Nobody uses the connection; `ended` is told when it closes meanwhile."""
        self._pieces.clear()
        self._buffered = 0
        if self._held_back:
            self._held_back = False
            assert self._transport is not None
            self._transport.resume_reading()
        self._ended = ended
        self._timer = self._loop.call_later(self._limits.kept_seconds, self.close)

    def take_up(self) -> bool:
        """Use the connection again; false when it has ended."""
        self._ended = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return self._fault is None

    def close(self) -> None:
        """End the connection, whatever is under way."""
        self._break("closed by us")
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio.Protocol -------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # uvloop's is no asyncio.Transport by class

    def data_received(self, data: bytes) -> None:
        if self._fault is not None:
            return
        if self._method == "" or self._ended is not None or self.complete:
            self.close()  # an answer that nobody asked for
            return
        self._answered = True
        try:
            if self._framing is None:
                self._take_head(data)
            else:
                self._take_body(self._framing, data)
        except ValueError as fault:
            self._break(str(fault))
            self.close()
        self._wake()

    def eof_received(self) -> bool:
        self._end("the connection was closed")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("the connection was reset" if exc is not None else "the connection was closed")

    # --- from bytes to a response -----------------------------------------------------------------
    def _take_head(self, data: bytes) -> None:
        unread, begin, searched = self._unread, 0, max(0, len(self._unread) - 3)
        unread = unread + data if unread else data
        bytes_max = self._limits.head_bytes_max
        while True:
            end = end_of_head(unread, searched)
            if self._interim_bytes + (len(unread) if end < 0 else end) - begin > bytes_max:
                raise ValueError(f"a response head of more than {bytes_max} bytes")
            if end < 0:
                self._unread = unread[begin:]
                return
            head, keep_alive = parse_response_head(unread[begin:end])
            if head.status >= 200:
                break
            self._interim_bytes += end - begin
            begin = searched = end
        self._unread = b""
        self._framing = framing = response_framing(self._method, head.status, head.fields)
        self._head, self._keep_alive = head, keep_alive
        self._take_body(framing, unread[end:])

    def _take_body(self, framing: Framing, data: bytes) -> None:
        content, rest = framing.take(data)
        if content:
            self._pieces.append(content)
            self._buffered += len(content)
            if self._buffered >= self._limits.buffer_bytes and not framing.complete:
                self._held_back = True
                assert self._transport is not None
                self._transport.pause_reading()
        self.complete = framing.complete
        if rest:
            self.close()  # the response stands, but what follows it is no answer to anything

    def _end(self, sentence: str) -> None:
        """The upstream sends no more."""
        if isinstance(self._framing, UntilCloseFraming) and self._fault is None:
            if sentence == "the connection was closed":
                self.complete = True
        elif self._framing is not None and not self.complete:
            sentence = f"the body broke off: {sentence}"
        self._break(sentence)

    def _break(self, sentence: str) -> None:
        if self._fault is None:
            self._fault = sentence
        ended, self._ended = self._ended, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if ended is not None:
            ended(self)
        self._wake()

    # --- waiting ----------------------------------------------------------------------------------
    @contextmanager
    def _bounded(self, seconds: float) -> Iterator[None]:
        """What is waited for in this block has `seconds`, in all."""
        self._late = False
        alarm = Alarm(self._loop, seconds, self._come_too_late)
        try:
            yield
        finally:
            alarm.cancel()

    def _come_too_late(self) -> None:
        self._late = True
        self._wake()

    async def _until_more(self) -> None:
        """Wait for content or its end; bytes that are neither (framing that trickles) buy no time."""
        while not self._pieces and not self.complete:
            source = endpoint_text(*self.address)
            if self._fault is not None:
                raise UpstreamFault(source, self._fault, retry_safe=False)
            if self._late:
                sentence = f"nothing more of the body within {self._limits.stall_seconds:g} s"
                raise UpstreamFault(source, sentence, retry_safe=False, timed_out=True)
            await self._change()

    async def _change(self) -> None:
        """Wait until something has changed."""
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
