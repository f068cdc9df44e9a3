"""I watch a play and say which sentence broke."""

from nearcast.simulate.checkers.checker import Broken, Checker
from nearcast.simulate.checkers.content import ByteExact, Fresh, NotPurged, Whole
from nearcast.simulate.checkers.fills import OneFill
from nearcast.simulate.checkers.finishes import Finishes
from nearcast.simulate.checkers.routing import NamesHealthy
from nearcast.simulate.checkers.soundness import Bounded, NoCrash, RequestsEnd

CHECKERS: tuple[type[Checker], ...] = (
    ByteExact,
    Whole,
    NotPurged,
    Fresh,
    OneFill,
    NamesHealthy,
    Finishes,
    Bounded,
    RequestsEnd,
    NoCrash,
)

__all__ = ["CHECKERS", "Broken", "Checker"]
