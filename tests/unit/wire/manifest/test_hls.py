"""HLS playlists: ours as text, other people's as values, and what is refused."""

from __future__ import annotations

from fractions import Fraction

import pytest

from nearcast.wire.manifest import hls
from nearcast.wire.manifest.presentation import (
    MalformedManifest,
    Presentation,
    Representation,
    SegmentReference,
)

URL = "http://cdn.test/clock/master.m3u8"

SOUND = Representation(
    "a128",
    "audio",
    130_000,
    "mp4a.40.2",
    playlist_url="a128/playlist.m3u8",
    average_bandwidth=128_000,
    channels=2,
)
PICTURE = Representation(
    "v360", "video", 900_000, "avc1.42c01e", "v360/init.mp4",
    (
        SegmentReference("v360/1.m4s", Fraction(0), Fraction(4004, 1000)),
        SegmentReference("v360/2.m4s", Fraction(4004, 1000), Fraction(1)),
    ),
    "v360/playlist.m3u8", 800_000, 640, 360, Fraction(30000, 1001),
)  # fmt: skip


def test_the_master_playlist_as_text() -> None:
    assert hls.build_master(Presentation(Fraction(5004, 1000), (PICTURE, SOUND))) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="a128",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",'
        'URI="a128/playlist.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=1030000,AVERAGE-BANDWIDTH=928000,CODECS="avc1.42c01e,mp4a.40.2",'
        'RESOLUTION=640x360,FRAME-RATE=29.970,AUDIO="sound"\n'
        "v360/playlist.m3u8\n"
    )


def test_a_media_playlist_as_text() -> None:
    assert hls.build_media(PICTURE) == (
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:1\n"
        "#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MAP:URI="init.mp4"\n'
        "#EXTINF:4.004000,\n1.m4s\n#EXTINF:1.000000,\n2.m4s\n#EXT-X-ENDLIST\n"
    )


def test_a_foreign_master_playlist() -> None:
    text = (
        "#EXTM3U\r\n# made elsewhere\r\n"
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="English",URI="subs.m3u8"\r\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="muxed"\r\n'
        '#EXT-X-STREAM-INF: CODECS="avc1.4d401f,mp4a.40.2",BANDWIDTH=2000000,RESOLUTION=1280x720\r\n'
        "../hi/index.m3u8?token=1,2\r\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=500000\r\n\r\n"
        "http://other.test/lo.m3u8\r\n"
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="iframes.m3u8"\r\n'
    )
    low, high = hls.parse_master(text.encode(), URL).video
    assert (high.playlist_url, high.width) == ("http://cdn.test/hi/index.m3u8?token=1,2", 1280)
    assert high.codecs == "avc1.4d401f,mp4a.40.2"
    assert (low.playlist_url, low.bandwidth) == ("http://other.test/lo.m3u8", 500_000)


def test_a_foreign_media_playlist_of_transport_streams() -> None:
    text = (
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9.5,title\nseg0.ts\n#EXTINF:3,\n/seg1.ts\n#EXT-X-ENDLIST"
    )
    init_url, segments = hls.parse_media(text, URL)
    assert init_url is None
    assert segments == (
        SegmentReference("http://cdn.test/clock/seg0.ts", Fraction(0), Fraction(19, 2)),
        SegmentReference("http://cdn.test/seg1.ts", Fraction(19, 2), Fraction(3)),
    )


def media(*lines: str, end: str = "#EXT-X-ENDLIST") -> str:
    return "\n".join(["#EXTM3U", *lines, end, ""])


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("", "does not begin with"),
        ("<html>", "does not begin with"),
        (b"#EXTM3U\n\xff", "not UTF-8"),
        (media("#EXTINF:4,", "1.ts", end=""), "live"),
        (media(), "no segment"),
        (media("1.ts"), "no duration"),
        (media("#EXTINF:four,", "1.ts"), "not a number of seconds"),
        (media("#EXTINF:-4,", "1.ts"), "not a number of seconds"),
        (media('#EXT-X-KEY:METHOD=AES-128,URI="key"', "#EXTINF:4,", "1.ts"), "encrypted"),
        (media("#EXTINF:4,", "#EXT-X-BYTERANGE:5@0", "1.ts"), "byte ranges"),
        (media('#EXT-X-MAP:URI="i",BYTERANGE="5@0"', "#EXTINF:4,", "1.m4s"), "not a whole file"),
        (media('#EXT-X-MAP:URI="i"', "#EXTINF:4,", "1", '#EXT-X-MAP:URI="j"'), "more than one"),
        (media("#EXT-X-MAP:=", "#EXTINF:4,", "1"), "not an attribute list"),
        (media("#EXTINF:4,", "http://[x"), "not a URL"),
        (media("#EXT-X-STREAM-INF:BANDWIDTH=1", "x.m3u8"), "a master playlist"),
    ],
)
def test_media_playlists_that_are_refused(text: str | bytes, because: str) -> None:
    with pytest.raises(MalformedManifest, match=because):
        hls.parse_media(text, URL)


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("hello", "does not begin with"),
        (media(), "no variant"),
        (media("#EXTINF:4,", "1.ts"), "a media playlist"),
        (media("#EXT-X-STREAM-INF:RESOLUTION=1x1", "x.m3u8"), "no BANDWIDTH"),
        (media("#EXT-X-STREAM-INF:BANDWIDTH=lots", "x.m3u8"), "not a number"),
        (media("#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=big", "x.m3u8"), "RESOLUTION"),
        (media("#EXT-X-STREAM-INF:bandwidth", "x.m3u8"), "not an attribute list"),
    ],
)
def test_master_playlists_that_are_refused(text: str, because: str) -> None:
    with pytest.raises(MalformedManifest, match=because):
        hls.parse_master(text, URL)


def test_attributes_may_have_blanks_around_them() -> None:
    text = '#EXTM3U\n#EXT-X-STREAM-INF: CODECS="a, b" , BANDWIDTH=5 ,RESOLUTION=1x2,\nv.m3u8\n'
    (variant,) = hls.parse_master(text.replace("5 ,", "5,"), URL).representations
    assert (variant.codecs, variant.bandwidth, variant.height) == ("a, b", 5, 2)


def test_urls_have_a_bound_each_and_together() -> None:
    def playlist(url: str, segments: int) -> str:
        return "#EXTM3U\n" + f"#EXTINF:1,\n{url}\n" * segments + "#EXT-X-ENDLIST\n"

    with pytest.raises(MalformedManifest, match="a URL of more than 8192 characters"):
        hls.parse_media(playlist("x" * 8193, 1), URL)
    with pytest.raises(MalformedManifest, match="too long, each or together"):
        hls.parse_media(playlist("a", 9000), "http://cdn.test/" + "x" * 8000 + "/")
