"""The fragments of sound that we write ourselves, and how they follow the picture's segments."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from nearcast.packager.audio import AudioEncoder, fragment
from nearcast.packager.test_pattern import second_of_sound


def test_a_fragment_says_where_its_samples_are_and_how_large(box: Callable[..., bytes]) -> None:
    made = fragment(3, 5 * 1024, [b"first", b"second!"])
    trun = box(made, b"moof", b"traf", b"trun")
    count, offset, *sizes = struct.unpack_from(">IiII", trun, 4)
    assert (count, sizes) == (2, [5, 7])
    assert made[offset:] == b"firstsecond!"
    assert struct.unpack_from(">Q", box(made, b"moof", b"traf", b"tfdt"), 4) == (5120,)
    assert struct.unpack_from(">I", box(made, b"moof", b"mfhd"), 4) == (3,)


def test_segments_never_drift_from_the_picture(tmp_path: Path) -> None:
    sound = AudioEncoder(tmp_path / "a", Fraction(1, 2))
    for second in range(6):
        sound.encode(second_of_sound(second, 48_000))
    sound.finish()
    begins, reached = [], Fraction(0)
    for seconds in sound.segment_seconds:
        begins.append(reached)
        reached += seconds
    frame = Fraction(1024, 48_000)
    assert len(begins) == 12
    assert all(0 <= begin - number * Fraction(1, 2) < frame for number, begin in enumerate(begins))


def test_the_first_frame_is_cut_off_by_the_edit_list(tmp_path: Path, box: Callable[..., bytes]) -> None:
    sound = AudioEncoder(tmp_path / "a", Fraction(1))
    sound.encode(second_of_sound(0, 48_000))
    sound.finish()
    elst = box((tmp_path / "a" / "init.mp4").read_bytes(), b"moov", b"trak", b"edts", b"elst")
    assert struct.unpack_from(">i", elst, 12) == (1024,)  # media_time, in samples
