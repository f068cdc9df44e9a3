"""Sources made to measure, and what the tests look into MP4 files with."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"mvex"}

Film = Callable[..., Path]


@pytest.fixture
def film(tmp_path: Path) -> Film:
    """A maker of small video files; every keyword is something that real files do."""

    def make(
        name: str = "film.mp4",
        *,
        seconds: float = 1.0,
        width: int = 128,
        height: int = 72,
        rate: Fraction = Fraction(25),
        pix_fmt: str = "yuv420p",
        pixel_aspect: Fraction = Fraction(1),
        layout: str | None = "stereo",
        sound_rate: int = 48_000,
        begin: float = 0.0,
        codec: str = "libx264",
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as out:
            video = out.add_stream(codec, rate=rate, options={"preset": "ultrafast"})
            video.width, video.height, video.pix_fmt = width, height, pix_fmt
            video.codec_context.sample_aspect_ratio = pixel_aspect
            video.codec_context.time_base = 1 / rate
            sound = out.add_stream("aac", rate=sound_rate, layout=layout) if layout else None
            for number in range(round(seconds * rate)):
                picture = VideoFrame(width, height, "gray")
                picture.planes[0].update(bytes((number * 8 % 256,)) * picture.planes[0].buffer_size)
                picture = picture.reformat(format=pix_fmt)
                picture.pts, picture.time_base = number + round(begin * rate), 1 / rate
                out.mux(video.encode(picture))
            out.mux(video.encode(None))
            if sound is not None and layout:
                for packet in _silence(sound, layout, sound_rate, seconds, begin):
                    out.mux(packet)
        return path

    return make


def _silence(stream: Any, layout: str, rate: int, seconds: float, begin: float) -> Iterator[Any]:
    for second in range(max(1, round(seconds))):
        frame = AudioFrame("fltp", layout, rate)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = second * rate + round(begin * rate)
        yield from stream.encode(frame)
    yield from stream.encode(None)


@pytest.fixture
def box() -> Callable[..., bytes]:
    """`box(stream, b"moof", b"traf", b"tfdt")`: the content of the box at that path."""
    return find_box


def find_box(stream: bytes, *path: bytes) -> bytes:
    at = 0
    while at < len(stream):
        size, kind = struct.unpack_from(">I4s", stream, at)
        if kind == path[0]:
            content = stream[at + 8 : at + size]
            return find_box(content, *path[1:]) if path[1:] else content
        at += size
    raise KeyError(path)


@pytest.fixture
def decode_times(box: Callable[..., bytes]) -> Callable[[Path], list[Fraction]]:
    """When each segment of a folder begins to decode, in seconds (`tfdt` by the track's timescale)."""

    def read(folder: Path) -> list[Fraction]:
        mdhd = box((folder / "init.mp4").read_bytes(), b"moov", b"trak", b"mdia", b"mdhd")
        (timescale,) = struct.unpack_from(">I", mdhd, 20 if mdhd[0] else 12)
        times = []
        for number in range(1, len(list(folder.glob("*.m4s"))) + 1):
            tfdt = box((folder / f"{number}.m4s").read_bytes(), b"moof", b"traf", b"tfdt")
            (ticks,) = struct.unpack_from(">Q" if tfdt[0] else ">I", tfdt, 4)
            times.append(Fraction(ticks, timescale))
        return times

    return read
