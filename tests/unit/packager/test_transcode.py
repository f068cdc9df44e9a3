"""One decode becomes aligned renditions, whatever the source is like."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.video.frame import VideoFrame

from nearcast.packager.ladder import Rung
from nearcast.packager.source import RecordedSource, Source
from nearcast.packager.test_pattern import DrawnSource
from nearcast.packager.transcode import Transcoded, transcode

Film = Callable[..., Path]

TWO_RUNGS = (Rung(64, 36, 30_000), Rung(128, 72, 90_000))


def transcoded(
    source: Source, folder: Path, segment_seconds: float = 1.0, ladder: tuple[Rung, ...] | None = None
) -> Transcoded:
    return transcode(
        source,
        folder,
        ladder=ladder,
        segment_seconds=segment_seconds,
        preset="ultrafast",
        position=lambda _: None,
    )


def recorded(path: Path, folder: Path, **options: object) -> Transcoded:
    with RecordedSource(path) as source:
        return transcoded(source, folder, **options)  # type: ignore[arg-type]


def pictures(folder: Path, *segments: int) -> list[VideoFrame]:
    joined = folder / "joined.mp4"
    names = ["init.mp4", *(f"{number}.m4s" for number in segments)]
    joined.write_bytes(b"".join((folder / name).read_bytes() for name in names))
    with av.open(str(joined)) as container:
        return list(container.decode(video=0))


@pytest.mark.parametrize("rate", ["25", "30000/1001", "12.5"])
def test_the_segments_of_all_renditions_begin_at_the_same_instants(
    tmp_path: Path, rate: str, decode_times: Callable[[Path], list[Fraction]]
) -> None:
    clip = DrawnSource(seconds=2.4, width=128, height=72, frame_rate=Fraction(rate))
    made = transcoded(clip, tmp_path)
    assert len(made.renditions) == 3
    times = {tuple(decode_times(tmp_path / track.folder)) for _, track in made.renditions}
    length = round(Fraction(rate)) / Fraction(rate)
    assert times == {(0, length, 2 * length)}
    assert {track.segment_seconds for _, track in made.renditions} == {
        (length, length, round(Fraction("2.4") * Fraction(rate)) / Fraction(rate) - 2 * length)
    }


def test_each_segment_decodes_on_its_own(tmp_path: Path) -> None:
    made = transcoded(DrawnSource(seconds=2, width=128, height=72), tmp_path, ladder=TWO_RUNGS)
    for rung, track in made.renditions:
        alone = pictures(tmp_path / track.folder, 2)
        assert len(alone) == 25
        assert alone[0].key_frame
        assert (alone[0].width, alone[0].height) == (rung.width, rung.height)


def test_a_player_may_change_rendition_between_segments(tmp_path: Path) -> None:
    """The first pictures of a segment show the same instant in every rendition."""
    transcoded(DrawnSource(seconds=2, width=128, height=72), tmp_path, ladder=TWO_RUNGS)
    small, large = (pictures(tmp_path / folder, 2)[0] for folder in ("v36", "v72"))
    shrunk = large.reformat(64, 36)
    differences = [abs(a - b) for a, b in zip(*(_luma(each) for each in (small, shrunk)), strict=True)]
    assert sum(differences) / len(differences) < 12


def _luma(frame: VideoFrame) -> bytes:
    plane = frame.planes[0]
    rows = memoryview(plane).cast("B")
    return b"".join(
        rows[y * plane.line_size : y * plane.line_size + plane.width] for y in range(plane.height)
    )


def test_sound_accompanies_the_picture(
    tmp_path: Path, decode_times: Callable[[Path], list[Fraction]]
) -> None:
    made = transcoded(DrawnSource(seconds=2, width=128, height=72), tmp_path, ladder=TWO_RUNGS)
    assert made.sound is not None and made.sound.folder == "a128"
    assert float(made.sound.seconds) == pytest.approx(2.0, abs=0.03)
    priming = Fraction(1024, 48_000)
    begin_of_second = decode_times(tmp_path / "a128")[1] - priming
    assert 1 <= begin_of_second < 1 + priming


@pytest.mark.parametrize(
    "peculiarity",
    [
        {"layout": None},
        {"layout": "5.1"},
        {"layout": "mono", "sound_rate": 44_100},
        {"pix_fmt": "yuv420p10le"},
        {"pix_fmt": "yuv444p"},
        {"pix_fmt": "yuvj420p", "codec": "mjpeg"},
        {"pix_fmt": "rgb24", "codec": "png", "name": "screen.mov"},
        {"begin": 30.0, "name": "late.mkv"},
        {"width": 130, "height": 74},
    ],
    ids=str,
)
def test_peculiar_sources(tmp_path: Path, film: Film, peculiarity: dict[str, object]) -> None:
    made = recorded(film(**peculiarity), tmp_path / "out")
    _, largest = made.renditions[-1]
    assert float(largest.seconds) == pytest.approx(1.0, abs=0.05)
    shown = pictures(tmp_path / "out" / largest.folder, 1)
    assert shown[0].format.name == "yuv420p"
    assert len(shown) == 25
    if peculiarity.get("layout", "stereo") is None:
        assert made.sound is None
    else:
        assert made.sound is not None
        with av.open(_joined(tmp_path / "out" / "a128")) as container:
            assert container.streams.audio[0].layout.name == "stereo"


def _joined(folder: Path) -> str:
    (folder / "joined.mp4").write_bytes((folder / "init.mp4").read_bytes() + (folder / "1.m4s").read_bytes())
    return str(folder / "joined.mp4")


def test_wide_pixels_are_made_square(tmp_path: Path, film: Film) -> None:
    made = recorded(film(width=72, height=72, pixel_aspect=Fraction(16, 9)), tmp_path / "out")
    rung, track = made.renditions[-1]
    assert (rung.width, rung.height) == (128, 72)
    assert pictures(tmp_path / "out" / track.folder, 1)[0].width == 128


def test_a_recording_turned_on_its_side_is_set_upright(tmp_path: Path, film: Film) -> None:
    path = film(layout=None)
    content = bytearray(path.read_bytes())
    # The matrix of the track header (14496-12, 8.3.2) that turns by 90 degrees.
    matrix = content.index(b"tkhd") + 4 + 40
    content[matrix : matrix + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 72 << 16, 0, 1 << 30)
    path.write_bytes(content)
    made = recorded(path, tmp_path / "out")
    rung, _ = made.renditions[-1]
    assert (rung.width, rung.height) == (72, 128)


@pytest.mark.parametrize(
    ("name", "seconds", "top"),
    [
        ("mdn_flower_cc0.mp4", 5.005, "540p"),
        ("bbb_1080p60_2s.mp4", 2.0, "1080p"),
        ("sintel_1080p_10s.mp4", 10.0, "1080p"),
        ("bbb_480p_30s.mp4", 30.0, "480p"),
        ("intel_car-detection.mp4", 30.16, "432p"),
    ],
)
def test_real_footage(
    tmp_path: Path,
    media: Path,
    name: str,
    seconds: float,
    top: str,
    decode_times: Callable[[Path], list[Fraction]],
) -> None:
    small = (Rung(64, 36, 30_000), Rung(96, 54, 60_000), Rung(128, 72, 90_000))  # to be kind to the machine
    with RecordedSource(media / name) as source:
        made = transcoded(source, tmp_path, 4.0, small)
        from_header = source.seconds
    assert from_header == pytest.approx(seconds, abs=0.1)
    assert float(made.renditions[0][1].seconds) == pytest.approx(seconds, abs=0.05)
    assert len({tuple(decode_times(tmp_path / track.folder)) for _, track in made.renditions}) == 1
