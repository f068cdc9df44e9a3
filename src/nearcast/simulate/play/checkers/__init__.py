"""I watch a play and say which sentence broke."""

from nearcast.simulate.play.checkers.besieged import NotAnothers, NotLured, NotStopped
from nearcast.simulate.play.checkers.checker import Broken, Checker
from nearcast.simulate.play.checkers.content import ByteExact, ConditionHeeded, NotPurged, NotTorn, OwnName
from nearcast.simulate.play.checkers.freshness import Fresh, KeptWhileUsed, OneFill, StaleOnError
from nearcast.simulate.play.checkers.frozen import NotFrozen
from nearcast.simulate.play.checkers.pauses import WaitingIsRead
from nearcast.simulate.play.checkers.recovery import AccountsRight, Recovers
from nearcast.simulate.play.checkers.resolving import ToldOnly
from nearcast.simulate.play.checkers.routing import NamesHealthy, OwnFirst, SpreadOut
from nearcast.simulate.play.checkers.soundness import Bounded, NoCrash, NotBrokenOff, RequestsEnd
from nearcast.simulate.play.checkers.viewers import FailedLast, FetchedOnce, Finishes

CHECKERS: tuple[type[Checker], ...] = (
    ByteExact,
    NotTorn,
    NotPurged,
    OwnName,
    ConditionHeeded,
    Fresh,
    KeptWhileUsed,
    StaleOnError,
    OneFill,
    NamesHealthy,
    SpreadOut,
    OwnFirst,
    ToldOnly,
    Finishes,
    FetchedOnce,
    FailedLast,
    NotStopped,
    NotAnothers,
    NotLured,
    WaitingIsRead,
    NotFrozen,
    NotBrokenOff,
    Bounded,
    RequestsEnd,
    AccountsRight,
    Recovers,
    NoCrash,
)

__all__ = ["CHECKERS", "Broken", "Checker"]
