"""UDP listeners: a datagram comes in, `answer` says what goes back.

An answer that is known at once is returned as bytes; one that must be waited for is a coroutine, and
the number of those under way is bounded (one more is dropped: UDP peers ask again). `None` is silence,
and so is an empty answer: asyncio does not send empty datagrams. When the kernel takes no more,
answers are dropped, not hoarded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from nearcast.serve.counters import DatagramCounters
from nearcast.serve.tcp import Peer

ReplyOctets = bytes | None
AnswerDatagram = Callable[[bytes, Peer], ReplyOctets | Coroutine[Any, Any, ReplyOctets]]


class DatagramListener(asyncio.DatagramProtocol):
    """One bound UDP address."""

    transport: asyncio.DatagramTransport

    def __init__(self, answer: AnswerDatagram, waiting_max: int) -> None:
        self._answer = answer
        self._waiting_max = waiting_max
        self._waiting: set[asyncio.Task[None]] = set()
        self._closed = asyncio.Event()
        self._draining = False
        self._congested = False  # the kernel's buffer is full
        self.counters = DatagramCounters()

    @property
    def port(self) -> int:
        """The port really bound."""
        return int(self.transport.get_extra_info("sockname")[1])

    async def drain(self, seconds: float) -> None:
        self._draining = True
        if self._waiting:
            await asyncio.wait(self._waiting, timeout=seconds)
        self.abort()
        await self._closed.wait()

    def abort(self) -> None:
        self._draining = True
        for task in self._waiting:
            task.cancel()
        self.transport.abort()

    # --- asyncio.DatagramProtocol -----------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()

    def error_received(self, exc: Exception) -> None:
        """A peer's port was unreachable: its affair."""

    def pause_writing(self) -> None:
        self._congested = True

    def resume_writing(self) -> None:
        self._congested = False

    def datagram_received(self, data: bytes, addr: Peer) -> None:
        self.counters.received_total += 1
        reply = self._answer(data, addr)
        if reply is None:
            return
        if isinstance(reply, bytes):
            self._send(reply, addr)
        elif self._draining or len(self._waiting) >= self._waiting_max:
            reply.close()
            self.counters.dropped_total += 1
        else:
            task = asyncio.ensure_future(self._reply_later(reply, addr))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)

    async def _reply_later(self, reply: Coroutine[Any, Any, ReplyOctets], addr: Peer) -> None:
        octets = await reply
        if octets is not None:
            self._send(octets, addr)

    def _send(self, octets: bytes, addr: Peer) -> None:
        if self._congested or self.transport.is_closing():
            self.counters.dropped_total += 1
        else:
            self.transport.sendto(octets, addr)


async def listen_udp(
    answer: AnswerDatagram, address: str, port: int, *, share_port: bool = False, waiting_max: int = 4096
) -> DatagramListener:
    """Bind `address`:`port` and answer every datagram. An address that cannot be bound raises OSError."""
    make = asyncio.get_running_loop().create_datagram_endpoint
    try:
        _, listener = await make(
            lambda: DatagramListener(answer, waiting_max),
            local_addr=(address, port),
            reuse_port=share_port or None,
        )
    except OSError as fault:
        if fault.errno is None and isinstance(fault.__cause__, OSError):
            raise fault.__cause__ from None  # uvloop hides the reason there
        raise
    return listener
