"""FFmpeg reads what we package: manifests and progressive files, to the last picture, without a word."""

from __future__ import annotations

import json
import struct
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from nearcast.model.title import Title
from nearcast.packager.package import package
from nearcast.packager.test_pattern import DrawnSource

pytestmark = [pytest.mark.peer("ffprobe", "ffmpeg")]

CLIPS = {
    "whole": DrawnSource(seconds=3, width=128, height=72),
    "odd rate": DrawnSource(seconds=2.5, width=128, height=72, frame_rate=Fraction(30_000, 1001)),
    "silent": DrawnSource(seconds=2, width=128, height=72, has_sound=False),
}
PICTURES = {"whole": 75, "odd rate": 75, "silent": 50}


@pytest.fixture(scope="module", params=CLIPS)
def packaged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, Title]:
    out = tmp_path_factory.mktemp("titles") / "clock"
    return request.param, out, package(CLIPS[request.param], out, name="Moving clock", segment_seconds=1.0)


def decode(path: Path) -> None:
    """Decode every stream to nothing; FFmpeg must have nothing to complain about."""
    run = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0", "-f", "null", "-"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "")


def probe(path: Path) -> list[dict[str, Any]]:
    run = subprocess.run(
        ["ffprobe", "-v", "error", "-count_frames", "-show_entries",
         "stream=codec_type,height,nb_read_frames,start_time,duration", "-of", "json", str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stderr == ""
    streams: list[dict[str, Any]] = json.loads(run.stdout)["streams"]
    return streams


def check_pictures(streams: list[dict[str, Any]], clip: str, renditions: int) -> None:
    video = [each for each in streams if each["codec_type"] == "video"]
    assert len(video) == renditions
    assert {int(each["nb_read_frames"]) for each in video} == {PICTURES[clip]}
    assert {float(each["start_time"]) for each in video} == {0.0}


@pytest.mark.parametrize("manifest", ["manifest.mpd", "master.m3u8"])
def test_manifests(packaged: tuple[str, Path, Title], manifest: str) -> None:
    clip, out, title = packaged
    decode(out / manifest)
    streams = probe(out / manifest)
    check_pictures(streams, clip, len(title.renditions))
    assert {each["height"] for each in streams if each["codec_type"] == "video"} == {
        each.height for each in title.renditions
    }
    assert len(streams) - len(title.renditions) == (1 if title.audio else 0)


def test_progressive_files(packaged: tuple[str, Path, Title]) -> None:
    clip, out, title = packaged
    for rendition in title.renditions:
        path = out / rendition.progressive
        decode(path)
        streams = probe(path)
        check_pictures(streams, clip, 1)
        for each in streams:
            assert float(each["duration"]) == pytest.approx(title.seconds, abs=0.03)
            assert float(each["start_time"]) == pytest.approx(0, abs=0.001)


def test_real_footage(media: Path, tmp_path: Path) -> None:
    title = package(media / "mdn_flower_cc0.mp4", tmp_path / "flower", name="Flower", preset="ultrafast")
    assert [each.name for each in title.renditions] == ["240p", "360p", "540p"]
    for path in ("manifest.mpd", "master.m3u8", *(each.progressive for each in title.renditions)):
        decode(tmp_path / "flower" / path)
    (video, sound) = probe(tmp_path / "flower" / "progressive/540p.mp4")
    assert int(video["nb_read_frames"]) == 150
    assert float(video["duration"]) == pytest.approx(5.005, abs=0.001)
    assert float(sound["duration"]) == pytest.approx(5.055, abs=0.03)


def first_picture(path: Path, *filters: str) -> bytes:
    """The luma of the first picture, as FFmpeg shows it: upright."""
    run = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v:0", "-frames:v", "1", *filters,
         "-pix_fmt", "gray", "-f", "rawvideo", "-"],
        capture_output=True, check=True,
    )  # fmt: skip
    return run.stdout


# The matrix of a track header (14496-12, 8.3.2) whose numbers are 16.16 fixed point.
TURNS = {90: (0, 1, -1, 0), -90: (0, -1, 1, 0), 180: (-1, 0, 0, -1)}


@pytest.mark.parametrize("degrees", TURNS)
def test_a_recording_turned_on_its_side_is_shown_as_ffmpeg_shows_it(tmp_path: Path, degrees: int) -> None:
    flat = ["-f", "lavfi", "-i", "testsrc2=s=160x96:r=25:d=0.4", "-c:v", "libx264", "-qp", "10", "turned.mp4"]
    subprocess.run(["ffmpeg", "-v", "error", *flat], cwd=tmp_path, check=True)
    content = bytearray((tmp_path / "turned.mp4").read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40
    a, b, c, d = (each << 16 for each in TURNS[degrees])
    content[matrix : matrix + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    (tmp_path / "turned.mp4").write_bytes(content)
    title = package(tmp_path / "turned.mp4", tmp_path / "out", name="x")
    top = title.renditions[-1]
    shown = first_picture(tmp_path / "turned.mp4")
    ours = first_picture(tmp_path / "out" / top.progressive)
    assert len(shown) == len(ours) == 160 * 96
    assert top.width == (160 if degrees == 180 else 96)
    difference = sum(abs(a - b) for a, b in zip(shown, ours, strict=True)) / len(shown)
    assert difference < 16, "turned the other way, hardly a pixel would be alike"
