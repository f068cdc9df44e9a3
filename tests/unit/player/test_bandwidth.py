"""Given bandwidths: how they are written, what the line then carries."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from nearcast.model.faults import OperatorFault
from nearcast.player.bandwidth import (
    BURST_SECONDS,
    Bucket,
    Line,
    Profile,
    parse_profile,
    parse_rate,
    read_bandwidth,
)
from nearcast.simulate.world.world import World


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("800k", 800e3),
        ("3M", 3e6),
        ("2.5Mbps", 2.5e6),
        ("1 Gb/s", 1e9),
        ("64000", 64e3),
        ("1.5mbit/s", 1.5e6),
        ("0", 0),
        ("fast", None),
        ("3MB", None),
        ("-1M", None),
        ("1e6", None),
        ("", None),
    ],
)
def test_rates(text: str, rate: float | None) -> None:
    assert parse_rate(text) == rate


def test_lines_with_comments() -> None:
    profile = parse_profile("# a tunnel\n0 3M\n\n10\t800k  # inside\n20.5 2.5Mbps\n", "x")
    assert profile.steps == ((0, 3e6), (10, 800e3), (20.5, 2.5e6))


def test_a_json_list() -> None:
    assert parse_profile('[[0, "3M"], [10, 800000]]', "x").steps == ((0, 3e6), (10, 800e3))


def test_a_rate_holds_until_the_next() -> None:
    profile = Profile([(5, 3e6), (10, 8e5)])
    assert [profile.rate_at(at) for at in (0, 5, 9.9, 10, 99)] == [3e6, 3e6, 3e6, 8e5, 8e5]


def test_what_takes_longer_than_a_step_goes_on_in_the_next() -> None:
    assert Profile([(0, 100), (10, 50)]).carried_by(8, 300) == pytest.approx(12)


def test_an_outage_carries_nothing_until_it_is_over() -> None:
    assert Profile([(0, 100), (1, 0), (61, 100)]).carried_by(0.5, 100) == pytest.approx(61.5)


def test_every_mistake_of_a_profile_is_told() -> None:
    with pytest.raises(OperatorFault) as caught:
        parse_profile("0 3M\n5 quick\nsoon 1M\n0 2M", "tunnel.txt")
    assert [mistake.path for mistake in caught.value.mistakes] == ["line 2", "line 3", "line 4"]
    assert "tunnel.txt" in caught.value.sentence
    assert "must rise" in caught.value.mistakes[2].remedy


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "at least one line"),
        ("# nothing", "at least one line"),
        ("0 3M\n5 0", "end with a rate above 0"),
        ("[1, 2]", "step 1"),
        ("[[0]]", "step 1"),
        ("[{", "not JSON"),
        ("[]", "at least one line"),
    ],
)
def test_profiles_that_cannot_be_used(text: str, said: str) -> None:
    with pytest.raises(OperatorFault, match=said):
        parse_profile(text, "x")


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "line.txt"
    path.write_text("0 3M\n4 800k\n")
    assert read_bandwidth(str(path)).steps == ((0, 3e6), (4, 8e5))


@pytest.mark.parametrize("text", ["fast", "0", "/nonexistent/line.txt", "/", "x" * 5000])
def test_what_is_neither_rate_nor_file_gets_a_remedy(text: str) -> None:
    with pytest.raises(OperatorFault, match=r"800k, 3M|cannot be read"):
        read_bandwidth(text)


def test_a_binary_file_is_no_profile(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OperatorFault):
        read_bandwidth(str(path))


def test_the_bucket_makes_the_second_piece_wait_for_the_first() -> None:
    bucket = Bucket(Profile.constant(8000))
    assert bucket.pause(0.0, 1000) == pytest.approx(1.0)
    assert bucket.pause(0.0, 1000) == pytest.approx(2.0)


def test_an_idle_line_saves_up_next_to_nothing() -> None:
    bucket = Bucket(Profile.constant(8000))
    assert bucket.pause(1000.0, 1000) == pytest.approx(1.0 - BURST_SECONDS)


def test_the_line_takes_its_time() -> None:
    async def receive() -> float:
        line = Line(Profile([(0, 8000), (10, 16000)]))
        for _ in range(20):
            await line.carry(1000)
        return asyncio.get_running_loop().time()

    assert World(1).run(receive()) == pytest.approx(10 + 5, abs=0.05)


@pytest.mark.parametrize("text", ["[" * 100_000, "[" + "9" * 5000 + "]"])
def test_json_that_python_cannot_read_is_a_mistake(text: str) -> None:
    with pytest.raises(OperatorFault, match="is not JSON"):
        parse_profile(text, "line.json")


def test_numbers_without_end_are_no_rate_and_no_seconds() -> None:
    assert parse_rate("9" * 400) is None
    with pytest.raises(OperatorFault):
        parse_profile("0 1k\n" + "9" * 400 + " 1k", "line.txt")


def test_a_long_profile_carries_as_its_steps_say() -> None:
    profile = Profile((float(at), 100.0 if at % 2 else 300.0) for at in range(10_000))
    assert (profile.rate_at(-1.0), profile.rate_at(9998.5), profile.rate_at(9999.0)) == (300.0, 300.0, 100.0)
    assert profile.carried_by(0.0, 400.0 * 4999) == 9998.0
