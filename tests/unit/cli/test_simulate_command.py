"""`nearcast simulate`: what it says, and its exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nearcast.cli.main import app
from nearcast.router.health import Record
from nearcast.simulate.play.checkers import CHECKERS
from nearcast.simulate.play.checkers.routing import NamesHealthy

ROOT = Path(__file__).parents[3]
DEMO = str(ROOT / "examples" / "scenarios" / "demo.toml")
DEAD_SERVER = str(ROOT / "tests" / "simulate" / "dead_server.toml")


def simulate(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *arguments], env={"COLUMNS": "200"})


def test_a_seed_that_passes() -> None:
    result = simulate(DEMO, "--seed", "3")
    assert result.exit_code == 0, result.output
    assert "everything held" in result.output and "digest" in result.output
    # A terminal of 80 columns folds long sentences; the count stands behind their first line.
    lines = [re.sub(r"\s+0$", "", line.rstrip()) for line in result.output.splitlines()]
    assert all(checker.sentence in " ".join(lines) for checker in CHECKERS)


def test_many_seeds_in_workers_as_json() -> None:
    result = simulate(DEMO, "--seeds", "4..7", "--workers", "2", "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [outcome["seed"] for outcome in document["outcomes"]] == [4, 5, 6, 7]
    assert document["failed"] == 0 and document["first_failing"] is None
    assert len({outcome["digest"] for outcome in document["outcomes"]}) == 4
    alone = json.loads(simulate(DEMO, "--seed", "5", "--json").stdout)
    assert alone["outcomes"][0] == document["outcomes"][1]


@pytest.fixture
def broken_router(monkeypatch: pytest.MonkeyPatch) -> None:
    """A router that never takes a server out of its answers."""
    monkeypatch.setattr(Record, "failed", lambda self, why, health: None)


@pytest.mark.usefixtures("broken_router")
def test_a_seed_that_fails_shows_its_history_and_the_fewest_faults(tmp_path: Path) -> None:
    history = tmp_path / "events.txt"
    result = simulate(DEAD_SERVER, "--seed", "1", "--history", str(history))
    assert result.exit_code == 1
    assert "1 of 1 failed" in result.output
    assert NamesHealthy.sentence in result.output
    assert result.output.count("[[faults]]\n") == 1, "one dead server is enough"
    assert 'fault = "kill"' in result.output
    lines = history.read_text().splitlines()
    assert any("BROKEN" in line for line in lines) and len(lines) > 1000


@pytest.mark.usefixtures("broken_router")
def test_a_failure_as_json() -> None:
    result = simulate(DEAD_SERVER, "--seed", "1", "--json", "--no-shrink")
    assert result.exit_code == 1
    first = json.loads(result.stdout)["first_failing"]
    assert first["seed"] == 1 and first["history"] and first["faults"] and first["least_faults"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((DEMO, "--seed", "1", "--seeds", "1..2"), "contradict"),
        ((DEMO, "--seeds", "2..1"), "names no seeds"),
        ((DEMO, "--seeds", "all"), "names no seeds"),
        ((DEMO, "--seeds", "1..9999999"), "more than"),
        (("nowhere.toml",), "no scenario file"),
    ],
)
def test_usage_is_explained(arguments: tuple[str, ...], said: str) -> None:
    result = simulate(*arguments)
    assert result.exit_code == 2
    assert said in result.output and "Traceback" not in result.output


def test_every_mistake_of_a_scenario_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('config = "nowhere.toml"\nseconds = 0\nextra = 1\n[[audiences]]\nname = "A!"\n')
    result = simulate(str(path))
    assert result.exit_code == 2
    for part in ("config", "seconds", "extra", "audiences.0.name"):
        assert f"  {part} = " in result.output
