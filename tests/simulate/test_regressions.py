"""One file per mended fault, named by it: without it the play holds, and with it put back it breaks."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.simulate.seeded_bugs import BUGS, Bug

from nearcast.simulate.play.run import run_scenario
from nearcast.simulate.play.scenario import read_scenario

FILES = sorted(Path(__file__).with_name("regressions").glob("*.toml"))
BY_PUT = {bug.put.__name__: bug for bug in BUGS}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_was_mended_stays_mended(path: Path) -> None:
    outcome = run_scenario(read_scenario(path), 1)
    assert outcome.passed, "\n".join(map(str, outcome.broken))
    assert outcome.faults and outcome.counts["viewings finished"] >= 2


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_file_would_show_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bug: Bug = BY_PUT[path.stem]
    bug.put(monkeypatch)
    assert bug.sentence in run_scenario(read_scenario(path), 1, until=bug.sentence).sentences
