"""What else checkers see of a play, as plain records. All times are virtual seconds."""

from __future__ import annotations

from dataclasses import dataclass

from nearcast.player.viewing import Viewing
from nearcast.simulate.play.roster import Member


@dataclass(frozen=True, slots=True)
class Watched:
    """A viewing that is over; `viewing` is None when the play ended before it did. `late`: it began when all
    faults were over."""

    viewer: Member
    viewing: Viewing | None
    began: float
    ended: float
    late: bool = False


@dataclass(slots=True)
class Purged:
    """A purge that was sent to a content server. `title` is "" when all is to be purged; `acknowledged` stays
    in the far future until the server has said that it is done."""

    server: str
    title: str
    sent: float
    acknowledged: float = float("inf")

    def covers(self, path: str) -> bool:
        return not self.title or path.lstrip("/").startswith(f"{self.title}/")


@dataclass(frozen=True, slots=True)
class Account:
    """What a content server says that it holds, to be compared with its disk."""

    server: str
    bytes: int
    objects: int
    at: float
