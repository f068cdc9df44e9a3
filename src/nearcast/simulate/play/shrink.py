"""Shrinking: the smallest fault schedule that still breaks the same sentence.

Delta debugging (A. Zeller, R. Hildebrandt, "Simplifying and isolating failure-inducing input", IEEE TSE
28(2), 2002): leave out ever smaller parts as long as what remains still fails; at the end no single fault
can be left out. Every try is a whole run, so their number is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nearcast.simulate.play.faults import Fault
from nearcast.simulate.play.run import SeedResult, run_scenario
from nearcast.simulate.play.scenario import Scenario

RUNS_MAX = 150


def shrink(
    scenario: Scenario,
    outcome: SeedResult,
    *,
    runs_max: int = RUNS_MAX,
    tried: Callable[[int], None] = lambda n: None,
) -> tuple[Fault, ...]:
    """The least of `outcome.faults` that still break its first sentence. `tried` hears of every run."""
    sentence = outcome.sentences[0]
    runs = 0

    def fails(faults: Sequence[Fault]) -> bool:
        nonlocal runs
        runs += 1
        tried(runs)
        tried_once = run_scenario(scenario, outcome.seed, faults=faults, history_lines=0, until=sentence)
        return sentence in tried_once.sentences

    return tuple(smallest(outcome.faults, fails, lambda: runs < runs_max))


def smallest(
    faults: Sequence[Fault],
    fails: Callable[[Sequence[Fault]], bool],
    may_go_on: Callable[[], bool] = lambda: True,
) -> list[Fault]:
    """A part of `faults` for which `fails` still holds, and for no part that lacks one fault more."""
    left = list(faults)
    if left and may_go_on() and fails([]):
        return []
    parts = 2
    while len(left) > 1 and may_go_on():
        size = -(-len(left) // parts)
        for start in range(0, len(left), size):
            rest = left[:start] + left[start + size :]
            if not may_go_on():
                return left
            if fails(rest):
                left, parts = rest, max(parts - 1, 2)
                break
        else:
            if parts >= len(left):
                break
            parts = min(len(left), parts * 2)
    return left


def as_toml(faults: Sequence[Fault]) -> str:
    """Faults as they stand in a scenario file."""
    return "\n".join(
        "[[faults]]\n" + "".join(f"{name} = {_value(value)}\n" for name, value in fault.document().items())
        for fault in faults
    )


def _value(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
