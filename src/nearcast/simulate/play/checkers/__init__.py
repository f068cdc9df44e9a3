"""I watch a play and say which sentence broke."""

from nearcast.simulate.play.checkers.besieged import NotAnothers, NotLured, NotStopped
from nearcast.simulate.play.checkers.checker import Broken, Checker
from nearcast.simulate.play.checkers.content import ByteExact, Fresh, NotPurged, NotTorn
from nearcast.simulate.play.checkers.fills import OneFill
from nearcast.simulate.play.checkers.finishes import Finishes
from nearcast.simulate.play.checkers.frozen import NotFrozen
from nearcast.simulate.play.checkers.pauses import WaitingIsRead
from nearcast.simulate.play.checkers.routing import NamesHealthy
from nearcast.simulate.play.checkers.soundness import Bounded, NoCrash, RequestsEnd

CHECKERS: tuple[type[Checker], ...] = (
    ByteExact,
    NotTorn,
    NotPurged,
    Fresh,
    OneFill,
    NamesHealthy,
    Finishes,
    NotStopped,
    NotAnothers,
    NotLured,
    WaitingIsRead,
    NotFrozen,
    Bounded,
    RequestsEnd,
    NoCrash,
)

__all__ = ["CHECKERS", "Broken", "Checker"]
