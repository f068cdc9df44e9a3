"""What all tests share: peers (other people's programs) and the real footage beside the project."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from nearcast.lab.config import Internet, parse_internet

# Hypothesis' own deadline is a timed assertion, and fails on a busy machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


# What needs nothing of the machine but its processor, and may run beside anything.
APART = (
    *("fuzz", "property", "simulate", "unit/cli/test_simulate_command.py", "unit/model", "unit/packager"),
    *("unit/selection", "unit/simulate", "unit/wire"),
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Keep tests that use addresses, ports and processes of the machine on one worker, in turn."""

    class Apart(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0].removeprefix("tests/")
            return nodeid if path.startswith(APART) else "machine"

    return Apart(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests whose peer program is missing; with NEARCAST_REQUIRE_PEERS=1 let them fail instead."""
    if os.environ.get("NEARCAST_REQUIRE_PEERS") == "1":
        return
    for item in items:
        missing = [name for mark in item.iter_markers("peer") for name in mark.args if not shutil.which(name)]
        if missing:
            item.add_marker(pytest.mark.skip(reason=f"needs {', '.join(missing)}"))


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of real footage: NEARCAST_MEDIA, else `../shared/media` beside the project."""
    default = Path(__file__).parents[2] / "shared" / "media"
    folder = Path(os.environ.get("NEARCAST_MEDIA", default))
    if not folder.is_dir():
        pytest.skip("no real footage here; set NEARCAST_MEDIA to a folder of it")
    return folder


@pytest.fixture(scope="session")
def example() -> Callable[[str], Internet]:
    """Reads `examples/NAME.toml`, moved to loopback addresses of this test run's own: nothing else that
    runs on this machine, another test run included, is in its way."""

    def read(name: str) -> Internet:
        text = (Path(__file__).parents[1] / "examples" / f"{name}.toml").read_text()
        own = f"127.{2 + os.getpid() % 250}."
        return parse_internet(text.replace('"127.0.', f'"{own}').replace("//127.0.", f"//{own}"))

    return read
