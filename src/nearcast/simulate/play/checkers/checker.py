"""What a checker is: one sentence, and eyes for what could break it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from nearcast.serve.program import Running

if TYPE_CHECKING:
    from nearcast.simulate.play.observations import Got, Request, Watched
    from nearcast.simulate.play.play import Play

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

    def __init__(self, play: Play) -> None:
        self.play = play
        self.broken: list[Broken] = []
        self.count = 0
        """How often the sentence broke."""

    def broke(self, what: str) -> None:
        """The sentence does not hold: `what` was seen."""
        self.count += 1
        if len(self.broken) < BROKEN_MAX:
            self.broken.append(Broken(self.sentence, round(self.play.now, 6), what))
            self.play.world.note(f"BROKEN: {self.sentence} {what}")

    def started(self, name: str, kind: str, running: Running) -> None:
        """A program has started, at the beginning or after a restart."""

    def requested(self, request: Request) -> None:
        """A request reached the content port of a content server or of the origin."""

    def got(self, got: Got) -> None:
        """A viewer has a response."""

    def watched(self, watched: Watched) -> None:
        """A viewing is over."""

    def sampled(self) -> None:
        """A moment of the play; they come at a steady pace."""

    def ended(self, everybody_left: bool) -> None:
        """The play is over and all has been quiet for a while."""
