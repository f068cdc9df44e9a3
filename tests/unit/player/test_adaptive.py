"""Adaptive viewings: manifests, renditions, bandwidths that change."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from nearcast.player.adaptive import by_name, tracks_of
from nearcast.player.bandwidth import Profile
from nearcast.wire.manifest.presentation import Presentation, Representation


def test_every_segment_of_picture_and_sound_is_fetched_once_in_order(town: Any, segments_of: Any) -> None:
    viewing = town.watch()
    assert viewing.mode == "dash"
    assert viewing.film_seconds == 12
    for kind in ("video", "audio"):
        assert [each.number for each in segments_of(viewing, kind)] == [1, 2, 3, 4, 5, 6]


def test_picture_and_sound_are_fetched_in_turn(town: Any) -> None:
    kinds = [each.kind for each in town.watch().fetched if each.kind in ("video", "audio")]
    assert kinds == ["video", "audio"] * 6


def test_each_rendition_begins_with_its_init_segment(town: Any) -> None:
    fetched = [each for each in town.watch().fetched if each.kind in ("init", "video")]
    for before, after in pairwise(fetched):
        if after.kind == "video" and after.rendition != before.rendition:
            raise AssertionError(f"{after.url} follows {before.url}")


@pytest.mark.parametrize("path", ["/clock", "/clock/", "/clock/manifest.mpd", "/clock?x=1"])
def test_a_folder_means_its_manifest(town: Any, path: str) -> None:
    viewing = town.watch(f"http://www.movie.test{path}")
    assert viewing.complete
    assert viewing.fetched[0].url.partition("?")[0] == "http://www.movie.test/clock/manifest.mpd"


def test_hls_gets_the_same_segments(town: Any, segments_of: Any) -> None:
    viewing = town.watch("http://www.movie.test/clock/master.m3u8")
    assert viewing.complete
    assert viewing.mode == "hls"
    assert len(segments_of(viewing)) == len(segments_of(viewing, "audio")) == 6


def test_a_fast_line_gets_the_highest_rendition_soon(town: Any, segments_of: Any) -> None:
    viewing = town.watch()
    assert [each.rendition for each in segments_of(viewing)] == ["360p"] + ["720p"] * 5
    assert [(choice.number, choice.rendition) for choice in viewing.switches] == [(2, "720p")]


def test_a_slow_line_stays_with_the_lowest(town: Any, segments_of: Any) -> None:
    viewing = town.watch(bandwidth=Profile.constant(800e3))
    assert viewing.complete
    assert {each.rendition for each in segments_of(viewing)} == {"360p"}
    assert viewing.bits_per_second == pytest.approx(800e3, rel=0.2)


def test_when_the_bandwidth_falls_and_rises_the_rendition_does(town: Any, segments_of: Any) -> None:
    profile = Profile([(0, 6e6), (0.4, 300e3), (9, 6e6)])
    viewing = town.watch(bandwidth=profile)
    assert viewing.complete
    heights = [int((each.rendition or "0p")[:-1]) for each in segments_of(viewing)]
    lowest = heights.index(min(heights[1:]), 1)
    assert max(heights[:lowest]) > heights[lowest] < max(heights[lowest:])
    assert any(choice.reason.startswith("down:") for choice in viewing.switches)
    assert any(choice.reason.startswith("up:") for choice in viewing.switches)


def test_a_maximum_is_kept(town: Any, segments_of: Any) -> None:
    viewing = town.watch(bandwidth_max=1_000_000)
    assert {each.rendition for each in segments_of(viewing)} == {"360p", "540p"}


def test_an_outage_of_the_line_is_seen_as_a_standstill(town: Any) -> None:
    viewing = town.watch(bandwidth=Profile([(0, 3e6), (1, 0), (31, 3e6)]))
    assert viewing.complete
    assert viewing.stalls == 1
    assert 20 < viewing.rebuffer_seconds < 31


def test_in_real_time_no_more_is_fetched_ahead_than_the_buffer_holds(town: Any, segments_of: Any) -> None:
    viewing = town.watch(realtime=True, buffer_seconds=4)
    assert 12 < viewing.seconds < 12.5
    assert viewing.rebuffer_seconds == 0
    for each in segments_of(viewing):
        assert each.at + 4.2 > (each.number or 0) * 2


def test_as_fast_as_possible_does_not_wait(town: Any) -> None:
    viewing = town.watch()
    assert viewing.seconds < 1
    assert viewing.startup_ms and viewing.startup_ms < 500


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"<html>404</html>",
        b"\xff\xfe",
        b"<MPD/>",
        b'<!DOCTYPE x><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>',
    ],
)
def test_a_bad_manifest_ends_the_viewing_with_a_sentence(town: Any, manifest: bytes) -> None:
    town.servers[0].objects["/clock/manifest.mpd"] = manifest
    town.objects["/clock/manifest.mpd"] = manifest
    viewing = town.watch()
    assert not viewing.complete
    assert viewing.reached
    assert "cannot be played" in (viewing.problem or "")


def test_a_manifest_that_names_what_cannot_be_asked_for_is_bad(town: Any) -> None:
    manifest = town.servers[0].objects["/clock/manifest.mpd"]
    manifest = manifest.replace(b'media="$', b'media="https://a.test/$')
    town.servers[0].objects["/clock/manifest.mpd"] = town.objects["/clock/manifest.mpd"] = manifest
    assert "https" in (town.watch().problem or "")


def test_a_bad_playlist_ends_the_viewing_with_a_sentence(town: Any) -> None:
    town.servers[0].objects["/clock/v360/playlist.m3u8"] = b"#EXTM3U"
    town.objects["/clock/v360/playlist.m3u8"] = b"#EXTM3U"
    viewing = town.watch("http://www.movie.test/clock/master.m3u8")
    assert "the playlist" in (viewing.problem or "")


def test_what_is_kept_is_the_film(town: Any) -> None:
    kept: dict[str, bytearray] = {}

    class AdaptiveTrack:
        def __init__(self, kind: str) -> None:
            self.octets = kept[kind] = bytearray()

        def write(self, octets: bytes) -> None:
            self.octets += octets

        def restart(self) -> None:
            raise AssertionError("segments never start over")

    town.watch(keep_for=AdaptiveTrack, bandwidth_max=500_000)
    for kind, folder in (("video", "v360"), ("audio", "a64")):
        names = ["init.mp4", *(f"{number}.m4s" for number in range(1, 7))]
        assert kept[kind] == b"".join(town.objects[f"/clock/{folder}/{name}"] for name in names)


def test_each_rendition_that_begins_to_play_is_kept_apart(town: Any) -> None:
    kept: list[tuple[str, bytearray]] = []

    class Stretch:
        def __init__(self, kind: str) -> None:
            self.octets = bytearray()
            kept.append((kind, self.octets))

        def write(self, octets: bytes) -> None:
            self.octets += octets

        def restart(self) -> None:
            raise AssertionError("segments never start over")

    town.watch(keep_for=Stretch)
    assert [kind for kind, _ in kept] == ["video", "audio", "video"]
    names = ["init.mp4", *(f"{number}.m4s" for number in range(2, 7))]
    assert kept[2][1] == b"".join(town.objects[f"/clock/v720/{name}"] for name in names)


def rendition(name: str, bandwidth: int, height: int | None, kind: Any = "video") -> Representation:
    return Representation(name, kind, bandwidth, "", width=height and height * 2, height=height)


def test_renditions_are_called_by_their_shorter_side_unless_two_share_it() -> None:
    group = (rendition("a", 1, 360), rendition("b", 2, 720), rendition("c", 3, 720), rendition("d", 4, None))
    assert list(by_name(group)) == ["360p", "b", "c", "d"]


def test_of_several_sounds_the_best_is_played_and_sound_alone_is_played_too() -> None:
    sounds = (rendition("low", 1, None, "audio"), rendition("high", 2, None, "audio"))
    both = tracks_of(Presentation(Fraction(1), (rendition("v", 9, 360), *sounds)))
    assert {kind: list(names) for kind, names in both.items()} == {"video": ["360p"], "audio": ["high"]}
    assert list(tracks_of(Presentation(Fraction(1), sounds))["audio"]) == ["low", "high"]
