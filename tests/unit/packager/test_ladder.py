"""The ladder's rules, on the sizes that sources have."""

from __future__ import annotations

from fractions import Fraction

import pytest

from nearcast.packager.ladder import Rung, ladder_for

SQUARE, FILM = Fraction(1), Fraction(25)


def names(width: int, height: int, pixel_aspect: Fraction = SQUARE) -> list[str]:
    return [rung.name for rung in ladder_for(width, height, pixel_aspect, FILM)]


def test_the_default_ladder_of_a_720p_source() -> None:
    assert ladder_for(1280, 720, SQUARE, FILM) == (
        Rung(640, 360, 800_000),
        Rung(960, 540, 1_600_000),
        Rung(1280, 720, 3_000_000),
    )


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1920, 1080), ["360p", "540p", "720p", "1080p"]),
        ((3840, 2160), ["360p", "540p", "720p", "1080p"]),
        ((960, 540), ["240p", "360p", "540p"]),
        ((854, 480), ["240p", "360p", "480p"]),
        ((768, 432), ["240p", "360p", "432p"]),
        ((320, 240), ["100p", "144p", "240p"]),
        ((64, 36), ["16p", "24p", "36p"]),
    ],
)
def test_the_rungs_of_other_sources(size: tuple[int, int], expected: list[str]) -> None:
    assert names(*size) == expected


def test_a_portrait_is_named_after_its_shorter_side() -> None:
    assert ladder_for(1080, 1920, SQUARE, FILM)[-1] == Rung(1080, 1920, 5_500_000)


def test_wide_pixels_become_a_wide_picture() -> None:
    top = ladder_for(720, 576, Fraction(16, 11), FILM)[-1]
    assert (top.width, top.height) == (1048, 576)


def test_more_pictures_a_second_get_more_bits_but_not_in_proportion() -> None:
    usual, smooth = (ladder_for(1280, 720, SQUARE, Fraction(rate))[-1].bit_rate for rate in (30, 60))
    assert usual < smooth < 2 * usual


def test_few_pictures_a_second_get_fewer_bits() -> None:
    assert ladder_for(1280, 720, SQUARE, Fraction(5))[-1].bit_rate == 1_500_000


def test_a_picture_of_a_few_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        ladder_for(8, 8, SQUARE, FILM)
