"""One direction of a TCP connection: bytes that arrive complete, in order, and cut anywhere.

Theory. What the program wrote and the window does not admit yet is `unsent` (asyncio's write buffer). What
was sent is in `transit`, a queue of its own with one timer for its head, so that the order of the bytes
never depends on the order of timers. What arrived and was not read still occupies the window: a reader that
pauses stops the writer. Room in the window is told to a waiting sender one latency later.

A cut channel, or a host without power, stalls the flow: what does not arrive is sent again, at intervals
that double, and after `give_up_seconds` the sender fails with ETIMEDOUT, as RFC 9293, 3.8.3, wants. A host
that is up but no longer knows the connection answers with a reset.
Not modelled: slow start, congestion windows, zero-window probes, TIME_WAIT.
"""

from __future__ import annotations

import enum
import errno
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from nearcast.simulate.world.incarnation import Incarnation
from nearcast.simulate.world.link import Direction
from nearcast.simulate.world.loop import VirtualLoop

TINY_PIECE_BYTES_MAX = 16
PIECE_BYTES_MAX = 65536


@dataclass(frozen=True, slots=True)
class TcpRules:
    """How TCP behaves in this world; the defaults are those of Linux where it has one.

    `window_bytes`: sent and not yet read by the peer's program. `connect_seconds`: how long an unanswered
    connect lasts. `give_up_seconds`: how long unacknowledged bytes are sent again (tcp_retries2).
    `seeded_segments`: cut and join the byte stream at random places instead of handing over each write whole.
    """

    window_bytes: int = 256 * 1024
    connect_seconds: float = 127.0
    give_up_seconds: float = 924.6
    retry_seconds_min: float = 0.2
    retry_seconds_max: float = 120.0
    seeded_segments: bool = False


class Mark(enum.Enum):
    """What travels in a stream beside bytes."""

    OPEN = enum.auto()  # the client's half of the handshake is complete
    FIN = enum.auto()  # no more bytes follow


Item = bytes | memoryview | Mark


class End(Protocol):
    """What a flow knows of the connection's ends: whose they are, and what to tell them."""

    incarnation: Incarnation
    closed: bool
    vanished: bool

    def arrived(self, item: Item) -> None: ...
    def progressed(self) -> None: ...
    def reset(self) -> None: ...
    def fail(self, exc: BaseException) -> None: ...


class Flow:
    """The bytes from `sender` to `receiver`."""

    __slots__ = (
        "_ack_armed",
        "_armed",
        "_credit",
        "_fin_wanted",
        "_pump_armed",
        "_retry_wait",
        "_rules",
        "_stalled_since",
        "_whole",
        "back",
        "in_flight",
        "loop",
        "receiver",
        "sender",
        "there",
        "transit",
        "unsent",
        "unsent_bytes",
    )

    def __init__(
        self,
        loop: VirtualLoop,
        rules: TcpRules,
        channels: tuple[Direction, Direction],
        sender: End,
        receiver: End,
    ) -> None:
        self.loop = loop
        self._rules = rules
        self._whole = not rules.seeded_segments
        self.there, self.back = channels
        self.sender = sender
        self.receiver = receiver
        self.unsent: deque[bytes | memoryview] = deque()
        self.unsent_bytes = 0
        self.transit: deque[tuple[float, Item]] = deque()
        self.in_flight = 0  # bytes sent and not yet read by the receiver's program
        self._credit = 0  # bytes read of which a waiting sender was not told yet
        self._armed = self._ack_armed = self._pump_armed = self._fin_wanted = False
        self._stalled_since: float | None = None
        self._retry_wait = 0.0

    # --- the sender's side ------------------------------------------------------------------------
    def send(self, octets: bytes | memoryview, size: int) -> None:
        """Take bytes from the program; at once into the network when nothing stands in their way."""
        if (
            self._whole
            and not self.unsent
            and self.there.plain
            and self.in_flight + size <= self._rules.window_bytes
        ):
            self.in_flight += size
            self._launch(octets, self.loop.now + self.loop._lag + self.there.latency)
            return
        self.unsent.append(octets)
        self.unsent_bytes += size
        if self._whole:
            self._pump()
        else:
            self._pump_at(self.loop.time())  # later in this instant, so that several writes can be joined

    def mark(self, mark: Mark) -> None:
        """Send OPEN at once, FIN after the last byte."""
        if mark is Mark.FIN and self.unsent:
            self._fin_wanted = True
        else:
            self._launch(mark, self.loop.time() + self.there.latency)

    def drop_unsent(self) -> None:
        self.unsent.clear()
        self.unsent_bytes = 0

    def _launch(self, item: Item, when: float) -> None:
        self.transit.append((when, item))  # one behind an item that is late is late with it
        if not self._armed and self._stalled_since is None:
            self._armed = True
            self.loop.world_at(when, self._arrive)

    def _pump_at(self, when: float) -> None:
        if not self._pump_armed:
            self._pump_armed = True
            self.loop.world_at(when, self._pump_turn)

    def _pump_turn(self) -> None:
        self._pump_armed = False
        if not self.sender.incarnation.dead:
            self._pump()
            self.sender.progressed()

    def _pump(self) -> None:
        """Send what the window and the channel admit now."""
        there, now = self.there, self.loop.time()
        while self.unsent and not self._pump_armed:
            room = self._rules.window_bytes - self.in_flight
            if room <= 0:
                return
            piece = self._take(min(room, self._piece_bytes()))
            size = len(piece)
            self.in_flight += size
            if there.plain:
                self._launch(piece, now + there.latency)
            else:
                leaves, arrives = there.carry(now, size, self._first_retry())
                self._launch(piece, arrives)
                if leaves > now:
                    self._pump_at(leaves)
        if not self.unsent and self._fin_wanted:
            self._fin_wanted = False
            self._launch(Mark.FIN, self.loop.time() + there.latency)

    def _piece_bytes(self) -> int:
        if self._whole:
            return min(self.there.piece_bytes_max(), len(self.unsent[0]))
        dice = self.there.dice
        bound = TINY_PIECE_BYTES_MAX if dice.random() < 0.25 else PIECE_BYTES_MAX
        return min(dice.randint(1, bound), self.there.piece_bytes_max())

    def _take(self, size: int) -> bytes | memoryview:
        """The next `size` unsent bytes, or all there are."""
        unsent = self.unsent
        taken: list[bytes | memoryview] = []
        while size and unsent:
            head = unsent[0]
            if len(head) <= size:
                taken.append(unsent.popleft())
            else:
                view = memoryview(head)
                taken.append(view[:size])
                unsent[0] = view[size:]
            size -= len(taken[-1])
            self.unsent_bytes -= len(taken[-1])
        return taken[0] if len(taken) == 1 else b"".join(taken)

    # --- the network ------------------------------------------------------------------------------
    def _arrive(self) -> None:
        self._armed = False
        transit, receiver = self.transit, self.receiver
        if self._stalled_since is not None or not transit:
            return
        if self.there.cuts or receiver.incarnation.dead or receiver.closed:
            self._arrive_nowhere()
            return
        now = self.loop.now
        while transit and transit[0][0] <= now:
            receiver.arrived(transit.popleft()[1])
            if receiver.closed or receiver.incarnation.dead:
                break
        if self.back.cuts:
            self._stall()  # the bytes came through, their acknowledgement does not
        elif transit:
            self._armed = True
            self.loop.world_at(max(transit[0][0], now), self._arrive)

    def _arrive_nowhere(self) -> None:
        host = self.receiver.incarnation.host
        if self.there.cuts or (self.receiver.incarnation.dead and host is not None and not host.up):
            self._stall()
            return
        unwanted = any(item is not Mark.FIN for _, item in self.transit)
        self.transit.clear()
        if unwanted:
            self.reset_sender()

    def reset_sender(self) -> None:
        """The receiving machine does not know this connection (any more): RFC 9293, 3.5.2."""
        if not self.back.cuts:
            self.loop.world_at(self.loop.time() + self.back.latency, self.sender.reset)

    def _first_retry(self) -> float:
        return max(self._rules.retry_seconds_min, 2 * (self.there.latency + self.back.latency))

    def _stall(self) -> None:
        if self._stalled_since is None:
            self._stalled_since = self.loop.now
            self._retry_wait = self._first_retry()
            self.loop.world_at(self.loop.now + self._retry_wait, self._retry)

    def _retry(self) -> None:
        """Send again what was not acknowledged; give up after the stated time."""
        if self.sender.vanished or self._stalled_since is None:
            return
        now, receiver = self.loop.now, self.receiver
        host = receiver.incarnation.host
        unreachable = receiver.incarnation.dead and host is not None and not host.up
        if not (self.there.cuts or self.back.cuts or unreachable):
            self._resume(now)
        elif now - self._stalled_since >= self._rules.give_up_seconds:
            self.transit.clear()
            self.sender.fail(TimeoutError(errno.ETIMEDOUT, "Connection timed out"))
        else:
            self._retry_wait = min(self._retry_wait * 2, self._rules.retry_seconds_max)
            until = self._stalled_since + self._rules.give_up_seconds
            self.loop.world_at(min(now + self._retry_wait, max(until, now + 0.001)), self._retry)

    def _resume(self, now: float) -> None:
        self._stalled_since = None
        soonest = now + self.there.latency
        self.transit = deque((max(when, soonest), item) for when, item in self.transit)
        if self.transit and not self._armed:
            self._armed = True
            self.loop.world_at(self.transit[0][0], self._arrive)
        if self._credit:
            self._ack()

    # --- the receiver's side ----------------------------------------------------------------------
    def consumed(self, size: int) -> None:
        """The receiver's program has read `size` bytes."""
        if not self.unsent:
            self.in_flight -= size + self._credit  # nobody waits for room: count it at once
            self._credit = 0
            return
        self._credit += size
        if not self._ack_armed:
            self._ack_armed = True
            self.loop.world_at(self.loop.time() + self.back.latency, self._ack)

    def _ack(self) -> None:
        self._ack_armed = False
        if self.back.cuts:
            self._stall()
        elif self._stalled_since is None:
            self.in_flight -= self._credit
            self._credit = 0
            self._pump_turn_unless_armed()

    def _pump_turn_unless_armed(self) -> None:
        if not self._pump_armed:
            self._pump_turn()
