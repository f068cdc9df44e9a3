"""The second chapter of the tutorial runs beside a demo, and what it claims about the outputs is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.chapters import Chapter, Outcome, check_printed

from nearcast.packager.ladder import Rung
from nearcast.packager.package import package
from nearcast.packager.test_pattern import DrawnSource

pytestmark = pytest.mark.peer("dig", "curl")
CHAPTER = Chapter("2-five-steps.md")
LINES = [command.line for command in CHAPTER.commands]

DEMO = """
nearcast demo --video clock.mp4 > demo.out 2>&1 & demo=$!
for _ in $(seq 600); do grep -q 'Break it' demo.out && break; kill -0 $demo || break; sleep 0.1; done
"""
END = "kill -TERM $demo; wait $demo; echo $? > demo.code"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the chapter runs: with a small film that is called `clock` as the demo's own is."""
    folder = tmp_path_factory.mktemp("chapter")
    package(
        DrawnSource(seconds=8, width=640, height=360),
        folder / "clip",
        name="x",
        ladder=(Rung(640, 360, 800_000),),
    )
    (folder / "clip" / "progressive" / "360p.mp4").rename(folder / "clock.mp4")
    return folder


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> list[Outcome]:
    return CHAPTER.run(folder, before=DEMO, after=END)


def printed(outcomes: list[Outcome], *words: str) -> list[str]:
    """What each command that has all these words printed, in the chapter's order."""
    return [
        outcome.prints
        for line, outcome in zip(LINES, outcomes, strict=True)
        if all(word in line for word in words)
    ]


@pytest.mark.parametrize("number", range(len(LINES)), ids=[line[:70] for line in LINES])
def test_command_succeeds_and_prints_what_the_chapter_says(outcomes: list[Outcome], number: int) -> None:
    assert outcomes[number].exit_code == 0, outcomes[number].prints
    check_printed(CHAPTER.commands[number], outcomes[number].prints)


def test_the_demo_stays_through_the_chapter_and_ends_cleanly(outcomes: list[Outcome], folder: Path) -> None:
    told = (folder / "demo.out").read_text()
    assert "all 11 checks hold" in told and "ports are taken" not in told
    assert (folder / "demo.code").read_text() == "0\n", told
    assert list(folder.glob("nearcast-lab-*")) == []


def test_the_table_of_addresses_is_that_of_the_demo() -> None:
    example = (Path(__file__).parents[2] / "examples" / "demo.toml").read_text()
    named = re.findall(r"^\| (127[^|]*) \|", CHAPTER.text, re.MULTILINE)
    for address in re.findall(r"127\.\d+\.\d+\.\d+", " ".join(named)):
        assert f'"{address}"' in example
    for server in re.findall(r"127\.0\.5[123]\.\d", CHAPTER.text):
        assert f'"{server}"' in example


def test_iowa_and_frankfurt_get_different_addresses(outcomes: list[Outcome]) -> None:
    iowa, frankfurt = printed(outcomes, "dig", "@127.0.30.1", "+short")
    assert set(iowa.split()).isdisjoint(frankfurt.split())


def test_the_ttl_of_the_second_answer_has_not_grown(outcomes: list[Outcome]) -> None:
    first, again = (
        [int(ttl) for ttl in re.findall(r"^\S+\s+(\d+)\s+IN\s+A\s", text, re.MULTILINE)]
        for text in printed(outcomes, "dig", "@127.0.10.1")
    )
    assert len(first) == len(again) == 2
    assert max(again) <= 30 and max(first) <= 30


def test_the_content_server_gives_what_the_origin_has(outcomes: list[Outcome]) -> None:
    server, origin = printed(outcomes, "sha256sum")
    assert server == origin and re.fullmatch(r"[0-9a-f]{64}  -\n", server)


def test_a_slow_line_takes_less(outcomes: list[Outcome]) -> None:
    def last_height(text: str) -> int:
        return int(re.findall(r"^ +(\d+)p/\d+ ", text, re.MULTILINE)[-1])

    fast, slow, named, *_ = printed(outcomes, "nearcast watch")
    assert last_height(slow) < last_height(fast)
    assert "nothing measured yet" in fast and last_height(named) == 360


def test_the_viewer_of_the_bad_day_found_nobody_there_and_went_on(outcomes: list[Outcome]) -> None:
    viewing = printed(outcomes, "nearcast watch")[-1]
    if "127.0.51.2, 127.0.51.1" in viewing:  # the resolver still remembered
        assert re.search(r"failed +127\.0\.51\.2:8080: no connection", viewing)
    assert "miss" in viewing and "ia2.cdn.test" not in viewing
