"""What checkers see of a play, as plain records. All times are virtual seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nearcast.player.viewing import Fetched, Viewing
from nearcast.serve.http_server import Exchange
from nearcast.simulate.play.roster import Member

if TYPE_CHECKING:
    from nearcast.simulate.world.incarnation import Incarnation
    from nearcast.simulate.world.tcp import Endpoint


@dataclass(frozen=True, slots=True)
class Got:
    """A response that a viewer got, whole. `began`: when it was asked for."""

    viewer: Member
    fetched: Fetched
    path: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Watched:
    """A viewing that is over; `viewing` is None when the play ended before it did."""

    viewer: Member
    viewing: Viewing | None
    began: float
    ended: float


@dataclass(slots=True)
class Purged:
    """A purge that was sent to a content server. `title` is "" when all is to be purged; `acknowledged` stays
    in the far future until the server has said that it is done."""

    server: str
    site: str
    title: str
    sent: float
    acknowledged: float = float("inf")

    def covers(self, path: str) -> bool:
        return not self.title or path.lstrip("/").startswith(f"{self.title}/")


class Request:
    """A request that reached the content port of a program, while it is under way and after."""

    __slots__ = ("_life", "began", "exchange", "host")

    def __init__(self, host: str, incarnation: Incarnation, exchange: Exchange, began: float) -> None:
        self.host = host
        self.exchange = exchange
        self.began = began
        self._life = incarnation

    @property
    def over(self) -> bool:
        """Answered, broken off, or its connection or its server is gone."""
        return self.exchange.answered or self.exchange._connection.gone or self._life.dead

    @property
    def moves(self) -> tuple[int, int]:
        """Changes whenever the answer goes on."""
        return self.exchange.status, self.exchange.bytes_sent

    @property
    def waits_for_peer(self) -> bool:
        """It is the peer that holds it up, or its own host, which hangs."""
        return self._life.frozen or not self.exchange._connection.peer_reads

    @property
    def connection(self) -> int:
        """The number of the connection it came over."""
        here: Endpoint = self.exchange._connection.transport  # type: ignore[assignment]
        return here.number

    @property
    def still_receiving(self) -> bool:
        """Whoever asked has not got all that was sent over this connection, and still wants it."""
        here: Endpoint = self.exchange._connection.transport  # type: ignore[assignment]
        there = here.flow.receiver
        if self._life.dead or there.closed or there.incarnation.dead:
            return False
        flow = here.flow
        return not self.exchange.answered or flow.in_flight > 0 or bool(flow.unsent or flow.transit)
