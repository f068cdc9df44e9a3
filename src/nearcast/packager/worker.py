"""Runs the packager in a process of its own, so that a crash in a codec takes nobody else down.

The order goes to the child's standard input as one line of JSON, progress and the outcome come back on
its standard output, one JSON object per line. The input stays open as long as the parent wants the
title: when it ends, because the parent was cancelled, interrupted or killed, the child removes what it
has built and ends. Ctrl-C is left to the parent.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from nearcast.model.title import Title
from nearcast.packager.faults import UnusableFolder, UnusableSource
from nearcast.packager.ladder import Rung
from nearcast.packager.package import SEGMENT_SECONDS, Progress, part_of
from nearcast.packager.test_pattern import DrawnSource

LINE_BYTES_MAX = 1024 * 1024
END_SECONDS_MAX = 5.0
"""How long a child that is told to end may take before it is killed."""


async def package_in_process(
    source: Path | DrawnSource,
    out: Path,
    *,
    name: str,
    ladder: tuple[Rung, ...] | None = None,
    segment_seconds: float = SEGMENT_SECONDS,
    preset: str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Title:
    """Like `package`, in another process and without blocking the loop.

    Cancelling it ends the process and leaves nothing behind. A crash of the process becomes an
    `UnusableSource`.
    """
    order = order_text(source, out, name, ladder, segment_seconds, preset)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "nearcast.packager",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LINE_BYTES_MAX,
    )  # fmt: skip
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdin.write(order.encode() + b"\n")
        outcome: dict[str, Any] = {}
        async for line in child.stdout:
            outcome = json.loads(line)
            if "progress" in outcome and progress:
                progress(Progress(*outcome["progress"]))
        await child.wait()
    finally:
        await _end(child)
        if child.returncode != 0:
            shutil.rmtree(part_of(out), ignore_errors=True)
    return _title(source, outcome)


async def _end(child: asyncio.subprocess.Process) -> None:
    """Close the child's input, which asks it to end, and see that it does."""
    assert child.stdin is not None
    child.stdin.close()
    try:
        await asyncio.wait_for(child.wait(), END_SECONDS_MAX)
    except TimeoutError:
        child.kill()
        await child.wait()


def _title(source: Path | DrawnSource, outcome: dict[str, Any]) -> Title:
    match outcome:
        case {"title": text}:
            return Title.from_json(text)
        case {"unusable": ["source", subject, sentence, remedy]}:
            raise UnusableSource(subject, sentence, remedy)
        case {"unusable": ["folder", subject, sentence, remedy]}:
            raise UnusableFolder(subject, sentence, remedy)
    raise UnusableSource(
        source, f"The packager crashed while it read {source}", "try another file, or convert it first"
    )


def order_text(
    source: Path | DrawnSource,
    out: Path,
    name: str,
    ladder: tuple[Rung, ...] | None,
    segment_seconds: float,
    preset: str | None,
) -> str:
    """The order as one line of JSON."""
    drawn = None
    if isinstance(source, DrawnSource):
        drawn = {**asdict(source), "frame_rate": str(source.frame_rate)}
    return json.dumps(
        {
            "clip": drawn,
            "path": None if isinstance(source, DrawnSource) else str(source),
            "out": str(out),
            "name": name,
            "ladder": ladder,
            "segment_seconds": segment_seconds,
            "preset": preset,
        }
    )


def read_order(text: str) -> dict[str, Any]:
    """The arguments for `package` from that line."""
    order = json.loads(text)
    path, drawn, ladder = order.pop("path"), order.pop("clip"), order["ladder"]
    order["source"] = (
        Path(path) if drawn is None else DrawnSource(**{**drawn, "frame_rate": Fraction(drawn["frame_rate"])})
    )
    order["out"] = Path(order["out"])
    order["ladder"] = ladder and tuple(Rung(*each) for each in ladder)
    return dict(order)
