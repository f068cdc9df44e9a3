"""A TCP connection's end: asyncio's Transport over two `Flow`s.

What programs see is what CPython's selector transport shows on Linux:
- `close` sends what is buffered, then FIN; `abort` drops what is buffered and sends FIN, not a reset,
  unless bytes that arrived were never read (RFC 2525, 2.17). Bytes that arrive later are answered with a
  reset.
- `pause_writing` above the high-water mark, `resume_writing` at or below the low one; 64 KiB and 16 KiB.
- `data_received` gets bytes, `BufferedProtocol` gets its buffer filled.
- An exception in the protocol's receiving methods is reported to the loop and ends the connection.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import os
import socket
import zlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from nearcast.simulate.world.addresses import SocketAddress, VirtualSocket, spelled
from nearcast.simulate.world.history import History
from nearcast.simulate.world.incarnation import Incarnation
from nearcast.simulate.world.loop import VirtualLoop
from nearcast.simulate.world.stream import Flow, Item, Mark
from nearcast.simulate.world.tap import Ending, Tap

HIGH_WATER_BYTES = 64 * 1024
CRC_WHOLE_BYTES_MAX = 2048
CRC_END_BYTES = 512


def fingerprint(octets: bytes) -> int:
    """The CRC-32 of short bytes, of both ends of long ones: histories must not cost work per byte."""
    if len(octets) <= CRC_WHOLE_BYTES_MAX:
        return zlib.crc32(octets)
    return zlib.crc32(octets[-CRC_END_BYTES:], zlib.crc32(octets[:CRC_END_BYTES]))


class Acceptor(Protocol):
    """Who takes the connections of a listening address, and hears when one is over."""

    def accept(self, endpoint: Endpoint) -> None: ...
    def left(self, endpoint: Endpoint) -> None: ...


class Endpoint(asyncio.Transport):
    """One end of a connection. `number` names the connection, `accepting` the server's end of it."""

    __slots__ = (
        *("_broken", "_buffered", "_closing", "_discards", "_eof_sent", "_high", "_history", "_limits_low"),
        *("_loop", "_opened", "_paused", "_read_all", "_reading_due", "_received", "_tap"),
        *("_writing_paused", "accepting", "closed", "context", "flow", "incoming", "incarnation", "listener"),
        *("local", "lost", "number", "protocol", "remote", "unread_bytes", "vanished", "where"),
    )

    flow: Flow
    incoming: Flow

    def __init__(
        self,
        loop: VirtualLoop,
        history: History,
        tap: Tap | None,
        number: int,
        incarnation: Incarnation,
        context: contextvars.Context,
        ends: tuple[SocketAddress, SocketAddress],
        listener: Acceptor | None = None,
    ) -> None:
        self._loop = loop
        self._history = history
        self._tap = tap
        self.number = number
        self.incarnation = incarnation
        self.context = context
        self.local, self.remote = ends
        self.where = incarnation.host.name if incarnation.host else ""
        self.listener = listener
        self.accepting = listener is not None
        self.protocol: Any = None
        self._buffered = False  # the protocol is a BufferedProtocol
        self._opened = False  # the protocol has seen connection_made
        self._paused = False  # the protocol does not want to read
        self._reading_due = False
        self._read_all = False  # the protocol has seen the end
        self._broken = False  # a reset arrived
        self._discards = False  # SO_LINGER of zero seconds: end with a reset
        self._received: deque[bytes | memoryview | Mark] = deque()
        self._writing_paused = self._eof_sent = self._closing = False
        self.closed = False  # nothing more is read or sent by this end
        self.lost = False  # the protocol was, or soon will be, told so
        self.unread_bytes = 0  # had arrived, and were thrown away unread when this end was lost
        self.vanished = False  # its machine lost power: not even the kernel remembers it
        self._high, self._limits_low = HIGH_WATER_BYTES, HIGH_WATER_BYTES // 4
        incarnation.streams[number, self.accepting] = self

    # --- opening ----------------------------------------------------------------------------------
    def open(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the connection to its protocol; reading begins when `connection_made` has returned."""
        self.set_protocol(protocol)
        protocol.connection_made(self)
        self._opened = True
        if self._received:
            self._read_soon()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol
        self._buffered = isinstance(protocol, asyncio.BufferedProtocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol  # type: ignore[no-any-return]

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        match name:
            case "peername":
                return self.remote
            case "sockname":
                return self.local
            case "socket":
                return VirtualSocket(socket.SOCK_STREAM, self.local, self.remote, self._linger)
        return default

    def _linger(self, discards: bool) -> None:
        self._discards = discards

    # --- reading ----------------------------------------------------------------------------------
    def arrived(self, item: Item) -> None:
        """Called by the network, in order."""
        if item is Mark.OPEN:
            assert self.listener is not None
            self.listener.accept(self)
        elif self._received or self._paused or self._closing or not self._opened or self.incarnation.frozen:
            self._received.append(item)
            if self._opened and not self._paused:
                self._read_soon()
        else:
            self._hand_over(item)

    def _hand_over(self, item: Item) -> None:
        if isinstance(item, Mark):
            self._loop.enter(self.incarnation, self.context, self._end_of_stream)
            return
        octets = item if type(item) is bytes else bytes(item)
        history = self._history
        if history.keeps:
            history.add((self._loop.now, "bytes", self.where, self.number, len(octets), fingerprint(octets)))
        if self._tap is not None:
            self._tap.heard(self.number, self.accepting, octets)
        try:
            self.context.run(self._fill_buffer if self._buffered else self.protocol.data_received, octets)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._protocol_failed(exc, "data_received")
        if self._loop._lag:
            self._loop._lag = 0.0
        self.incoming.consumed(len(octets))

    def _fill_buffer(self, octets: bytes) -> None:
        view = memoryview(octets)
        while view:
            buffer = memoryview(self.protocol.get_buffer(-1)).cast("B")
            if not buffer:
                raise RuntimeError("get_buffer() returned an empty buffer")
            count = min(len(buffer), len(view))
            buffer[:count] = view[:count]
            view = view[count:]
            self.protocol.buffer_updated(count)

    def _end_of_stream(self) -> None:
        self._read_all = True
        self._history.add((self._loop.now, "eof", self.where, self.number))
        self._tell_ending(Ending.EOF)
        try:
            stays = self.protocol.eof_received()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._protocol_failed(exc, "eof_received")
            return
        if not stays:
            self.close()

    def _protocol_failed(self, exc: BaseException, method: str) -> None:
        self._loop.call_exception_handler(
            {
                "message": f"Fatal error: protocol.{method}() call failed.",
                "exception": exc,
                "transport": self,
                "protocol": self.protocol,
            }
        )
        self.fail(exc)

    def _read_soon(self) -> None:
        if not self._reading_due:
            self._reading_due = True
            self._loop.call_soon(self._read, context=self.context)

    def _read(self) -> None:
        """Hand over what waits. Runs in the program's context, so it calls the protocol directly."""
        self._reading_due = False
        received = self._received
        while received and not (self._paused or self._closing):
            item = received.popleft()
            if isinstance(item, Mark):
                self._end_of_stream()
                continue
            octets = bytes(item)
            self._history.add(
                (self._loop.now, "bytes", self.where, self.number, len(octets), fingerprint(octets))
            )
            if self._tap is not None:
                self._tap.heard(self.number, self.accepting, octets)
            try:
                (self._fill_buffer if self._buffered else self.protocol.data_received)(octets)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as exc:
                self._protocol_failed(exc, "data_received")
            self.incoming.consumed(len(octets))
        if self._broken and not (self._paused or self._read_all):
            self._fail_broken()

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        if self._paused and not self._closing:
            self._paused = False
            if self._received or self._broken:
                self._read_soon()

    def is_reading(self) -> bool:
        return not (self._paused or self._closing)

    # --- writing ----------------------------------------------------------------------------------
    def write(self, data: bytes | bytearray | memoryview) -> None:
        if type(data) is not bytes:
            if not isinstance(data, (bytes, bytearray, memoryview)):
                raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
            view = memoryview(data).cast("B")
            octets: bytes | memoryview = view if view.readonly else bytes(view)
        else:
            octets = data
        if self._eof_sent:
            raise RuntimeError("Cannot call write() after write_eof()")
        size = len(octets)
        if not size or self._closing or self._broken:
            if self._broken and not self._closing:
                self._fail_broken()
            return
        flow = self.flow
        flow.send(octets, size)
        if flow.unsent_bytes > self._high and not self._writing_paused:
            self._pause_protocol()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        for data in list_of_data:
            self.write(data)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not (self._closing or self._eof_sent):
            self._eof_sent = True
            self.flow.mark(Mark.FIN)

    def get_write_buffer_size(self) -> int:
        return self.flow.unsent_bytes

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._limits_low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high is None:
            high = HIGH_WATER_BYTES if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high, self._limits_low = high, low
        if self.flow.unsent_bytes > high and not self._writing_paused:
            self._pause_protocol()

    def _pause_protocol(self) -> None:
        self._writing_paused = True
        self._tell_protocol(self.protocol.pause_writing)

    def _resume_protocol(self) -> None:
        if self.protocol is not None and not self.lost:
            self._tell_protocol(self.protocol.resume_writing)

    def _tell_protocol(self, method: Callable[[], object]) -> None:
        try:
            method()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._loop.call_exception_handler(
                {"message": f"protocol.{method.__name__}() failed", "exception": exc, "transport": self}
            )

    def progressed(self) -> None:
        """Called by the flow when unsent bytes have left."""
        if self._writing_paused and self.flow.unsent_bytes <= self._limits_low:
            self._writing_paused = False
            self._loop.enter(self.incarnation, self.context, self._resume_protocol)
        if self._closing and not self.flow.unsent and not self.lost:
            if self._has_unread():
                self.incoming.reset_sender()
            self._lose(None)

    # --- ending -----------------------------------------------------------------------------------
    def is_closing(self) -> bool:
        return self._closing or self.closed or self.incarnation.dead

    def close(self) -> None:
        if self.is_closing():
            return
        self._closing = True
        self._finish_sending()
        if not self.flow.unsent:
            self._lose(None)

    def abort(self) -> None:
        if not (self.lost or self.incarnation.dead):
            self._closing = True
            self.flow.drop_unsent()
            self._finish_sending()
            self._lose(None)

    def fail(self, exc: BaseException) -> None:
        """The connection broke: the protocol learns why."""
        if not (self.lost or self.incarnation.dead):
            self._closing = True
            self.flow.drop_unsent()
            if not isinstance(exc, OSError):
                self._finish_sending()
            self._lose(exc)

    def reset(self) -> None:
        """A reset arrived from the peer. A program that neither reads nor writes does not notice yet."""
        if self.lost or self.incarnation.dead:
            return
        self._broken = True
        if self.flow.unsent or not (self._received or self._paused or self._read_all):
            self._fail_broken()

    def _fail_broken(self) -> None:
        if self._read_all:
            self.fail(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)))
        else:
            self.fail(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))

    def vanish(self) -> None:
        """Its host died: no word to the program, none to the peer."""
        self._closing = self.closed = self.lost = self.vanished = True
        self._tell_ending(Ending.DIED)
        self.flow.drop_unsent()
        self._received.clear()

    def kernel_close(self) -> None:
        """The process died and its kernel closes for it: what was sent still arrives, then FIN or a reset."""
        if not self.closed:
            self._tell_ending(Ending.DIED)
            self.flow.drop_unsent()
            self._finish_sending()

    @property
    def waiting_bytes(self) -> int:
        """Bytes that have arrived and that a program which wants to read has not got yet."""
        if self._paused or not self._opened:
            return 0
        return sum(len(item) for item in self._received if not isinstance(item, Mark))

    def _has_unread(self) -> bool:
        return any(not isinstance(item, Mark) for item in self._received)

    def _finish_sending(self) -> None:
        if self._has_unread() or self._discards:
            self.incoming.reset_sender()
        elif not self._eof_sent:
            self._eof_sent = True
            self.flow.mark(Mark.FIN)

    def _lose(self, exc: BaseException | None) -> None:
        if self.lost:
            return
        self.closed = self.lost = True
        self.unread_bytes = self.waiting_bytes
        self._tell_ending(Ending.BROKEN if isinstance(exc, OSError) else Ending.LEFT)
        self._received.clear()
        self.incarnation.streams.pop((self.number, self.accepting), None)
        reason = type(exc).__name__ if exc is not None else ""
        self._history.add((self._loop.time(), "close", self.where, self.number, reason))
        self._loop.call_soon(self._connection_lost, exc, context=self.context)

    def _tell_ending(self, how: Ending) -> None:
        if self._tap is not None:
            self._tap.ended(self.number, self.accepting, how)

    def _connection_lost(self, exc: BaseException | None) -> None:
        protocol, self.protocol = self.protocol, None
        listener, self.listener = self.listener, None
        try:
            if protocol is not None and self._opened:
                protocol.connection_lost(exc)
        finally:
            if listener is not None:
                listener.left(self)

    def __repr__(self) -> str:
        return f"<Endpoint {self.number} {spelled(*self.local[:2])} to {spelled(*self.remote[:2])}>"
