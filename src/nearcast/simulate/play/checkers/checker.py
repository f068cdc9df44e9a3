"""What a checker is: one sentence, and eyes for what could break it.

A checker judges from outside: from what is heard on the wires, from hosts, disks and the script. It neither
asks the programs under test what is right, nor believes what they say of themselves.
"""

from __future__ import annotations

import logging
from typing import ClassVar, NamedTuple

from nearcast.simulate.play.observations import Account, Watched
from nearcast.simulate.play.overheard.dns_ear import Told
from nearcast.simulate.play.overheard.transfer import Transfer
from nearcast.simulate.play.roster import Member
from nearcast.simulate.play.stage import Stage

BROKEN_MAX = 10  # told per checker; the rest is only counted


class Broken(NamedTuple):
    """A sentence that did not hold: which, when (virtual seconds), and what was seen."""

    sentence: str
    at: float
    what: str

    def __str__(self) -> str:
        return f"{self.at:.3f} s: {self.sentence} {self.what}"


class Checker:
    """Guards `sentence`. What a subclass does not look at, it does not override."""

    sentence: ClassVar[str]
    besieged: ClassVar[bool] = False
    """It judges also what is of a distribution whose own origin or name server is an enemy."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.broken: list[Broken] = []
        self.count = 0
        """How often the sentence broke."""

    def broke(self, what: str) -> None:
        """The sentence does not hold: `what` was seen."""
        self.count += 1
        if len(self.broken) < BROKEN_MAX:
            self.broken.append(Broken(self.sentence, round(self.stage.now, 6), what))
            self.stage.world.note(f"BROKEN: {self.sentence} {what}")

    # --- on the wires -----------------------------------------------------------------------------
    def asked(self, transfer: Transfer) -> None:
        """A request has reached the content port of a content server or of the origin."""

    def answered(self, transfer: Transfer) -> None:
        """Whoever asked has the head of the answer."""

    def transferred(self, transfer: Transfer) -> None:
        """A transfer has ended, one way or another."""

    def told(self, told: Told) -> None:
        """A host sends a DNS reply; `to` is an address."""

    def heard(self, told: Told) -> None:
        """A host has got a DNS reply; `by` is an address (by TCP: a host), `to` a host."""

    def dials(self, host: str, address: str) -> None:
        """A host begins to connect to an address."""

    def undialled(self, host: str, address: str, given_up: bool) -> None:
        """It was refused or never answered, or the host has given it up before."""

    def parted(self, client: str, server: str) -> None:
        """A connection to a content port is over for the host that opened it."""

    # --- in the play ------------------------------------------------------------------------------
    def watches(self, viewer: Member) -> None:
        """A viewing begins."""

    def watched(self, watched: Watched) -> None:
        """A viewing is over."""

    def reported(self, account: Account) -> None:
        """All is quiet, and a content server has said what it holds."""

    def neighbourly(self, server: str, host: str, said: str, wanted: str) -> None:
        """A content server has said, under the name of a distribution, whose it is."""

    def fell(self, record: logging.LogRecord) -> None:
        """A program, or asyncio for it, has logged an error."""

    def stuck(self, why: str) -> None:
        """Nothing can ever happen again, and the play is not over."""

    def sampled(self) -> None:
        """A moment of the play; they come at a steady pace."""

    def calmed(self) -> None:
        """All faults are over, and there was time to recover; viewers come once more."""

    def ended(self, everybody_left: bool) -> None:
        """The play is over and all has been quiet for a while."""
