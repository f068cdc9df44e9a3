"""`nearcast demo` as a newcomer runs it: real processes, its document, and nothing left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.commands import RunningDemo, document, failed_checks, gone, nearcast

from nearcast.packager.ladder import Rung
from nearcast.packager.package import package
from nearcast.packager.test_pattern import DrawnSource

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real video: six seconds that were drawn and encoded."""
    out = tmp_path_factory.mktemp("film") / "clip"
    package(DrawnSource(seconds=6), out, name="clip", ladder=(Rung(320, 180, 200_000),))
    return out / "progressive" / "180p.mp4"


@pytest.fixture(scope="module")
def staying(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """A demo that stays, for tests that only look at it."""
    with RunningDemo("--video", str(film), temporary=tmp_path_factory.mktemp("staying")) as demo:
        yield demo.stays()
        assert demo.interrupt() == 0
        assert gone(demo.process.pid)
        assert list(demo.temporary.iterdir()) == []


def test_once_as_json_is_one_document_with_every_check_true(film: Path, tmp_path: Path) -> None:
    finished = nearcast("demo", "--once", "--json", "--video", str(film), temporary=tmp_path)
    assert finished.returncode == 0, finished.stderr
    told = document(finished)
    assert told["ok"] and failed_checks(told) == []
    assert told["mode"] == "pull" and len(told["title"]["renditions"]) >= 3
    iowa, frankfurt = told["viewers"]
    assert (iowa["pop"], frankfurt["pop"]) == ("ia", "fra")
    for viewer in (iowa, frankfurt):
        assert [step["step"] for step in viewer["steps"]] == [1, 2, 3, 4, 5]
        for step in viewer["steps"]:
            assert step["question"] and step["answer"] and step["server"], step
        assert viewer["first_viewing"]["sha256_matches_origin"]
        assert set(viewer["first_viewing"]["cache_status"]) == {"miss"}
        assert "hit" in viewer["second_viewing"]["cache_status"]
        assert viewer["first_viewing"]["bytes"] > 10_000
        assert viewer["first_viewing"]["addresses"][0].startswith("127.0.5")
    assert list(tmp_path.iterdir()) == []


def test_push_makes_the_first_viewing_a_hit_and_a_killed_server_is_survived(
    film: Path, tmp_path: Path
) -> None:
    finished = nearcast(
        "demo", "--once", "--json", "--push", "--kill", "--video", str(film), temporary=tmp_path
    )
    told = document(finished)
    assert finished.returncode == 0 and told["ok"], failed_checks(told)
    assert told["mode"] == "push" and len(told["pushed"]) == 6
    assert set(told["viewers"][0]["first_viewing"]["cache_status"]) == {"hit"}
    assert any("killed" in sentence for sentence in told["checks"])


def test_the_lectures_names(film: Path, tmp_path: Path) -> None:
    lecture = str(EXAMPLES / "lecture.toml")
    finished = nearcast(
        "demo", "--once", "--json", "--config", lecture, "--video", str(film), temporary=tmp_path
    )
    told = document(finished)
    assert finished.returncode == 0 and told["ok"], failed_checks(told)
    assert "www.movie.com" in told["title"]["url"]
    assert told["viewers"][0]["server"] in {"ia1.cdn.com", "ia2.cdn.com"}
    assert told["viewers"][0]["steps"][1]["asked"] == "movie.com"


def test_a_second_demo_beside_the_first_takes_other_ports(
    staying: RunningDemo, film: Path, tmp_path: Path
) -> None:
    finished = nearcast("demo", "--once", "--json", "--video", str(film), temporary=tmp_path)
    told = document(finished)
    assert finished.returncode == 0 and told["ok"], failed_checks(told)
    assert f":{told['ports']['http']}/" not in staying.url("Watch it")
    beside = nearcast("demo", "--once", "--video", str(film), temporary=tmp_path)
    assert "ports are taken" in beside.stdout


def test_without_a_terminal_there_are_no_control_codes(staying: RunningDemo) -> None:
    assert len(staying.lines) > 30
    assert not any("\x1b" in line for line in staying.lines)


def test_every_line_at_the_end_works_when_copied(staying: RunningDemo) -> None:
    url = _argument(staying, "Be a viewer", 2)
    temporary = staying.temporary
    watched = nearcast("watch", url, "--client", "203.0.113.7", "--json", temporary=temporary)
    assert watched.returncode == 0, watched.stderr
    told = document(watched)
    assert told["complete"] and told["servers"][0].startswith("ia")
    film = nearcast("watch", url, "--quality", told_quality(told), temporary=temporary)
    assert film.returncode == 0, film.stderr
    why = nearcast("explain", url, "--client", "203.0.113.7", temporary=temporary)
    assert why.returncode == 0 and "203.0.113.0/24 is its own" in why.stdout and "fra" in why.stdout
    status = document(nearcast("lab", "status", "--json", temporary=temporary))
    assert {program["state"] for program in status["programs"].values()} == {"up"}


def told_quality(told: dict) -> str:
    return next(each["rendition"] for each in told["fetched"] if each["kind"] == "video")


def _argument(demo: RunningDemo, what: str, number: int) -> str:
    line = next(line for line in demo.lines if line.strip().startswith(what))
    return line.split("nearcast ")[1].split()[number - 1]


def test_a_killed_server_comes_back_when_it_is_started(staying: RunningDemo) -> None:
    temporary = staying.temporary
    killed = nearcast("lab", "kill", "ord1", temporary=temporary)
    assert killed.returncode == 0 and "ord1 was killed" in killed.stdout
    status = document(nearcast("lab", "status", "--json", temporary=temporary))
    assert status["programs"]["ord1"]["state"] == "down"
    assert nearcast("lab", "start", "ord1", temporary=temporary).returncode == 0
    status = document(nearcast("lab", "status", "--json", temporary=temporary))
    assert status["programs"]["ord1"]["state"] == "up"
    unknown = nearcast("lab", "kill", "mars1", temporary=temporary)
    assert unknown.returncode == 1 and "ia1" in unknown.stderr


@pytest.mark.parametrize("moment", ["small internet", "packaged", "all up", "opens", "Break it"])
def test_ctrl_c_at_any_moment_leaves_nothing(moment: str, film: Path, tmp_path: Path) -> None:
    with RunningDemo("--video", str(film), temporary=tmp_path) as demo:
        demo.until(moment)
        assert demo.interrupt() in (0, 130)
        assert gone(demo.process.pid)
        assert list(tmp_path.iterdir()) == []
        demo.until("nothing is left behind")
        assert not any("Traceback" in line for line in demo.lines), "\n".join(demo.lines)


@pytest.mark.parametrize("job", ["foreground", "background"])
def test_sigterm_ends_it_as_cleanly(job: str, film: Path, tmp_path: Path) -> None:
    """A shell starts background jobs with SIGINT ignored, which children inherit."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if job == "background" else None
    try:
        running = RunningDemo("--video", str(film), temporary=tmp_path)
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
    with running as demo:
        demo.stays()
        demo.process.send_signal(signal.SIGTERM)
        assert demo.process.wait(30) == 0
        assert gone(demo.process.pid)
        assert list(tmp_path.iterdir()) == []


def test_kill_9_leaves_no_process_and_the_next_demo_sweeps_the_folder(film: Path, tmp_path: Path) -> None:
    with RunningDemo("--video", str(film), temporary=tmp_path) as demo:
        demo.stays()
        assert len(demo.family()) > 10
        os.kill(demo.process.pid, signal.SIGKILL)
        demo.process.wait(30)
        assert gone(demo.process.pid), "workers die with their parent"
        assert len(list(tmp_path.iterdir())) == 1
    assert nearcast("demo", "--once", "--json", "--video", str(film), temporary=tmp_path).returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [("absent.mp4", None, "no file"), ("text.mp4", b"hello " * 1000, "video"), ("empty.mp4", b"", "empty")],
)
def test_unusable_videos_get_a_sentence(name: str, content: bytes | None, word: str, tmp_path: Path) -> None:
    video = tmp_path / name
    if content is not None:
        video.write_bytes(content)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    finished = nearcast("demo", "--once", "--video", str(video), temporary=temporary)
    assert finished.returncode == 2
    assert name in finished.stderr and word in finished.stderr.lower(), finished.stderr
    assert "Traceback" not in finished.stderr
    assert list(temporary.iterdir()) == []
