"""Whole scenarios in virtual time: how much faster than life, how many seeds, how many viewers.

    python bench/simulate_scenarios.py [--seeds 200] [--workers 2] [--without-crowd]

Exits with 1 when a goal is missed: the demo 50 times faster than life, 200 of its seeds within five minutes
on two workers, ten thousand viewers within 2 GB.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from pathlib import Path

from nearcast.simulate.play.run import run_scenario
from nearcast.simulate.play.scenario import read_scenario
from nearcast.simulate.play.seeds import run_seeds

SCENARIOS = Path(__file__).parents[1] / "examples" / "scenarios"
RATIO_MIN = 50.0
SEEDS_SECONDS_MAX = 300.0
CROWD_BYTES_MAX = 2 * 1024**3


def demo_ratio() -> bool:
    """One seed of the demo, after one that warms up."""
    scenario = read_scenario(SCENARIOS / "demo.toml")
    run_scenario(scenario, 1, history_lines=0)
    outcome = run_scenario(scenario, 1, history_lines=0)
    ratio = outcome.virtual_seconds / outcome.real_seconds
    print(
        f"demo: {outcome.virtual_seconds:.0f} s of virtual time in {outcome.real_seconds:.2f} s, "
        f"{ratio:.0f} times faster than life (goal: {RATIO_MIN:.0f})"
    )
    return outcome.passed and ratio >= RATIO_MIN


def many_seeds(seeds: int, workers: int) -> bool:
    """Many seeds of the demo in worker processes."""
    scenario = read_scenario(SCENARIOS / "demo.toml")
    began = time.perf_counter()
    failed = sum(not outcome.passed for outcome in run_seeds(scenario, range(1, seeds + 1), workers))
    seconds = time.perf_counter() - began
    print(
        f"{seeds} seeds of the demo on {workers} workers: {seconds:.1f} s, {failed} failed "
        f"(goal: 200 in {SEEDS_SECONDS_MAX:.0f} s, none failed)"
    )
    return not failed and seconds / seeds <= SEEDS_SECONDS_MAX / 200


def crowd(pipe: multiprocessing.connection.Connection) -> None:
    """Ten thousand viewers, in a process of their own: its peak memory is the scenario's."""
    outcome = run_scenario(read_scenario(SCENARIOS / "crowd.toml"), 1, history_lines=0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    pipe.send((outcome.passed, outcome.counts["viewings finished"], outcome.real_seconds, peak))


def big_crowd() -> bool:
    """Run `crowd` and judge it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=crowd, args=(theirs,))
    process.start()
    passed, viewers, seconds, peak = ours.recv()
    process.join()
    print(
        f"{viewers:,} viewers: {seconds:.0f} s, {peak / 1024**2:.0f} MiB at the peak "
        f"(goal: {CROWD_BYTES_MAX / 1024**2:.0f} MiB)"
    )
    return bool(passed) and peak <= CROWD_BYTES_MAX


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--without-crowd", action="store_true")
    options = parser.parse_args()
    reached = [demo_ratio(), many_seeds(options.seeds, options.workers)]
    if not options.without_crowd:
        reached.append(big_crowd())
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
