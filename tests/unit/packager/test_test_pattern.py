"""The clip that nearcast draws shows and sounds its position."""

from __future__ import annotations

from fractions import Fraction

from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from nearcast.packager.test_pattern import INK, PANEL, DrawnSource, second_of_sound, timecode

SMALL = DrawnSource(seconds=1.5, width=320, height=180, frame_rate=Fraction(10))


def luma(frame: VideoFrame, x: int, y: int) -> int:
    plane = frame.planes[0]
    return bytes(plane)[y * plane.line_size + x]


def test_it_has_the_pictures_and_the_sound_of_its_length() -> None:
    frames = list(SMALL.frames())
    pictures = [each for each in frames if isinstance(each, VideoFrame)]
    sounds = [each for each in frames if isinstance(each, AudioFrame)]
    assert [each.pts for each in pictures] == list(range(15))
    assert {(each.width, each.height) for each in pictures} == {(320, 180)}
    assert sum(each.samples for each in sounds) == 72_000
    assert [each.pts for each in sounds] == [0, 48_000]


def test_without_sound_it_is_silent() -> None:
    frames = DrawnSource(seconds=0.5, width=64, height=36, has_sound=False).frames()
    assert all(isinstance(each, VideoFrame) for each in frames)


def test_the_disc_passes_the_top_at_full_seconds_only() -> None:
    pictures = [each for each in SMALL.frames() if isinstance(each, VideoFrame)]
    top = 160, 90 - 180 * 43 // 100
    assert luma(pictures[10], *top) == INK
    assert luma(pictures[5], *top) == PANEL


def test_the_bar_at_the_bottom_grows() -> None:
    pictures = [each for each in SMALL.frames() if isinstance(each, VideoFrame)]
    halfway = [luma(each, 160, 179) for each in pictures]
    assert halfway[0] == PANEL
    assert halfway[-1] == INK


def test_the_timecode_counts_minutes_seconds_and_hundredths() -> None:
    assert timecode(0) == "00:00.00"
    assert timecode(67.48) == "01:07.48"
    assert timecode(59.999) == "01:00.00"


def test_neighbouring_pictures_differ_in_their_digits() -> None:
    first, second = [each for each in SMALL.frames() if isinstance(each, VideoFrame)][:2]
    middle = range(75 * first.planes[0].line_size, 105 * first.planes[0].line_size)
    assert (
        bytes(first.planes[0])[middle.start : middle.stop]
        != bytes(second.planes[0])[middle.start : middle.stop]
    )


def test_each_second_has_another_pitch_and_ends_in_silence() -> None:
    first, second = (bytes(second_of_sound(number, 48_000).planes[0])[:96_000] for number in (0, 1))
    assert first[:8000] != second[:8000]
    assert first[:8000].strip(b"\0")
    assert not first[48_000:].strip(b"\0")
