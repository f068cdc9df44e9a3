"""TCP listeners: one `Listener` per listening address, one `Connection` per connection.

UDP and TCP differ in framing, not in meaning: DNS, HTTP and the uppercase application each subclass
`Connection` with their framing and share everything that makes a public TCP server survive its peers:

- bounds on connections, in all and for each client; when there is no room, the idlest connection of the
  client who has the most of them is closed rather than the newcomer turned away,
- an idle deadline, moved by what is whole (a question, a request, a line), not by bytes that trickle; one
  timer per connection that is re-armed when it fires, not on every byte, and that then grants more time
  if the unsent bytes have changed,
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
import os
import socket
import struct
import sys
import termios
from collections.abc import Callable, Iterable
from itertools import islice
from typing import cast

from nearcast.serve.clients import Clients, client_of
from nearcast.serve.counters import StreamCounters
from nearcast.serve.deadline import Alarm
from nearcast.serve.descriptors import connections_possible
from nearcast.serve.limits import StreamLimits

Peer = tuple[str, int]

TIMER_SECONDS = 0.001  # uvloop counts in milliseconds, and may call that much early
QUEUE_MAX = 1024  # newcomers whom nobody has accepted yet
ACCEPTED_AT_ONCE = 16  # by asyncio, before it sees whether there is room for them
LOOKED_AT_MAX = 64  # connections, to find an idle one
DISCARD_UNSENT = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds: closing sends RST at once


class Connection(asyncio.Protocol):
    """One TCP connection. Subclasses define `received`, and `ended`, `finish` where they need to."""

    transport: asyncio.Transport
    peer: Peer
    client: str  # whose connection it is, see `clients.py`

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.loop = listener.loop
        self.limits = listener.limits
        self.peer_reads = True  # False while more than write_buffer_bytes wait for the peer
        self._peer_ended = False
        self._gone = False
        self._unsent = 0  # bytes, when the deadline was last looked at
        self._deadline = 0.0
        self._deadline_timer: asyncio.TimerHandle | Alarm | None = None  # None: never admitted

    # --- for subclasses -------------------------------------------------------------------------
    def started(self) -> None:
        """The connection stands."""

    def received(self, octets: bytes) -> None:
        """Bytes arrived, cut anywhere. They do not move the idle deadline: call `extend` when they are
        something whole."""
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

    @property
    def busy(self) -> bool:
        """Something is under way that closing would break."""
        return self.transport.get_write_buffer_size() > 0

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
        self.client = client_of(peer[0])
        if not self.listener.admit(self):
            transport.abort()
            return
        transport.set_write_buffer_limits(high=self.limits.write_buffer_bytes)
        self.extend()
        self._deadline_timer = self.loop.call_at(self._deadline, self._look_at_deadline)
        self.started()

    def data_received(self, data: bytes) -> None:
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

    @property
    def idle_until(self) -> float:
        """When it expires; of two connections the idler one has the lesser."""
        return self._deadline

    def _look_at_deadline(self) -> None:
        if self.loop.time() + TIMER_SECONDS < self._deadline:
            self._deadline_timer = self.loop.call_at(self._deadline, self._look_at_deadline)
        else:
            self._deadline_timer = Alarm(self.loop, 0, self._pass_deadline)

    def _pass_deadline(self) -> None:
        """What waited in the socket has been read, and still nothing moves."""
        if self.loop.time() + TIMER_SECONDS >= self._deadline:
            unsent, self._unsent = self._unsent, self._unsent_bytes()
            if self._unsent == unsent:
                self.listener.counters.expired_total += 1
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
        self.connections_max = connections_possible(limits.connections_max)
        self.counters = StreamCounters()
        self._clients: Clients[Connection] = Clients()
        self._server: asyncio.Server | None = None
        self._port = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def port(self) -> int:
        """The port really bound (asked for as 0, it is the kernel's choice)."""
        return self._port

    @property
    def full(self) -> bool:
        """Whether a newcomer can only be served at the cost of somebody who is being served."""
        return len(self.connections) >= self.connections_max and all(each.busy for each in self.connections)

    def grant(self, limits: StreamLimits) -> None:
        """Other limits from now on, for those who come."""
        self.limits = limits
        self.connections_max = connections_possible(limits.connections_max)

    def admit(self, connection: Connection) -> bool:
        """Whether there is room for a newcomer, or can be made."""
        client = connection.client
        if self.draining or not self._has_room(client):
            self.counters.turned_away_total += 1
            return False
        self.counters.accepted_total += 1
        self.connections[connection] = None
        self._clients.add(client, connection)
        self._empty.clear()
        return True

    def _has_room(self, client: str) -> bool:
        clients = self._clients
        theirs = len(clients.of(client))
        if theirs >= self.limits.connections_per_client_max:
            return self._give_up(_idlest(clients.of(client)), although_busy=False)
        if len(self.connections) < self.connections_max:
            return True
        most = clients.of(clients.greediest)
        victim = _idlest(most)
        if victim.busy:
            oldest = islice(self.connections, LOOKED_AT_MAX)
            victim = next((each for each in oldest if not each.busy), victim)
        return self._give_up(victim, although_busy=len(most) > theirs + 1)

    def _give_up(self, victim: Connection, *, although_busy: bool) -> bool:
        """Close `victim` to make room; false when it would be wrong to."""
        busy = victim.busy
        if busy and not although_busy:
            return False
        self.counters.given_up_total += 1
        self.leave(victim)  # at once: it is told that it is lost a turn later
        if busy:
            victim.reset()
        else:
            victim.transport.close()
        return True

    def leave(self, connection: Connection) -> None:
        self.connections.pop(connection, None)
        self._clients.remove(connection.client, connection)
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


def _idlest(connections: Iterable[Connection]) -> Connection:
    return min(connections, key=lambda each: (each.busy, each.idle_until))


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
        lambda: make_connection(listener),
        address,
        port,
        backlog=ACCEPTED_AT_ONCE,
        reuse_port=share_port or None,
    )
    if not server.sockets:  # asyncio passes over families that the machine does not have
        raise OSError(errno.EAFNOSUPPORT, f"this machine has no address family for {address}")
    listener._port = int(server.sockets[0].getsockname()[1])
    listener._server = server
    _lengthen_queue(server.sockets[0])
    return listener


def _lengthen_queue(listening: socket.socket) -> None:
    """Let the kernel keep more newcomers than asyncio is to accept at once, which it counts as one number."""
    if listening.fileno() >= 0:  # in virtual time there is no kernel
        with socket.socket(listening.family, listening.type, fileno=os.dup(listening.fileno())) as same:
            same.listen(QUEUE_MAX)
