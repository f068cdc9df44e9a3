"""Each seeded bug is found within its seeds, by the sentence it breaks; without bugs the same seeds pass."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.simulate.enemy_bugs import ENEMY_BUGS
from tests.simulate.seeded_bugs import BUGS, Bug

from nearcast.simulate.play.checkers import CHECKERS
from nearcast.simulate.play.run import run_scenario
from nearcast.simulate.play.scenario import read_scenario

SCENARIOS = {
    name: read_scenario(Path(__file__).parent / f"{name}.toml")
    for name in dict.fromkeys(bug.scenario for bug in BUGS)
}
RUNS = [
    (name, seed)
    for name in SCENARIOS
    for seed in range(1, max(bug.seeds for bug in BUGS if bug.scenario == name) + 1)
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_bug_is_found_by_the_sentence_it_breaks(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    bug.put(monkeypatch)
    for seed in range(bug.seeds, 0, -1):  # the last first: it is why there are so many
        scenario = SCENARIOS[bug.scenario]
        outcome = run_scenario(scenario, seed, history_lines=None, until=bug.sentence)
        if bug.sentence in outcome.sentences:
            broken = next(each for each in outcome.broken if each.sentence == bug.sentence)
            assert broken.what and 0 < broken.at <= round(outcome.virtual_seconds, 6)
            assert any(f"BROKEN: {bug.sentence}" in line for line in outcome.history)
            return
    pytest.fail(f"{bug.name}: not found in {bug.seeds} seeds")


@pytest.mark.parametrize(("name", "seed"), RUNS)
def test_without_bugs_everything_holds(name: str, seed: int) -> None:
    outcome = run_scenario(SCENARIOS[name], seed)
    assert outcome.passed, "\n".join(map(str, outcome.broken))
    assert outcome.counts["viewings finished"] > (40 if "/" not in name else 3)
    assert outcome.faults


def test_every_sentence_has_a_bug_that_breaks_it() -> None:
    assert {bug.sentence for bug in (*BUGS, *ENEMY_BUGS)} == {checker.sentence for checker in CHECKERS}
