"""The scenarios of the project: everything holds in them, and the same seed is the same run everywhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nearcast.simulate.play.checkers import CHECKERS
from nearcast.simulate.play.run import run_scenario
from nearcast.simulate.play.scenario import parse_scenario, read_scenario

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "examples" / "scenarios"
DIGEST = """
import sys
from pathlib import Path
from nearcast.simulate.play.run import run_scenario
from nearcast.simulate.play.scenario import read_scenario
for path in sys.argv[1:]:
    outcome = run_scenario(read_scenario(Path(path)), 3)
    print(outcome.digest, outcome.events)
"""


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_is_read(path: Path) -> None:
    scenario = read_scenario(path)
    assert scenario.schedule(1) == scenario.schedule(1)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", ["demo", "faults"])
def test_everything_holds(name: str, seed: int) -> None:
    outcome = run_scenario(read_scenario(SCENARIOS / f"{name}.toml"), seed)
    assert outcome.passed, "\n".join(map(str, outcome.broken))
    assert outcome.counts["viewings finished"] >= 8


@pytest.mark.parametrize("seed", [1, 2, 130])
def test_everything_holds_in_harsh_plays_too(seed: int) -> None:
    outcome = run_scenario(read_scenario(Path(__file__).with_name("harsh.toml")), seed)
    assert outcome.passed, "\n".join(map(str, outcome.broken))
    assert len(outcome.faults) > 40


def test_a_small_crowd_is_served() -> None:
    path = SCENARIOS / "crowd.toml"
    outcome = run_scenario(parse_scenario(path.read_text().replace("count = 5000", "count = 50"), path), 1)
    assert outcome.passed, "\n".join(map(str, outcome.broken))
    assert (
        outcome.counts["viewings finished"] == 107
    )  # the other distribution's four, and three who come once more


def test_another_seed_is_another_run() -> None:
    scenario = read_scenario(SCENARIOS / "demo.toml")
    assert run_scenario(scenario, 1).digest != run_scenario(scenario, 2).digest


def test_a_seed_is_the_same_run_whatever_ran_before_in_this_process() -> None:
    scenario = read_scenario(SCENARIOS / "demo.toml")
    first = run_scenario(scenario, 3)
    run_scenario(scenario, 4)
    assert run_scenario(scenario, 3).digest == first.digest


def test_a_seed_is_the_same_run_under_every_hash_seed_and_every_python() -> None:
    """NEARCAST_OTHER_PYTHONS: further interpreters that have the dependencies, separated by colons."""
    others = [each for each in os.environ.get("NEARCAST_OTHER_PYTHONS", "").split(":") if each]
    paths = [str(SCENARIOS / "demo.toml"), str(SCENARIOS / "faults.toml")]
    runs = {
        (python, hash_seed): subprocess.run(
            [python, "-c", DIGEST, *paths],
            env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for python, hash_seed in [
            (sys.executable, "1"),
            (sys.executable, "2"),
            *((each, "3") for each in others),
        ]
    }
    assert len(set(runs.values())) == 1, runs


def test_every_scenario_in_the_document_is_read() -> None:
    text = (ROOT / "docs" / "simulation.md").read_text()
    blocks = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        parse_scenario(block, SCENARIOS / "of-the-document.toml")


def test_the_document_names_every_sentence() -> None:
    text = (ROOT / "docs" / "simulation.md").read_text()
    assert all(f"| {checker.sentence} |" in text for checker in CHECKERS)
