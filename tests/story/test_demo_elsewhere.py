"""The demo on machines unlike the developer's: plain terminals, no IPv6, files that cannot be used."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.commands import NEARCAST, document, failed_checks, on_terminal

from nearcast.packager.ladder import Rung
from nearcast.packager.package import package
from nearcast.packager.test_pattern import DrawnSource

EXAMPLES = Path(__file__).parents[2] / "examples"
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;\d+)*m")
CONTROL_CODE = re.compile(r"\x1b")
WITHOUT_IPV6 = [
    "unshare", "--user", "--map-root-user", "--net",
    "sh", "-c", 'ip link set lo up && ip -6 addr flush dev lo && exec "$@"', "_",
]  # fmt: skip


@pytest.fixture(scope="module")
def title(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packaged film of two seconds."""
    out = tmp_path_factory.mktemp("film") / "clip"
    package(DrawnSource(seconds=2, width=160, height=90), out, name="clip", ladder=(Rung(160, 90, 80_000),))
    return out


@pytest.fixture(scope="module")
def film(title: Path) -> str:
    return str(title / "progressive" / "90p.mp4")


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """A temporary folder that the demo must leave empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def run(*command: str, temporary: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env={**os.environ, "TMPDIR": str(temporary)}, capture_output=True, text=True, timeout=90
    )


@pytest.mark.parametrize(
    ("environment", "has_codes", "has_colours"),
    [
        ({"TERM": "xterm-256color"}, True, True),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, False, False),
    ],
    ids=["a usual terminal", "NO_COLOR", "TERM=dumb"],
)
def test_colours_are_for_terminals_that_want_them(
    environment: dict[str, str], has_codes: bool, has_colours: bool, film: str, temporary: Path
) -> None:
    exit_code, appeared = on_terminal(
        str(NEARCAST), "demo", "--once", "--video", film, temporary=temporary, **environment
    )
    assert exit_code == 0, appeared
    assert bool(COLOUR.search(appeared)) is has_colours
    assert bool(CONTROL_CODE.search(appeared)) is has_codes
    assert "checks hold" in appeared and "content flow" in appeared
    assert list(temporary.iterdir()) == []


def test_a_mistake_at_a_plain_terminal_is_plain_too(temporary: Path) -> None:
    exit_code, appeared = on_terminal(
        str(NEARCAST), "demo", "--viewer", "Atlantis", temporary=temporary, TERM="dumb"
    )
    assert exit_code == 2 and "Atlantis" in appeared and "\x1b" not in appeared


@pytest.fixture
def without_ipv6() -> list[str]:
    """What to put before a command so that it runs on a machine without IPv6."""
    if subprocess.run([*WITHOUT_IPV6, "true"], capture_output=True).returncode:
        pytest.skip("this machine allows no network namespace")
    return WITHOUT_IPV6


def test_no_ipv6_is_needed(without_ipv6: list[str], film: str, temporary: Path) -> None:
    demo = str(NEARCAST), "demo", "--once", "--json", "--video", film
    finished = run(*without_ipv6, *demo, temporary=temporary)
    told = document(finished)
    assert finished.returncode == 0 and told["ok"], failed_checks(told)


def test_ipv6_that_is_not_there_is_told_with_path_and_remedy(
    without_ipv6: list[str], tmp_path: Path, temporary: Path
) -> None:
    config = tmp_path / "six.toml"
    text = (EXAMPLES / "demo.toml").read_text()
    config.write_text(text.replace('"127.0.53.2"', '"::1"').replace('"127.0.40.1"', '"2001:db8::1"'))
    demo = str(NEARCAST), "demo", "--once", "--config", str(config)
    finished = run(*without_ipv6, *demo, temporary=temporary)
    assert finished.returncode == 2
    assert "content_servers.5.addresses.0 = '::1': this machine has no IPv6; use" in finished.stderr
    assert "lab.origin = '2001:db8::1': this machine has no such IPv6 address; add" in finished.stderr
    assert "Traceback" not in finished.stderr and list(temporary.iterdir()) == []


def test_files_without_permission_are_told_with_a_remedy(film: str, tmp_path: Path, temporary: Path) -> None:
    """Root may read everything, so it gives that up first."""
    video = tmp_path / "secret.mp4"
    video.write_bytes(Path(film).read_bytes())
    video.chmod(0)
    config = tmp_path / "secret.toml"
    config.touch(0o000)
    humbly = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    for option, path in (("--video", video), ("--config", config)):
        finished = run(*humbly, str(NEARCAST), "demo", "--once", option, str(path), temporary=temporary)
        assert finished.returncode == 2, finished.stderr
        assert f"{path} cannot be read" in finished.stderr and "permission" in finished.stderr.lower()
        assert "Traceback" not in finished.stderr and list(temporary.iterdir()) == []


def test_a_file_with_sound_alone_is_no_video(title: Path, tmp_path: Path, temporary: Path) -> None:
    sound = tmp_path / "sound.mp4"
    folder = next(title.glob("a*/"))
    segments = sorted(folder.glob("*.m4s"), key=lambda path: int(path.stem))
    sound.write_bytes(b"".join(path.read_bytes() for path in (folder / "init.mp4", *segments)))
    finished = run(str(NEARCAST), "demo", "--once", "--video", str(sound), temporary=temporary)
    assert finished.returncode == 2
    assert "sound.mp4 has no video in it" in finished.stderr and "give a video file" in finished.stderr
    assert list(temporary.iterdir()) == []
