"""TCP listeners: one `Listener` per listening address, one `Connection` per connection.

UDP and TCP differ in framing, not in meaning: DNS, HTTP and the uppercase application each subclass
`Connection` with their framing and share everything that makes a public TCP server survive its peers:

- a bound on connections (one more is closed at once),
- an idle deadline, moved by every byte that arrives; one timer per connection that is re-armed when
  it fires, not on every byte, and that then grants more time if the unsent bytes have changed,
- back-pressure: while the peer does not read what we wrote, we do not read what it writes,
- drain: stop accepting, let `finish` end what is under way, reset what is left at the deadline.

Only asyncio's own interfaces are used (`create_server`, `call_at`), so all of it runs in virtual
time as well. Two differences between loops are evened out here: after a half-close, asyncio tells the
end again when reading is resumed and uvloop does not; and `abort` alone lets the kernel go on sending
what it holds, so `reset` discards that first.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import socket
import struct
import sys
import termios
from collections.abc import Callable
from typing import cast

from nearcast.serve.limits import StreamLimits

Peer = tuple[str, int]

TIMER_SECONDS = 0.001  # uvloop counts in milliseconds, and may call that much early
DISCARD_UNSENT = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds: closing sends RST at once


class Connection(asyncio.Protocol):
    """One TCP connection. Subclasses define `received`, and `ended`, `finish` where they need to."""

    transport: asyncio.Transport
    peer: Peer

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.loop = listener.loop
        self.limits = listener.limits
        self.peer_reads = True  # False while more than write_buffer_bytes wait for the peer
        self._peer_ended = False
        self._gone = False
        self._unsent = 0  # bytes, when the deadline was last looked at
        self._deadline = 0.0
        self._deadline_timer: asyncio.TimerHandle | None = None  # None: never admitted

    # --- for subclasses -------------------------------------------------------------------------
    def started(self) -> None:
        """The connection stands."""

    def received(self, octets: bytes) -> None:
        """Bytes arrived, cut anywhere."""
        raise NotImplementedError

    def ended(self) -> None:
        """The peer sends no more; it may still read. The default closes after what is buffered."""
        self.transport.close()

    def finish(self) -> None:
        """Drain has begun: close as soon as what is under way is answered. The default closes now."""
        self.transport.close()

    def writable(self) -> None:
        """The peer reads again after it had fallen behind."""

    def lost(self, fault: Exception | None) -> None:
        """The connection is gone, whoever ended it."""

    def expired(self) -> None:
        """Nothing moved for `idle_seconds`. The default resets the connection.

        Whoever closes instead has `idle_seconds` more for what is unsent; then it is reset.
        """
        self.reset()

    def reset(self) -> None:
        """End the connection at once: what is unsent is discarded, here and in the kernel."""
        if self._gone:  # and its descriptor may be somebody else's by now
            return
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, DISCARD_UNSENT)
        self.transport.abort()

    def extend(self, seconds: float | None = None) -> None:
        """Move the idle deadline, to `seconds` (default: `idle_seconds`) from now, if that is later."""
        self._deadline = self.loop.time() + (self.limits.idle_seconds if seconds is None else seconds)

    # --- asyncio.Protocol -----------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        self.transport = transport
        peer = transport.get_extra_info("peername")
        if peer is None:  # gone before we looked
            transport.abort()
            return
        self.peer = (peer[0], peer[1])
        if not self.listener.admit(self):
            transport.abort()
            return
        transport.set_write_buffer_limits(high=self.limits.write_buffer_bytes)
        self.extend()
        self._deadline_timer = self.loop.call_at(self._deadline, self._look_at_deadline)
        self.started()

    def data_received(self, data: bytes) -> None:
        self._deadline = self.loop.time() + self.limits.idle_seconds
        self.received(data)

    def eof_received(self) -> bool:
        if not self._peer_ended:
            self._peer_ended = True
            self.ended()
        return True  # we close, not asyncio: the peer may have closed only its half

    def pause_writing(self) -> None:
        self.peer_reads = False
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.peer_reads = True
        self.extend()
        if not self._peer_ended and not self.transport.is_closing():
            self.transport.resume_reading()
        self.writable()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        if self._deadline_timer is None:
            return
        self._deadline_timer.cancel()
        self.listener.leave(self)
        self.lost(exc)

    def _look_at_deadline(self) -> None:
        if self.loop.time() + TIMER_SECONDS >= self._deadline:
            unsent, self._unsent = self._unsent, self._unsent_bytes()
            if self._unsent == unsent:
                if self.transport.is_closing():  # closed, but the peer does not take the rest
                    self.reset()
                    return
                self.expired()
            self.extend()
        self._deadline_timer = self.loop.call_at(self._deadline, self._look_at_deadline)

    def _unsent_bytes(self) -> int:
        """What the peer has not acknowledged: ours and the kernel's, which may hold megabytes for it."""
        unsent = self.transport.get_write_buffer_size()
        sock = self.transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:  # in virtual time there is no kernel
            queued = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
            unsent += int.from_bytes(queued, sys.byteorder)
        return unsent


class Listener:
    """A listening address and the connections that came in through it."""

    def __init__(self, limits: StreamLimits) -> None:
        self.loop = asyncio.get_running_loop()
        self.limits = limits
        self.draining = False
        self.connections: dict[Connection, None] = {}  # in order of arrival, the same in every run
        self.accepted_total = 0
        self.refused_total = 0
        self._server: asyncio.Server | None = None
        self._port = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def port(self) -> int:
        """The port really bound (asked for as 0, it is the kernel's choice)."""
        return self._port

    def admit(self, connection: Connection) -> bool:
        if self.draining or len(self.connections) >= self.limits.connections_max:
            self.refused_total += 1
            return False
        self.accepted_total += 1
        self.connections[connection] = None
        self._empty.clear()
        return True

    def leave(self, connection: Connection) -> None:
        self.connections.pop(connection, None)
        if not self.connections:
            self._empty.set()

    async def drain(self, seconds: float) -> None:
        self.draining = True
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.finish()
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            self.abort()
            await self._empty.wait()
        if self._server is not None:
            await self._server.wait_closed()

    def abort(self) -> None:
        self.draining = True
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.reset()


async def listen_tcp(
    make_connection: Callable[[Listener], Connection],
    address: str,
    port: int,
    limits: StreamLimits | None = None,
    *,
    share_port: bool = False,
    listener: Listener | None = None,
) -> Listener:
    """Listen on `address`:`port`; `make_connection` makes the protocol of each connection.

    `share_port` sets SO_REUSEPORT, so that several workers share the port and the kernel spreads the
    connections among them. `listener`: one made before, of a subclass; `limits` are then its own. An address
    that cannot be bound raises OSError.
    """
    listener = listener or Listener(limits or StreamLimits())
    server = await listener.loop.create_server(
        lambda: make_connection(listener), address, port, backlog=1024, reuse_port=share_port or None
    )
    if not server.sockets:  # asyncio passes over families that the machine does not have
        raise OSError(errno.EAFNOSUPPORT, f"this machine has no address family for {address}")
    listener._port = int(server.sockets[0].getsockname()[1])
    listener._server = server
    return listener
