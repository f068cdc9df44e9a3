"""The first chapter of the tutorial runs: every command in it, with what the chapter says it prints."""

from __future__ import annotations

import pytest
from tests.chapters import Chapter, Outcome, check_printed

CHAPTER = Chapter("1-sockets.md")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    return CHAPTER.run(tmp_path_factory.mktemp("chapter"))


@pytest.mark.parametrize(
    "number", range(len(CHAPTER.commands)), ids=[command.line[:50] for command in CHAPTER.commands]
)
def test_command_prints_what_the_chapter_says(outcomes: list[Outcome], number: int) -> None:
    check_printed(CHAPTER.commands[number], outcomes[number].prints)


def test_the_chapter_has_commands_and_programs_to_run() -> None:
    assert len(CHAPTER.commands) >= 10
    assert len(CHAPTER.blocks("python")) >= 4
