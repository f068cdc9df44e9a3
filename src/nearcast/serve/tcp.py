"""TCP listeners: one `Room` per listening address, one `Conversation` per connection.

UDP and TCP differ in framing, not in meaning: DNS, HTTP and the uppercase application each subclass
`Conversation` with their framing and share everything that makes a public TCP server survive its peers:

- a bound on connections (one more is closed at once),
- an idle deadline, moved by every byte that arrives or leaves; one timer per connection that is
  re-armed when it fires, not on every byte,
- back-pressure: while the peer does not read what we wrote, we do not read what it writes,
- drain: stop accepting, let `finish` end what is under way, reset what is left at the deadline.

Only asyncio's own interfaces are used (`create_server`, `call_later`), so all of it runs in virtual
time as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from nearcast.serve.limits import StreamLimits


Peer = tuple[str, int]


class Conversation(asyncio.Protocol):
    """One TCP connection. Subclasses define `received`, and `ended`, `finish` where they need to."""

    transport: asyncio.Transport
    peer: tuple[str, int]

    def __init__(self, room: Room) -> None:
        self.room = room
        self.loop = room.loop
        self.limits = room.limits
        self.peer_reads = True  # False while more than write_buffer_bytes wait for the peer
        self._deadline = 0.0
        self._deadline_timer: asyncio.TimerHandle | None = None

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
        """Nothing moved for `idle_seconds`. The default resets the connection."""
        self.transport.abort()

    def extend(self, seconds: float | None = None) -> None:
        """Move the idle deadline to `seconds` (default: `idle_seconds`) from now."""
        self._deadline = self.loop.time() + (self.limits.idle_seconds if seconds is None else seconds)

    # --- asyncio.Protocol -----------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        peer = transport.get_extra_info("peername")
        if peer is None:  # gone before we looked
            transport.abort()
            return
        self.peer = (peer[0], peer[1])
        if not self.room.admit(self):
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
        self.ended()
        return True  # we close, not asyncio: the peer may have closed only its half

    def pause_writing(self) -> None:
        self.peer_reads = False
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.peer_reads = True
        self.extend()
        if not self.transport.is_closing():
            self.transport.resume_reading()
        self.writable()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline_timer is not None:
            self._deadline_timer.cancel()
        self.room.leave(self)
        self.lost(exc)

    def _look_at_deadline(self) -> None:
        if self.loop.time() >= self._deadline:
            self.expired()
            if self.transport.is_closing():
                return
            self.extend()
        self._deadline_timer = self.loop.call_at(self._deadline, self._look_at_deadline)


class Room:
    """A listening address and the conversations that came in through it."""

    def __init__(self, limits: StreamLimits) -> None:
        self.loop = asyncio.get_running_loop()
        self.limits = limits
        self.draining = False
        self.conversations: set[Conversation] = set()
        self.accepted_total = 0
        self.refused_total = 0
        self._server: asyncio.Server | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def port(self) -> int:
        """The port really bound (asked for as 0, it is the kernel's choice)."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def admit(self, conversation: Conversation) -> bool:
        if self.draining or len(self.conversations) >= self.limits.connections_max:
            self.refused_total += 1
            return False
        self.accepted_total += 1
        self.conversations.add(conversation)
        self._empty.clear()
        return True

    def leave(self, conversation: Conversation) -> None:
        self.conversations.discard(conversation)
        if not self.conversations:
            self._empty.set()

    async def drain(self, seconds: float) -> None:
        self.draining = True
        if self._server is not None:
            self._server.close()
        for conversation in list(self.conversations):
            conversation.finish()
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        self.draining = True
        if self._server is not None:
            self._server.close()
        for conversation in list(self.conversations):
            conversation.transport.abort()


async def listen_tcp(
    converse: Callable[[Room], Conversation],
    address: str,
    port: int,
    limits: StreamLimits | None = None,
    *,
    share_port: bool = False,
) -> Room:
    """Listen on `address`:`port`; `converse` makes the conversation of each connection.

    `share_port` sets SO_REUSEPORT, so that several workers share the port and the kernel spreads the
    connections among them. An address that cannot be bound raises OSError.
    """
    room = Room(limits or StreamLimits())
    room._server = await room.loop.create_server(
        lambda: converse(room), address, port, backlog=1024, reuse_port=share_port or None
    )
    return room
