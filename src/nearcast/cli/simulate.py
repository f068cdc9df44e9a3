"""`nearcast simulate`: play a scenario in virtual time under many seeds, and show what a failing seed did."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from nearcast.cli.output import NO, err, fail, fail_for, out, say, say_json
from nearcast.model.faults import OperatorFault
from nearcast.simulate.play.checkers import CHECKERS
from nearcast.simulate.play.faults import Fault
from nearcast.simulate.play.run import SeedResult, run_scenario
from nearcast.simulate.play.scenario import Scenario, read_scenario
from nearcast.simulate.play.seeds import run_seeds
from nearcast.simulate.play.shrink import as_toml, shrink

SEEDS_MAX = 1_000_000
SEEDS = re.compile(r"(\d+)(?:\.\.(\d+))?")
LINE_SECONDS = 5.0  # between two lines of progress where there is no terminal


def simulate(
    scenario: Annotated[
        Path,
        typer.Argument(metavar="SCENARIO", help="A scenario file, such as examples/scenarios/demo.toml."),
    ],
    seed: Annotated[int | None, typer.Option(min=0, help="Play this one seed.")] = None,
    seeds: Annotated[str | None, typer.Option(metavar="A..B", help="Play all these seeds.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Worker processes; by default one per processor.")
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write every event of the first failing seed (else of the first) here."
        ),
    ] = None,
    shrinks: Annotated[
        bool, typer.Option("--shrink/--no-shrink", help="Look for the fewest faults that still fail.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of lines.")] = False,
) -> None:
    """Play SCENARIO in virtual time and check every promise of the CDN, under one seed or many.

    The programs are those that serve; network, disks, clocks and faults are simulated, all from the seed, so
    a seed that fails fails again. Exit codes: 0 everything held, 1 a sentence broke, 2 usage or scenario.
    """
    try:
        play = read_scenario(scenario)
    except OperatorFault as fault:
        fail_for(fault)
    numbers = read_seeds(seed, seeds)
    began = time.perf_counter()
    outcomes = _all(play, numbers, workers or os.cpu_count() or 1, quiet=as_json)
    seconds = time.perf_counter() - began
    first = next((outcome for outcome in outcomes if not outcome.passed), None)
    least: tuple[Fault, ...] | None = None
    if not as_json:
        _summary(play, outcomes, seconds)
    if first is not None:
        if not as_json:
            _show(first, scenario)
        if shrinks:
            least = _shrunk(play, first, quiet=as_json)
            if not as_json:
                _show_least(first, least)
    if history is not None:
        _write_history(play, (first or outcomes[0]).seed, history)
    if as_json:
        say_json(_document(play, outcomes, first, least, seconds))
    if first is not None:
        raise typer.Exit(NO)


def read_seeds(seed: int | None, seeds: str | None) -> Sequence[int]:
    """What `--seed` and `--seeds` mean; ends with usage help when they mean nothing."""
    if seed is not None and seeds is not None:
        fail("--seed and --seeds contradict each other", "give one of them")
    if seeds is None:
        return [1 if seed is None else seed]
    match = SEEDS.fullmatch(seeds.strip())
    last = match and int(match[2] or match[1])
    if match is None or last is None or last < int(match[1]):
        fail(f"--seeds {seeds!r} names no seeds", "write the first and the last, such as 1..200")
    if last - int(match[1]) >= SEEDS_MAX:
        fail(f"--seeds {seeds} are more than {SEEDS_MAX:,}", "play them in several runs")
    return range(int(match[1]), last + 1)


# --- playing ----------------------------------------------------------------------------------------
def _all(play: Scenario, seeds: Sequence[int], workers: int, *, quiet: bool) -> list[SeedResult]:
    """Every outcome, by seed; progress on the way."""
    with closing(run_seeds(play, seeds, workers)) as outcomes:
        shown = outcomes if quiet else _with_progress(outcomes, len(seeds))
        return sorted(shown, key=lambda outcome: outcome.seed)


def _with_progress(outcomes: Iterator[SeedResult], count: int) -> Iterator[SeedResult]:
    if not err.is_terminal:
        yield from _with_lines(outcomes, count)
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=err, transient=True) as progress:
        task, failed = progress.add_task("seeds", total=count), 0
        for outcome in outcomes:
            failed += not outcome.passed
            progress.update(task, advance=1, description=f"seeds, {failed} failed" if failed else "seeds")
            yield outcome


def _with_lines(outcomes: Iterator[SeedResult], count: int) -> Iterator[SeedResult]:
    told, failed = time.perf_counter(), 0
    for done, outcome in enumerate(outcomes, start=1):
        failed += not outcome.passed
        if time.perf_counter() - told > LINE_SECONDS:
            told = time.perf_counter()
            err.print(f"{done} of {count} seeds, {failed} failed")
        yield outcome


def _shrunk(play: Scenario, first: SeedResult, *, quiet: bool) -> tuple[Fault, ...]:
    if quiet or not err.is_terminal:
        return shrink(play, first)
    with err.status("looking for the fewest faults that still fail") as status:
        return shrink(
            play, first, tried=lambda runs: status.update(f"looking for the fewest faults, run {runs}")
        )


def _write_history(play: Scenario, seed: int, path: Path) -> None:
    whole = run_scenario(play, seed, history_lines=None)
    try:
        path.write_text("".join(f"{line}\n" for line in whole.history), encoding="utf-8")
    except OSError as fault:
        fail(f"the history cannot be written to {path}: {fault.strerror}", "name another --history")


# --- telling ----------------------------------------------------------------------------------------
def _summary(play: Scenario, outcomes: Sequence[SeedResult], seconds: float) -> None:
    virtual = sum(outcome.virtual_seconds for outcome in outcomes)
    failed = sum(not outcome.passed for outcome in outcomes)
    counts: Counter[str] = Counter()
    breaks: Counter[str] = Counter()
    for outcome in outcomes:
        counts.update(outcome.counts)
        breaks.update(outcome.sentences)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("sentence", overflow="fold")
    table.add_column("seeds that broke it", justify="right", no_wrap=True)
    for checker in CHECKERS:
        broken = breaks[checker.sentence]
        table.add_row(checker.sentence, f"[red]{broken}[/]" if broken else "[green]0[/]")
    say(
        f"[bold]{escape(play.name)}[/]: {_named(outcomes)}, {virtual:,.0f} s of virtual time in "
        f"{seconds:.1f} s, {sum(len(outcome.faults) for outcome in outcomes):,} faults"
    )
    say(f"  [dim]{escape(', '.join(f'{count:,} {what}' for what, count in sorted(counts.items())))}[/]")
    out.print(table)
    say(f"[bold red]{failed} of {len(outcomes)} failed[/]" if failed else "[bold green]everything held[/]")
    if len(outcomes) == 1:
        say(f"  [dim]{outcomes[0].events:,} events, digest {outcomes[0].digest}[/]")


def _named(outcomes: Sequence[SeedResult]) -> str:
    if len(outcomes) == 1:
        return f"seed {outcomes[0].seed}"
    return f"{len(outcomes)} seeds ({outcomes[0].seed} to {outcomes[-1].seed})"


def _show(first: SeedResult, path: Path) -> None:
    say(f"\n[bold]The last events of seed {first.seed}[/]")
    for line in first.history:
        say(f"  [dim]{escape(line)}[/]")
    say(f"\n[bold red]Seed {first.seed} broke[/]")
    for broken in first.broken:
        say(f"  {escape(str(broken))}")
    say(f"  → nearcast simulate {escape(str(path))} --seed {first.seed} --history events.txt")


def _show_least(first: SeedResult, least: Sequence[Fault]) -> None:
    if not least:
        say("\nIt breaks without any fault.")
        return
    say(f"\n[bold]{len(least)} of its {len(first.faults)} faults are enough[/] (without `rates`):")
    say(escape(as_toml(least)))


def _document(
    play: Scenario,
    outcomes: Sequence[SeedResult],
    first: SeedResult | None,
    least: Sequence[Fault] | None,
    seconds: float,
) -> dict[str, Any]:
    return {
        "scenario": play.name,
        "seeds": len(outcomes),
        "failed": sum(not outcome.passed for outcome in outcomes),
        "virtual_seconds": round(sum(outcome.virtual_seconds for outcome in outcomes), 3),
        "real_seconds": round(seconds, 3),
        "outcomes": [
            {
                "seed": outcome.seed,
                "passed": outcome.passed,
                "broken": [each._asdict() for each in outcome.broken],
                "digest": outcome.digest,
                "events": outcome.events,
                "faults": len(outcome.faults),
                "counts": outcome.counts,
            }
            for outcome in outcomes
        ],
        "first_failing": None
        if first is None
        else {
            "seed": first.seed,
            "history": list(first.history),
            "faults": [fault.document() for fault in first.faults],
            "least_faults": None if least is None else [fault.document() for fault in least],
        },
    }
