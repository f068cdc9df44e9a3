"""Running a scenario: one seed, one outcome.

An outcome holds plain values only, so that it crosses from a worker process to whoever asked.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from nearcast.simulate.play.bounds import bounded, drawn_bounds
from nearcast.simulate.play.checkers import CHECKERS
from nearcast.simulate.play.checkers.checker import Broken, Checker
from nearcast.simulate.play.faults import Fault
from nearcast.simulate.play.play import Play
from nearcast.simulate.play.scenario import Scenario
from nearcast.simulate.play.swarm import drawn
from nearcast.simulate.world.history import History
from nearcast.simulate.world.loop import Deadlock

HISTORY_LINES = 200
LOGGERS = ("nearcast", "asyncio")


@dataclass(frozen=True)
class SeedResult:
    """What came of one seed. Without `broken` it passed."""

    scenario: str
    seed: int
    broken: tuple[Broken, ...]
    """The sentences that broke, in the order in which they did."""
    faults: tuple[Fault, ...]
    """All that struck."""
    digest: str
    """Of the whole event history: equal for equal runs."""
    events: int
    history: tuple[str, ...]
    """The last events, as lines."""
    counts: dict[str, int]
    """What happened, how often."""
    virtual_seconds: float
    real_seconds: float

    @property
    def passed(self) -> bool:
        return not self.broken

    @property
    def sentences(self) -> tuple[str, ...]:
        """The sentences that broke, each once."""
        return tuple(dict.fromkeys(each.sentence for each in self.broken))


def run_scenario(
    scenario: Scenario,
    seed: int,
    *,
    faults: Sequence[Fault] | None = None,
    checkers: Sequence[type[Checker]] = CHECKERS,
    history_lines: int | None = HISTORY_LINES,
    until: str = "",
) -> SeedResult:
    """Play `scenario` under `seed` and say what broke.

    `faults` strike instead of those that the scenario schedules under this seed. `history_lines` are kept
    of the event history; None keeps all. The play is broken off when the sentence `until` breaks.
    """
    gc.collect()  # what an earlier run left must not be finalized within this one
    swarm = scenario.script.swarm
    scenario = drawn(scenario, seed)
    bounds = drawn_bounds(random.Random(f"{seed}/bounds")) if swarm else {}
    struck = tuple(scenario.schedule(seed) if faults is None else faults)
    history = History(history_lines)
    began = time.perf_counter()
    play = Play(scenario, seed, struck, checkers, history, lambda play: _broke(play, until))
    with _overhearing(play), bounded(bounds):
        try:
            play.run()
        except Deadlock as fault:
            play.tell("stuck", str(fault))
    broken = sorted((each for checker in play.checkers for each in checker.broken), key=lambda each: each.at)
    return SeedResult(
        scenario=scenario.name,
        seed=seed,
        broken=tuple(broken),
        faults=struck,
        digest=history.digest(),
        events=history.count,
        history=tuple(history.lines()),
        counts=dict(sorted(play.counts.items())),
        virtual_seconds=play.now,
        real_seconds=time.perf_counter() - began,
    )


def _broke(play: Play, sentence: str) -> bool:
    return any(each.count and each.sentence == sentence for each in play.checkers)


class _Ear(logging.Handler):
    def __init__(self, hear: Callable[[logging.LogRecord], None]) -> None:
        super().__init__(logging.ERROR)
        self._hear = hear

    def emit(self, record: logging.LogRecord) -> None:
        self._hear(record)


@contextlib.contextmanager
def _overhearing(play: Play) -> Iterator[None]:
    """Have the checkers hear what is logged as an error while the play goes on, and nobody else."""

    def hear(record: logging.LogRecord) -> None:
        if play.world.history.keeps:
            play.fell(record)

    ear, loggers = _Ear(hear), [logging.getLogger(name) for name in LOGGERS]
    before = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.addHandler(ear)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, propagate in zip(loggers, before, strict=True):
            logger.removeHandler(ear)
            logger.propagate = propagate
