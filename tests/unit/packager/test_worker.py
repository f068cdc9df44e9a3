"""The packager in a process of its own: what goes wrong there stays there."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from nearcast.packager import worker
from nearcast.packager.faults import UnusableFolder, UnusableSource
from nearcast.packager.ladder import Rung
from nearcast.packager.package import Progress, part_of
from nearcast.packager.test_pattern import DrawnSource
from nearcast.packager.worker import order_text, package_in_process, read_order

CLIP = DrawnSource(seconds=1, width=64, height=36)
ENDLESS = DrawnSource(seconds=3600, width=640, height=360)


def test_it_packages_and_reports(tmp_path: Path) -> None:
    heard: list[Progress] = []
    title = asyncio.run(
        package_in_process(CLIP, tmp_path / "clock", name="Moving clock", progress=heard.append)
    )
    assert title.name == "Moving clock"
    assert (tmp_path / "clock" / "manifest.mpd").exists()
    assert heard[-1].stage == "joining"


def test_faults_arrive_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(UnusableSource, match="There is no file") as caught:
        asyncio.run(package_in_process(tmp_path / "missing.mp4", tmp_path / "out", name="x"))
    assert caught.value.remedy == "check the path"
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(UnusableFolder, match="is not a title"):
        asyncio.run(package_in_process(CLIP, tmp_path, name="x"))


def test_a_crash_becomes_a_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def remembering(*arguments: str, **options: object) -> asyncio.subprocess.Process:
        started.append(await start(*arguments, **options))  # type: ignore[arg-type]
        return started[0]

    monkeypatch.setattr(worker.asyncio, "create_subprocess_exec", remembering)

    def crash(progress: Progress) -> None:
        os.kill(started[0].pid, signal.SIGSEGV)

    with pytest.raises(UnusableSource, match="crashed"):
        asyncio.run(package_in_process(ENDLESS, tmp_path / "clock", name="x", progress=crash))
    assert list(tmp_path.iterdir()) == []


def test_cancelling_ends_the_process_and_leaves_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(
            package_in_process(ENDLESS, tmp_path / "clock", name="x", progress=lambda _: begun.set())
        )
        await begun.wait()
        assert part_of(tmp_path / "clock").exists()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(play())
    assert list(tmp_path.iterdir()) == []


def test_the_child_ends_when_its_parent_is_gone(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "nearcast.packager"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(order_text(ENDLESS, tmp_path / "clock", "x", None, 4.0, None) + "\n")
        child.stdin.flush()
        assert "progress" in child.stdout.readline()
        child.send_signal(signal.SIGINT)  # Ctrl-C reaches the whole group; the child leaves it to the parent
        assert "progress" in child.stdout.readline()
        child.stdin.close()  # as the kernel does for a parent that was killed
        child.stdout.read()
        assert child.wait() == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_an_order_arrives_as_it_was_given(tmp_path: Path) -> None:
    clip = DrawnSource(seconds=3, frame_rate=Fraction(30_000, 1001), has_sound=False)
    ladder = (Rung(64, 36, 1000), Rung(128, 72, 2000))
    order = read_order(order_text(clip, tmp_path, "Clock", ladder, 2.0, "veryfast"))
    assert order == {
        "source": clip, "out": tmp_path, "name": "Clock", "ladder": ladder, "segment_seconds": 2.0,
        "preset": "veryfast",
    }  # fmt: skip
    assert (
        read_order(order_text(tmp_path / "a.mp4", tmp_path, "x", None, 4.0, None))["source"]
        == tmp_path / "a.mp4"
    )
