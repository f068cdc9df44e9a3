"""What is wrong with a source is said in one sentence with a remedy."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from nearcast.model.faults import OperatorFault
from nearcast.packager.faults import UnusableSource
from nearcast.packager.source import RecordedSource

Film = Callable[..., Path]


def fault_of(path: Path) -> UnusableSource:
    with pytest.raises(UnusableSource) as caught, RecordedSource(path) as source:
        for _ in source.frames():
            pass
    assert isinstance(caught.value, OperatorFault)
    assert caught.value.remedy and "\n" not in caught.value.sentence
    assert caught.value.source == str(path)
    return caught.value


def test_no_such_file(tmp_path: Path) -> None:
    assert "There is no file" in fault_of(tmp_path / "missing.mp4").sentence


def test_a_folder(tmp_path: Path) -> None:
    assert "is a folder" in fault_of(tmp_path).sentence


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(film: Film) -> None:
    path = film()
    path.chmod(0)
    assert "cannot be read" in fault_of(path).sentence


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    assert "it is empty" in fault_of(path).sentence


@pytest.mark.parametrize("content", [b"Dear diary,\n" * 100, os.urandom(5000), b"\0" * 5000])
def test_not_a_video(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    assert "not a video" in fault_of(path).sentence


def test_a_text_file_is_not_drawn_as_a_video(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear diary,\n" * 100)
    assert "not a video" in fault_of(path).sentence


def test_a_still_picture(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    frame = VideoFrame(64, 36, "rgb24")
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as out:
        stream = out.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "rgb24"
        out.mux([*stream.encode(frame), *stream.encode(None)])
    assert "not a video" in fault_of(path).sentence


def test_only_sound(tmp_path: Path) -> None:
    path = tmp_path / "song.m4a"
    frame = AudioFrame("fltp", "stereo", 4800)
    frame.sample_rate, frame.pts = 48_000, 0
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=48_000, layout="stereo")
        out.mux([*stream.encode(frame), *stream.encode(None)])
    assert "no video in it" in fault_of(path).sentence


def test_the_index_is_missing(film: Film) -> None:
    path = film(seconds=4)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"moov") - 4])  # a plain MP4 has its index at the end
    assert "damaged" in fault_of(path).sentence


def test_the_end_is_missing(film: Film, tmp_path: Path) -> None:
    whole = tmp_path / "fast.mp4"
    with (
        av.open(str(film(seconds=8, layout=None))) as made,
        av.open(str(whole), "w", options={"movflags": "+faststart"}) as out,
    ):
        stream = out.add_stream_from_template(made.streams.video[0])
        for packet in made.demux():
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) * 6 // 10])
    assert "truncated" in fault_of(whole).sentence


@pytest.mark.parametrize("rate", ["25", "24000/1001", "30000/1001", "12.5", "60"])
def test_the_frame_rate_is_exact(film: Film, rate: str) -> None:
    with RecordedSource(film(rate=Fraction(rate))) as source:
        assert source.frame_rate == Fraction(rate)


def test_time_starts_at_zero_whenever_the_recording_did(film: Film) -> None:
    with RecordedSource(film("film.mkv", begin=30.0)) as source:
        frames = list(source.frames())
    first_picture = next(each for each in frames if isinstance(each, VideoFrame))
    assert first_picture.time == pytest.approx(0, abs=0.03)
    assert max(each.time or 0 for each in frames) < 1.1


def test_a_broken_packet_costs_a_picture_not_the_title(film: Film) -> None:
    path = film(seconds=2, layout=None)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 60] = os.urandom(60)
    path.write_bytes(content)
    with RecordedSource(path) as source:
        assert len(list(source.frames())) > 30
