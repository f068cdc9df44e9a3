"""Turns a source into a title: the whole of the packager in one call.

A title appears whole or not at all. It is built in `<out>.part` beside its place and renamed at the end;
a failure or an interruption removes what was built. Two packagers never build the same title at once.
Files are not synced one by one: a title is made again from its source if the machine dies.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple

from nearcast.model.title import TITLE_JSON, AudioTrack, Rendition, Title
from nearcast.packager import audio
from nearcast.packager.faults import UnusableFolder
from nearcast.packager.ladder import Rung
from nearcast.packager.manifests import presentation_of, write_manifests
from nearcast.packager.progressive import write_progressive
from nearcast.packager.source import RecordedSource
from nearcast.packager.test_pattern import DrawnSource
from nearcast.packager.transcode import Transcoded, transcode
from nearcast.wire.manifest.presentation import Presentation, Representation

SEGMENT_SECONDS = 4.0
PRESET_RECORDED = "superfast"
PRESET_DRAWN = "ultrafast"
"""x264's presets. A drawn clip is simple, and a person is waiting for it."""


class Progress(NamedTuple):
    """How far the packager is: seconds of the source that are done, and of how many, if it is known."""

    stage: Literal["encoding", "joining"]
    seconds_done: float
    seconds_total: float | None


def package(
    source: Path | DrawnSource,
    out: Path,
    *,
    name: str,
    ladder: tuple[Rung, ...] | None = None,
    segment_seconds: float = SEGMENT_SECONDS,
    preset: str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Title:
    """Package `source` as the title folder `out`, which replaces a title that is there already.

    `segment_seconds` is rounded to whole pictures. `preset` is one of x264's, by default a fast one.
    `progress` is called about twice per second of video. Raises `UnusableSource` and `UnusableFolder`.
    """
    if ladder is not None and len({rung.name for rung in ladder}) != max(1, len(ladder)):
        raise ValueError("a ladder needs rungs, each with a shorter side of its own")
    report = _Reporter(progress or (lambda _: None))
    with _building(out) as folder:
        with source_of(source) as opened:
            report.total = opened.seconds
            transcoded = transcode(
                opened,
                folder,
                ladder=ladder,
                segment_seconds=segment_seconds,
                preset=preset or (PRESET_DRAWN if isinstance(source, DrawnSource) else PRESET_RECORDED),
                position=report.position,
            )
        report.joining()
        presentation = presentation_of(transcoded, folder)
        write_manifests(folder, presentation)
        title = _title(name, folder, transcoded, presentation)
        (folder / TITLE_JSON).write_text(title.to_json())
    return title


@contextmanager
def source_of(source: Path | DrawnSource) -> Iterator[RecordedSource | DrawnSource]:
    """Open `source` for decoding."""
    with nullcontext(source) if isinstance(source, DrawnSource) else RecordedSource(source) as opened:
        yield opened


class _Reporter:
    """Thins out the positions of every picture to what a person can follow."""

    def __init__(self, progress: Callable[[Progress], None]) -> None:
        self._progress = progress
        self._reported = -1.0
        self.total: float | None = None

    def position(self, seconds: float) -> None:
        if seconds >= self._reported + 0.5:
            self._reported = seconds
            self._progress(Progress("encoding", seconds, self.total))

    def joining(self) -> None:
        self._progress(Progress("joining", max(0.0, self._reported), self.total))


def _title(name: str, folder: Path, transcoded: Transcoded, presentation: Presentation) -> Title:
    """Write the progressive files, and name everything that is in the folder now."""
    by_folder = {each.id: each for each in presentation.representations}
    renditions = []
    for rung, track in transcoded.renditions:
        path = f"progressive/{rung.name}.mp4"
        renditions.append(
            Rendition(
                **_track(by_folder[track.folder]),
                name=rung.name,
                width=rung.width,
                height=rung.height,
                frame_rate=round(float(transcoded.frame_rate), 3),
                progressive=path,
                progressive_bytes=write_progressive(folder, track, transcoded.sound, folder / path),
            )
        )
    sounds = [
        AudioTrack(**_track(each), sample_rate=audio.SAMPLE_RATE, channels=audio.CHANNELS)
        for each in presentation.audio
    ]
    return Title(
        name=name,
        seconds=round(float(transcoded.renditions[0][1].seconds), 6),
        segment_seconds=float(transcoded.renditions[0][1].segment_seconds[0]),
        renditions=tuple(renditions),
        audio=sounds[0] if sounds else None,
    )


def _track(representation: Representation) -> dict[str, Any]:
    return {
        "folder": representation.id,
        "bandwidth": representation.bandwidth,
        "average_bandwidth": representation.average_bandwidth,
        "codecs": representation.codecs,
        "segments": len(representation.segments),
    }


def part_of(out: Path) -> Path:
    """Where the title `out` is built."""
    return out.with_name(out.name + ".part")


@contextmanager
def _building(out: Path) -> Iterator[Path]:
    """A new folder that becomes `out` if all goes well, and is gone otherwise."""
    out = out.absolute()
    _check_replaceable(out)
    part = part_of(out)
    try:
        part.mkdir(parents=True, exist_ok=True)
        lock = os.open(part, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise UnusableFolder(
            out, f"The title cannot be written to {out.parent}: {error.strerror}", "choose another folder"
        ) from None
    try:
        _lock(lock, part, out)
        for left_over in part.iterdir():
            shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink()
        try:
            yield part
            _replace(part, out)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    finally:
        os.close(lock)


def _check_replaceable(out: Path) -> None:
    """Only a title, or nothing, is ever replaced."""
    if out.is_dir() and ((out / TITLE_JSON).exists() or not any(out.iterdir())):
        return
    if out.exists():
        raise UnusableFolder(out, f"{out} exists and is not a title", "choose another folder")


def _lock(lock: int, part: Path, out: Path) -> None:
    """Raises when someone else builds here, or has just finished and moved the folder away."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_ino == part.stat().st_ino:
            return
    except (BlockingIOError, FileNotFoundError):
        pass
    raise UnusableFolder(
        out, f"{out} is being packaged by another process", "wait for it, or choose another folder"
    )


def _replace(part: Path, out: Path) -> None:
    old = out.with_name(out.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    part.rename(out)
    shutil.rmtree(old, ignore_errors=True)
