"""Many seeds: in this process, or spread over worker processes that share nothing."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from nearcast.simulate.play.run import SeedResult, run_scenario
from nearcast.simulate.play.scenario import Scenario

HISTORY_LINES = 60  # of each seed, for the one that will be shown


def run_seeds(
    scenario: Scenario, seeds: Sequence[int], workers: int = 1
) -> Generator[SeedResult, None, None]:
    """The outcome of every seed, in the order in which they are ready.

    Whoever stops asking (also by an exception, such as Ctrl-C) ends the workers at once.
    """
    if workers <= 1 or len(seeds) <= 1:
        for seed in seeds:
            yield run_scenario(scenario, seed, history_lines=HISTORY_LINES)
        return
    context = multiprocessing.get_context("spawn")
    before = multiprocessing.active_children()
    executor = ProcessPoolExecutor(min(workers, len(seeds)), mp_context=context, initializer=_begin)
    try:
        futures = [executor.submit(_run, scenario, seed) for seed in seeds]
        for future in as_completed(futures):
            yield future.result()
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            if child not in before:
                child.terminate()
        raise
    executor.shutdown()


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair, who ends us


def _run(scenario: Scenario, seed: int) -> SeedResult:
    return run_scenario(scenario, seed, history_lines=HISTORY_LINES)
