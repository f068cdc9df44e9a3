"""What is written into a manifest is what is read from it; what is no manifest is refused, never a crash."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from urllib.parse import urljoin

from hypothesis import given
from hypothesis import strategies as st

from nearcast.wire.manifest import dash, hls
from nearcast.wire.manifest.presentation import (
    MalformedManifest,
    Presentation,
    Representation,
    SegmentReference,
)

URL = "https://s07.movie.cdn.test/titles/clock/manifest"

rates = st.sampled_from([Fraction(25), Fraction(24000, 1001), Fraction(25, 2), Fraction(60)])
bits = st.integers(1, 100_000_000)


@st.composite
def cuts(draw: st.DrawFn) -> list[Fraction]:
    """Segment durations in whole pictures; runs of equal ones, as real titles have."""
    rate = draw(rates)
    runs = draw(st.lists(st.tuples(st.integers(1, 300), st.integers(1, 20)), min_size=1, max_size=5))
    return [pictures / rate for pictures, count in runs for _ in range(count)]


def references(folder: str, durations: list[Fraction]) -> tuple[SegmentReference, ...]:
    starts = accumulate(durations, initial=Fraction(0))
    return tuple(
        SegmentReference(f"{folder}/{number}.m4s", start, seconds)
        for number, (start, seconds) in enumerate(zip(starts, durations, strict=False), start=1)
    )


@st.composite
def presentations(draw: st.DrawFn) -> Presentation:
    durations = draw(cuts())
    heights = draw(st.lists(st.integers(2, 4000), min_size=1, max_size=5, unique=True))
    found = [
        Representation(
            f"v{height}", "video", draw(bits), "avc1.64001f", f"v{height}/init.mp4",
            references(f"v{height}", durations), f"v{height}/playlist.m3u8", draw(bits),
            draw(st.integers(2, 8000)), height, draw(rates),
        )
        for height in heights
    ]  # fmt: skip
    if draw(st.booleans()):
        frames = [Fraction(1024 * count, 48_000) for count in draw(st.lists(st.integers(1, 400), min_size=1))]
        found.append(
            Representation(
                "a128", "audio", draw(bits), "mp4a.40.2", "a128/init.mp4", references("a128", frames),
                "a128/playlist.m3u8", draw(bits), sample_rate=48_000, channels=2,
            )
        )  # fmt: skip
    # Manifests state the whole to the microsecond.
    return Presentation(Fraction(round(sum(durations) * 10**6), 10**6), tuple(found))


def resolved(each: Representation) -> Representation:
    return replace(
        each,
        init_url=urljoin(URL, each.init_url or ""),
        playlist_url=urljoin(URL, each.playlist_url or ""),
        segments=tuple(replace(segment, url=urljoin(URL, segment.url)) for segment in each.segments),
    )


@given(presentations())
def test_dash_says_exactly_what_was_meant(written: Presentation) -> None:
    read = dash.parse(dash.build(written), URL)
    assert read.seconds == written.seconds
    expected = [
        replace(resolved(each), playlist_url=None, average_bandwidth=None)
        for each in (*written.video, *written.audio)
    ]
    assert list(read.representations) == expected


@given(presentations())
def test_hls_says_what_was_meant_to_the_microsecond(written: Presentation) -> None:
    read = hls.parse_master(hls.build_master(written), URL)
    sound = next(iter(written.audio), None)
    by_playlist = {each.playlist_url: each for each in read.representations}
    assert len(by_playlist) == len(written.representations)
    for meant in map(resolved, written.representations):
        found = hls.with_segments(by_playlist[meant.playlist_url], hls.build_media(meant))
        assert found.init_url == meant.init_url
        assert [each.url for each in found.segments] == [each.url for each in meant.segments]
        for one, other in zip(found.segments, meant.segments, strict=True):
            assert abs(one.seconds - other.seconds) < Fraction(1, 10**6)
        if meant.kind == "video":
            assert found.bandwidth == meant.bandwidth + (sound.bandwidth if sound else 0)
            assert (found.width, found.height) == (meant.width, meant.height)


@given(presentations())
def test_the_target_duration_holds(written: Presentation) -> None:
    """RFC 8216, 4.3.3.1: no EXTINF, rounded, is above it."""
    for each in written.representations:
        lines = hls.build_media(each).splitlines()
        target = next(int(line.partition(":")[2]) for line in lines if "TARGETDURATION" in line)
        durations = [float(line[8:-1]) for line in lines if line.startswith("#EXTINF:")]
        assert all(int(seconds + 0.5) <= target for seconds in durations)


def _torn(text: str) -> st.SearchStrategy[str]:
    """The text with a piece taken out, or something put in."""
    places = st.integers(0, len(text))
    return st.builds(
        lambda a, b, piece: text[: min(a, b)] + piece + text[max(a, b) :], places, places, st.text(max_size=8)
    )


TITLE = Presentation(
    Fraction(8),
    (
        Representation(
            "v72", "video", 1000, "avc1.42c01e", "v72/init.mp4", references("v72", [Fraction(4)] * 2),
            "v72/playlist.m3u8", 900, 128, 72, Fraction(25),
        ),
    ),
)  # fmt: skip


@given(_torn(dash.build(TITLE)))
def test_a_torn_dash_manifest_is_read_or_refused(text: str) -> None:
    try:
        dash.parse(text, URL)
    except MalformedManifest:
        pass


@given(_torn(hls.build_master(TITLE)), _torn(hls.build_media(TITLE.representations[0])))
def test_torn_hls_playlists_are_read_or_refused(master: str, media: str) -> None:
    for parse, text in ((hls.parse_master, master), (hls.parse_media, media)):
        try:
            parse(text, URL)
        except MalformedManifest:
            pass
