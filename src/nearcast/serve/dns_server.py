"""DNS on a UDP and a TCP listener of the same address and port, from one answer function.

UDP and TCP differ in framing, not in meaning: both call the same function and tell it which they are.
Over TCP (RFC 7766) each message follows its length; a client may send many questions without waiting,
and gets the answers as they become known, in any order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from nearcast.serve.limits import StreamLimits
from nearcast.serve.tcp import Connection, Listener, Peer, listen_tcp
from nearcast.serve.udp import DatagramListener, ReplyOctets, listen_udp

AnswerQuery = Callable[[bytes, Peer, bool], ReplyOctets | Coroutine[Any, Any, ReplyOctets]]
"""(query, peer, came over TCP) → the reply, None for silence, or a coroutine for what must be waited for."""

DNS_STREAMS = StreamLimits(connections_max=1000, idle_seconds=10.0, write_buffer_bytes=256 * 1024)
WAITING_MAX = 64  # questions of one connection that are being answered; more are not read yet
_BIND_TRIES = 20


class DnsConnection(Connection):
    """One TCP connection: questions in, answers out."""

    def __init__(self, listener: Listener, answer: AnswerQuery) -> None:
        super().__init__(listener)
        self._answer = answer
        self._unread = bytearray()
        self._waiting: set[asyncio.Task[None]] = set()
        self._last = False  # no further question will be taken

    def received(self, octets: bytes) -> None:
        self._unread += octets
        self._take()

    def ended(self) -> None:
        self._last = True
        self._close_when_answered()

    def finish(self) -> None:
        self._last = True
        self._close_when_answered()

    def writable(self) -> None:
        self._take()

    def lost(self, fault: Exception | None) -> None:
        for task in self._waiting:
            task.cancel()

    @property
    def busy(self) -> bool:
        return bool(self._waiting) or super().busy

    def _take(self) -> None:
        """Answer the whole questions that have arrived, as far as the limits allow."""
        unread, at = self._unread, 0
        while self.peer_reads and len(self._waiting) < WAITING_MAX and not self.transport.is_closing():
            end = at + 2 + int.from_bytes(unread[at : at + 2], "big")
            if len(unread) < at + 2 or len(unread) < end:
                break
            self._answer_one(bytes(unread[at + 2 : end]))
            at = end
            self.extend()
        del unread[:at]
        self._hold_or_read()

    def _hold_or_read(self) -> None:
        """Do not read what could not be answered: the peer's window closes, our memory stays small."""
        if self.transport.is_closing() or not self.peer_reads:
            return  # the base class reads again when the peer does
        if len(self._waiting) < WAITING_MAX:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def _answer_one(self, query: bytes) -> None:
        reply = self._answer(query, self.peer, True)
        if reply is None or isinstance(reply, bytes):
            self._send(reply)
            return
        task = self.loop.create_task(self._answer_later(reply))
        self._waiting.add(task)
        task.add_done_callback(self._answered)

    async def _answer_later(self, reply: Coroutine[Any, Any, ReplyOctets]) -> None:
        self._send(await reply)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._waiting.discard(task)
        if self.transport.is_closing():
            return
        self.extend()
        self._take()
        if self._last:
            self._close_when_answered()

    def _send(self, reply: ReplyOctets) -> None:
        if reply is not None and not self.transport.is_closing():
            self.transport.write(len(reply).to_bytes(2, "big") + reply)

    def _close_when_answered(self) -> None:
        if not self._waiting:
            self.transport.close()


class DnsListener:
    """A DNS server's two listeners. Satisfies `serve.program.Running`."""

    def __init__(self, udp: DatagramListener, tcp: Listener) -> None:
        self.udp = udp
        self.tcp = tcp

    @property
    def port(self) -> int:
        """The port of both."""
        return self.udp.port

    async def drain(self, seconds: float) -> None:
        await asyncio.gather(self.udp.drain(seconds), self.tcp.drain(seconds))

    def abort(self) -> None:
        self.udp.abort()
        self.tcp.abort()


async def listen_dns(
    answer: AnswerQuery,
    address: str,
    port: int,
    *,
    limits: StreamLimits = DNS_STREAMS,
    share_port: bool = False,
) -> DnsListener:
    """Answer DNS on `address`:`port` over UDP and TCP. Raises OSError when it cannot be bound.

    Port 0 takes one that is free for both.
    """
    for tries_left in reversed(range(_BIND_TRIES)):
        tcp = await listen_tcp(
            lambda listener: DnsConnection(listener, answer), address, port, limits, share_port=share_port
        )
        try:
            udp = await listen_udp(
                lambda octets, peer: answer(octets, peer, False), address, tcp.port, share_port=share_port
            )
        except OSError:
            tcp.abort()
            if port or not tries_left:
                raise
        else:
            return DnsListener(udp, tcp)
    raise AssertionError("the last try returns or raises")
