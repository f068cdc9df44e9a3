"""The lab's folder: gone at the end, swept when its lab was killed, found while it runs."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from nearcast.lab.console import ask, open_console, short_name
from nearcast.lab.workplace import PREFIX, Workplace, running, sweep


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_folder_is_gone_at_the_end_even_after_an_exception() -> None:
    with pytest.raises(KeyboardInterrupt), Workplace() as workplace:
        (workplace.path / "file").write_text("x")
        raise KeyboardInterrupt
    assert not workplace.path.exists()


def test_what_a_killed_lab_left_is_swept_and_what_lives_stays(temporary: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = temporary / f"{PREFIX}{os.getuid()}-{ended.pid}-abc"
    alive = temporary / f"{PREFIX}{os.getuid()}-{os.getppid()}-abc"
    left.mkdir()
    alive.mkdir()
    with Workplace():
        assert not left.exists() and alive.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a folder another user's")
def test_the_folder_of_another_user_is_neither_asked_nor_swept(temporary: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    theirs = temporary / f"{PREFIX}{os.getuid()}-{ended.pid}-abc"
    alive = temporary / f"{PREFIX}{os.getuid()}-{os.getpid()}-abc"
    for folder in (theirs, alive):
        folder.mkdir()
        (folder / "control.sock").touch()
        os.chown(folder, 12345, 12345)
    with Workplace():
        assert list(running()) == []
    assert theirs.exists()


def test_a_link_is_no_folder_of_a_lab(temporary: Path) -> None:
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "control.sock").touch()
    (temporary / f"{PREFIX}{os.getuid()}-{os.getpid()}-abc").symlink_to(elsewhere)
    assert list(running()) == []
    sweep()
    assert elsewhere.exists()


def test_orders_reach_a_running_lab_and_reports_come_back() -> None:
    heard = []

    async def obey(order):
        heard.append(order)
        return {"ok": True, "said": "done"}

    async def story(workplace: Workplace) -> object:
        console = await open_console(workplace.socket, obey)
        try:
            return await asyncio.to_thread(lambda: [ask(path, {"do": "status"}) for path in running()])
        finally:
            console.close()

    with Workplace() as workplace:
        assert list(running()) == [], "no socket yet"
        assert asyncio.run(story(workplace)) == [{"ok": True, "said": "done"}]
    assert heard == [{"do": "status"}]


def test_a_console_can_be_reached_however_deep_its_folder_lies(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = temporary / ("x" * 200)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    test_orders_reach_a_running_lab_and_reports_come_back()


def test_nonsense_on_the_console_is_answered_and_harms_nothing() -> None:
    async def obey(order):
        raise AssertionError("must not be reached")

    async def say(path: Path, octets: bytes) -> bytes:
        with short_name(path) as name:
            reader, writer = await asyncio.open_unix_connection(name)
        writer.write(octets)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer

    async def story(workplace: Workplace) -> list[bytes]:
        console = await open_console(workplace.socket, obey)
        try:
            return [
                await say(workplace.socket, text)
                for text in (b"hello\n", b"", b"[1]\n", b"x" * 9000, b"[" * 4000 + b"\n")
            ]
        finally:
            console.close()

    with Workplace() as workplace:
        answers = asyncio.run(story(workplace))
    assert all(b'"ok": false' in answer for answer in answers), answers
