"""Enemies, standstills, clocks, bad pages, swarms: all holds, and what does not yet is marked."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.simulate.enemy_bugs import (
    ENEMY_BUGS,
    EXAMPLE,
    HANGING,
    LYING,
    STANDSTILL,
    EnemyBug,
    with_few_fills,
)

from nearcast.simulate.play.checkers.besieged import NotStopped
from nearcast.simulate.play.checkers.content import ByteExact, NotTorn
from nearcast.simulate.play.checkers.viewers import Finishes
from nearcast.simulate.play.run import run_scenario
from nearcast.simulate.play.scenario import parse_scenario, read_scenario

HERE = Path(__file__).parent
PAGES = HERE / "pages.toml"


@pytest.mark.parametrize("seed", [1, 3])
def test_everything_holds_among_enemies(seed: int) -> None:
    outcome = run_scenario(read_scenario(EXAMPLE), seed)
    assert outcome.passed, "\n".join(map(str, outcome.broken))
    assert outcome.counts["viewings finished"] >= 14
    assert outcome.counts["pages of the neighbour"] > 10


@pytest.mark.parametrize("seed", [1])
def test_everything_holds_when_machines_stand_still_and_clocks_are_set(seed: int) -> None:
    outcome = run_scenario(STANDSTILL, seed)
    assert outcome.passed, "\n".join(map(str, outcome.broken))
    assert outcome.counts["viewings finished"] > 40


@pytest.mark.parametrize("seed", range(1, 6))
def test_everything_holds_whatever_world_the_seed_draws(seed: int) -> None:
    outcome = run_scenario(read_scenario(HERE / "swarm.toml"), seed)
    assert outcome.passed, "\n".join(map(str, outcome.broken))


def test_equal_seeds_draw_equal_worlds_and_other_seeds_others() -> None:
    swarm = read_scenario(HERE / "swarm.toml")
    first = run_scenario(swarm, 2, history_lines=0)
    run_scenario(swarm, 3, history_lines=0)
    assert run_scenario(swarm, 2, history_lines=0).digest == first.digest


def test_what_cannot_be_read_from_the_disk_any_more_is_fetched_anew() -> None:
    outcome = run_scenario(read_scenario(PAGES), 1)
    assert outcome.passed, "\n".join(map(str, outcome.broken))
    assert len(outcome.faults) > 40


@pytest.mark.xfail(strict=True, reason="a content server believes the pages that it has mapped")
@pytest.mark.parametrize("how", ["flip", "zero"])
def test_no_wrong_bytes_are_served_when_pages_change_under_a_running_server(how: str) -> None:
    scenario = parse_scenario(PAGES.read_text().replace('"fail"', f'"{how}"'), PAGES)
    outcome = run_scenario(scenario, 1, checkers=[NotTorn, ByteExact], history_lines=0)
    assert outcome.passed, "\n".join(map(str, outcome.broken))


@pytest.mark.parametrize("bug", ENEMY_BUGS, ids=lambda bug: bug.name)
def test_the_bug_is_found_by_the_sentence_it_breaks(bug: EnemyBug, monkeypatch: pytest.MonkeyPatch) -> None:
    bug.put(monkeypatch)
    for seed in range(1, bug.seeds + 1):
        outcome = run_scenario(bug.scenario, seed, history_lines=0, until=bug.sentence)
        if bug.sentence in outcome.sentences:
            return
    pytest.fail(f"{bug.name}: not found in {bug.seeds} seeds")


def test_without_bugs_what_is_besieged_stops_nobody_else() -> None:
    """Of four fills the besieged site has two at most; who is told to come again finishes all the same."""
    outcome = run_scenario(with_few_fills(HANGING), 1, history_lines=0)
    assert not {NotStopped.sentence, Finishes.sentence} & set(outcome.sentences), outcome.broken


def test_without_bugs_nobody_is_lured() -> None:
    outcome = run_scenario(LYING, 1, history_lines=0)
    assert outcome.passed, "\n".join(map(str, outcome.broken))
