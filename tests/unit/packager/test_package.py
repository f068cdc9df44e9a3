"""A title appears whole or not at all."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest

from nearcast.model.title import Title
from nearcast.packager.faults import UnusableFolder, UnusableSource
from nearcast.packager.ladder import Rung
from nearcast.packager.package import Progress, package, part_of
from nearcast.packager.test_pattern import DrawnSource
from nearcast.wire.manifest import dash, hls

CLIP = DrawnSource(seconds=2, width=128, height=72)
URL = "http://www.movie.test/clock/"


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Title]:
    out = tmp_path_factory.mktemp("titles") / "clock"
    return out, package(CLIP, out, name="Moving clock", segment_seconds=1.0)


def test_the_title_names_every_file(packaged: tuple[Path, Title]) -> None:
    out, title = packaged
    there = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert set(title.paths()) | {"title.json"} == there


def test_the_title_is_what_its_json_says(packaged: tuple[Path, Title]) -> None:
    out, title = packaged
    assert Title.from_json((out / "title.json").read_text()) == title
    assert (title.name, title.seconds, title.segment_seconds) == ("Moving clock", 2.0, 1.0)
    assert [each.name for each in title.renditions] == ["34p", "50p", "72p"]


def test_both_manifests_name_the_same_segments(packaged: tuple[Path, Title]) -> None:
    out, title = packaged
    from_dash = dash.parse((out / "manifest.mpd").read_bytes(), URL + "manifest.mpd")
    from_hls = hls.parse_master((out / "master.m3u8").read_bytes(), URL + "master.m3u8")
    for one, other in zip(from_dash.representations, (*from_hls.video, *from_hls.audio), strict=True):
        assert other.playlist_url is not None
        other = hls.with_segments(other, (out / other.playlist_url.removeprefix(URL)).read_bytes())
        assert other.init_url == one.init_url
        assert [each.url for each in other.segments] == [each.url for each in one.segments]
    assert [each.bandwidth for each in from_dash.video] == [each.bandwidth for each in title.renditions]


def test_no_segment_is_larger_than_the_bandwidth_says(packaged: tuple[Path, Title]) -> None:
    out, title = packaged
    for track in (*title.renditions, title.audio):
        assert track is not None
        sizes = [
            (out / track.folder / f"{number}.m4s").stat().st_size for number in range(1, track.segments + 1)
        ]
        assert max(sizes[:2]) * 8 <= track.bandwidth * 1.03
        assert track.average_bandwidth <= track.bandwidth


def test_the_progressive_file_has_its_index_first_and_the_same_pictures(packaged: tuple[Path, Title]) -> None:
    out, title = packaged
    for rendition in title.renditions:
        path = out / rendition.progressive
        content = path.read_bytes()
        assert len(content) == rendition.progressive_bytes
        assert content.index(b"moov") < content.index(b"mdat")
        with av.open(str(path)) as container:
            assert [len(container.streams.video), len(container.streams.audio)] == [1, 1]
            whole = [bytes(packet) for packet in container.demux(video=0) if packet.size]
        first = (out / rendition.folder / "1.m4s").read_bytes()
        assert whole[0] in first and whole[10] in first
        assert len(whole) == 50


def test_progress_is_reported(tmp_path: Path) -> None:
    heard: list[Progress] = []
    package(CLIP, tmp_path / "clock", name="x", progress=heard.append)
    assert heard[0].stage == "encoding" and heard[-1].stage == "joining"
    assert [each.seconds_done for each in heard] == sorted(each.seconds_done for each in heard)
    assert {each.seconds_total for each in heard} == {2.0}


def test_a_title_replaces_an_older_one(tmp_path: Path) -> None:
    out = tmp_path / "clock"
    for name in ("first", "second"):
        package(DrawnSource(seconds=0.4, width=64, height=36), out, name=name)
    assert Title.from_json((out / "title.json").read_text()).name == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["clock"]


def test_a_folder_that_is_no_title_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "thesis.txt"
    precious.write_text("all of it")
    with pytest.raises(UnusableFolder, match="is not a title"):
        package(CLIP, tmp_path, name="x")
    assert precious.read_text() == "all of it"


def test_a_failure_leaves_nothing(tmp_path: Path, film: Callable[..., Path]) -> None:
    path = film(seconds=3, layout=None)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UnusableSource):
        package(path, tmp_path / "titles" / "half", name="x")
    assert list((tmp_path / "titles").iterdir()) == []


def test_an_interruption_leaves_nothing_and_the_old_title_stays(tmp_path: Path) -> None:
    out = tmp_path / "clock"
    package(DrawnSource(seconds=0.4, width=64, height=36), out, name="old")

    def interrupt(progress: Progress) -> None:
        if progress.seconds_done > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        package(CLIP, out, name="new", progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["clock"]
    assert Title.from_json((out / "title.json").read_text()).name == "old"


def test_what_a_killed_packager_left_is_cleared_away(tmp_path: Path) -> None:
    out = tmp_path / "clock"
    (part_of(out) / "v9").mkdir(parents=True)
    (part_of(out) / "stray").touch()
    package(DrawnSource(seconds=0.4, width=64, height=36), out, name="x")
    assert not (out / "v9").exists() and not (out / "stray").exists()


def test_two_packagers_do_not_build_the_same_title(tmp_path: Path) -> None:
    part = part_of(tmp_path / "clock")
    part.mkdir()
    other = os.open(part, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    try:
        with pytest.raises(UnusableFolder, match="another process"):
            package(CLIP, tmp_path / "clock", name="x")
        assert part.exists()
    finally:
        os.close(other)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnusableFolder, match="cannot be written"):
        package(CLIP, tmp_path / "file" / "clock", name="x")


@pytest.mark.parametrize("ladder", [(), (Rung(64, 36, 1000), Rung(48, 36, 1000))])
def test_rungs_share_no_name(tmp_path: Path, ladder: tuple[Rung, ...]) -> None:
    with pytest.raises(ValueError, match="a ladder needs rungs"):
        package(CLIP, tmp_path / "out", name="x", ladder=ladder)


def test_a_frame_rate_that_divides_nothing(tmp_path: Path, film: Callable[..., Path]) -> None:
    source = film(rate=Fraction(30_000, 1001), seconds=2)
    title = package(source, tmp_path / "out", name="x", segment_seconds=1.0)
    assert title.segment_seconds == pytest.approx(1.001)
    assert title.renditions[0].frame_rate == 29.97
