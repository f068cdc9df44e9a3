"""The uppercase server: one address, one port, UDP and TCP at once.

Both transports hand their octets to the same function (`capitals`); TCP adds only framing (`lines`)
and the clock that framing needs. Everything else, that is limits, idle deadlines, back-pressure and
drain, is `serve`'s, as it is for DNS and HTTP.
"""

from __future__ import annotations

import asyncio
import errno
from dataclasses import dataclass, field

from nearcast.serve.limits import StreamLimits
from nearcast.serve.program import Group
from nearcast.serve.tcp import Connection, Listener, Peer, listen_tcp
from nearcast.serve.udp import DatagramListener, listen_udp
from nearcast.uppercase.capitals import datagram_capitals
from nearcast.uppercase.lines import LINE_BYTES_MAX, Lines

# Longer than the 200 ms after which Linux sends a lost segment again, so that one loss seldom cuts a
# text; shorter than a person's patience. Clients that end their lines never wait for it.
QUIET_SECONDS = 0.25

PORTS_TRIED = 20  # when any port will do: one that TCP has free may be taken on UDP


@dataclass(frozen=True, slots=True)
class UppercaseLimits:
    """Bounds of one uppercase server. `quiet_seconds`: silence that ends a line without newline."""

    line_bytes_max: int = LINE_BYTES_MAX
    quiet_seconds: float = QUIET_SECONDS
    stream: StreamLimits = field(default_factory=StreamLimits)


class UppercaseConnection(Connection):
    """One TCP connection: lines in, lines out."""

    def __init__(self, listener: Listener, limits: UppercaseLimits) -> None:
        super().__init__(listener)
        self._quiet_seconds = limits.quiet_seconds
        self._lines = Lines(limits.line_bytes_max)
        self._quiet_at = 0.0
        self._quiet_timer: asyncio.TimerHandle | None = None

    def received(self, octets: bytes) -> None:
        self._say(self._lines.received(octets))
        self._await_quiet()

    def ended(self) -> None:
        self._say(self._lines.ended())
        self.transport.close()

    def finish(self) -> None:
        self.ended()

    def writable(self) -> None:
        self._await_quiet()

    def expired(self) -> None:
        self.transport.close()

    def lost(self, fault: Exception | None) -> None:
        if self._quiet_timer is not None:
            self._quiet_timer.cancel()

    def _await_quiet(self) -> None:
        if self._lines.waiting:
            self._quiet_at = self.loop.time() + self._quiet_seconds
            if self._quiet_timer is None:
                self._quiet_timer = self.loop.call_at(self._quiet_at, self._look_whether_quiet)

    def _look_whether_quiet(self) -> None:
        self._quiet_timer = None
        if self.loop.time() < self._quiet_at:  # more came meanwhile
            self._quiet_timer = self.loop.call_at(self._quiet_at, self._look_whether_quiet)
        elif self.peer_reads and not self.transport.is_closing():
            self._say(self._lines.quiet())
        # Else we do not read, so silence means nothing: `writable` starts anew.

    def _say(self, octets: bytes) -> None:
        if octets:
            self.extend()
            self.transport.write(octets)


class Uppercase(Group):
    """A running uppercase server."""

    def __init__(self, stream: Listener, datagrams: DatagramListener) -> None:
        super().__init__(stream, datagrams)
        self.stream = stream
        self.datagrams = datagrams
        self.port = stream.port


def answer_datagram(octets: bytes, peer: Peer) -> bytes | None:
    """The reply to one datagram; whoever sent it gets the same."""
    return datagram_capitals(octets)


async def start_uppercase(
    address: str, port: int, limits: UppercaseLimits | None = None, *, share_port: bool = False
) -> Uppercase:
    """Answer on UDP and TCP on `address`:`port`; 0 finds a port that is free on both.

    Raises OSError when the address cannot be bound.
    """
    limits = limits or UppercaseLimits()

    def make_connection(listener: Listener) -> UppercaseConnection:
        return UppercaseConnection(listener, limits)

    for tried in range(1, PORTS_TRIED + 1):
        stream = await listen_tcp(make_connection, address, port, limits.stream, share_port=share_port)
        try:
            datagrams = await listen_udp(answer_datagram, address, stream.port, share_port=share_port)
        except OSError as fault:
            await stream.drain(0)
            if port or fault.errno != errno.EADDRINUSE or tried == PORTS_TRIED:
                raise
        else:
            return Uppercase(stream, datagrams)
    raise AssertionError("the last try returns or raises")
