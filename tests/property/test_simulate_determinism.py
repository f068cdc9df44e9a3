"""One seed, one history: in every process, on every Python. Other seeds, other histories."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUSY_WORLD = ROOT / "tests" / "unit" / "simulate" / "busy_world.py"


def told(seed: int, *options: str, hash_seed: int = 0, python: str = sys.executable) -> str:
    """The digest, the number of events and the length of a busy world, from a process of its own."""
    environment = {
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONHASHSEED": str(hash_seed),
        "PATH": os.environ["PATH"],
    }
    command = [python, str(BUSY_WORLD), str(seed), *options]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("options", [(), ("permute",)], ids=["in order", "permuted"])
def test_processes_with_different_hash_seeds_tell_the_same(options: tuple[str, ...]) -> None:
    one, other = (told(1, *options, hash_seed=hash_seed) for hash_seed in (1, 2))
    assert one == other
    digest, events, _ = one.split()
    assert len(digest) == 32
    assert int(events) > 3000


def test_other_seeds_and_other_orders_tell_something_else() -> None:
    assert len({told(1), told(2), told(1, "permute")}) == 3


@pytest.mark.parametrize("python", ["python3.11", "python3.12", "python3.13", "python3.14"])
def test_other_pythons_tell_the_same(python: str) -> None:
    found = shutil.which(python)
    if found is None or subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"{python} is not installed")
    assert told(1, python=found) == told(1)
