"""Packaging with a progress bar on a terminal, and as `nearcast package`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from nearcast.cli.output import err, fail_for, say, say_json
from nearcast.model.faults import OperatorFault
from nearcast.model.title import Title
from nearcast.packager.package import SEGMENT_SECONDS
from nearcast.packager.package import Progress as Position
from nearcast.packager.test_pattern import DrawnSource
from nearcast.packager.worker import package_in_process
from nearcast.serve.loop import run


def package_with_progress(
    source: Path | DrawnSource,
    out: Path,
    name: str,
    *,
    quiet: bool = False,
    segment_seconds: float = SEGMENT_SECONDS,
) -> Title:
    """Package `source` as the folder `out` in a process of its own. Raises OperatorFault."""
    with Progress(
        TextColumn("   {task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=quiet or not err.is_terminal,
    ) as bars:
        bar = bars.add_task("packaging", total=None)

        def show(position: Position) -> None:
            bars.update(
                bar,
                description=f"packaging ({position.stage})",
                completed=position.seconds_done,
                total=position.seconds_total,
            )

        return run(package_in_process(source, out, name=name, segment_seconds=segment_seconds, progress=show))


def package(
    source: Annotated[Path, typer.Argument(metavar="FILE", readable=False, help="The video to package.")],
    out: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the title goes; its name is the URL's.")
    ],
    name: Annotated[str | None, typer.Option(help="What people call it; else the file's name.")] = None,
    segment_seconds: Annotated[
        float, typer.Option(min=0.5, max=30, help="Length of a segment in seconds.")
    ] = SEGMENT_SECONDS,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of lines.")] = False,
) -> None:
    """Package a video: a ladder of renditions, segments for DASH and HLS, one progressive file each."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+", out.name):
        fail_for(OperatorFault(f"{out.name!r} cannot stand in a URL; use letters, digits, '.', '_' and '-'"))
    try:
        title = package_with_progress(
            source, out, name or source.stem, quiet=as_json, segment_seconds=segment_seconds
        )
    except OperatorFault as fault:
        fail_for(fault)
    if as_json:
        say_json(title.model_dump(mode="json"))
        return
    for each in title.renditions:
        say(
            f"  {each.name:>6}  {each.width}×{each.height}  {each.bandwidth / 1e6:.2f} Mb/s peak  "
            f"{each.segments} segments  progressive {each.progressive_bytes / 1e6:.1f} MB"
        )
    say(f"{out}: {title.seconds:.1f} s, DASH, HLS and progressive")
