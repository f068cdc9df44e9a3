"""The worlds as fixtures: `stage` plays every story twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.stages import RealStage, Stage, VirtualStage


@pytest.fixture(params=["real", "virtual"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    """The demo's internet, in both worlds."""
    return RealStage(tmp_path) if request.param == "real" else VirtualStage(seed=1)


@pytest.fixture
def real_stage(tmp_path: Path) -> RealStage:
    """For what can only play on real sockets."""
    return RealStage(tmp_path)


@pytest.fixture(params=["real", "virtual"])
def lecture_stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    """The same with the lecture's names."""
    if request.param == "real":
        return RealStage(tmp_path, "lecture.toml")
    return VirtualStage(1, "lecture.toml")
