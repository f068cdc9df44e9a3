"""HLS playlists (RFC 8216bis) of finished videos: written for our titles, read from anyone.

A title has one master playlist and a media playlist per representation. Written: fragmented MP4 with
`EXT-X-MAP`, version 7. Read: those, and MPEG-TS playlists as well, for a segment is a segment.
Refused, with a clear `MalformedManifest`: playlists without `EXT-X-ENDLIST` (live), encryption, byte
ranges, and more than one `EXT-X-MAP`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from nearcast.wire.manifest.presentation import (
    MANIFEST_BYTES_MAX,
    SEGMENTS_MAX,
    MalformedManifest,
    Presentation,
    Representation,
    SegmentReference,
    Urls,
)

AUDIO_GROUP = "sound"

# ---------------------------------------------------------------- writing


def build_master(presentation: Presentation) -> str:
    """The master playlist. Each video representation becomes a variant together with the first sound.

    Here, unlike in DASH, `BANDWIDTH` counts what a viewer fetches in all: picture and sound (4.3.4.2).
    """
    sound = next(iter(presentation.audio), None)
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if sound:
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{AUDIO_GROUP}",NAME="{sound.id}",DEFAULT=YES,AUTOSELECT=YES'
            + (f',CHANNELS="{sound.channels}"' if sound.channels else "")
            + f',URI="{sound.playlist_url}"'
        )
    for each in presentation.video:
        lines += [f"#EXT-X-STREAM-INF:{_variant_attributes(each, sound)}", f"{each.playlist_url}"]
    return "\n".join(lines) + "\n"


def _variant_attributes(each: Representation, sound: Representation | None) -> str:
    together = [each, sound] if sound else [each]
    codecs = ",".join(one.codecs for one in together)
    attributes = [f"BANDWIDTH={sum(one.bandwidth for one in together)}"]
    averages = [one.average_bandwidth for one in together if one.average_bandwidth is not None]
    if len(averages) == len(together):
        attributes.append(f"AVERAGE-BANDWIDTH={sum(averages)}")
    attributes.append(f'CODECS="{codecs}"')
    if each.width and each.height:
        attributes.append(f"RESOLUTION={each.width}x{each.height}")
    if each.frame_rate:
        attributes.append(f"FRAME-RATE={float(each.frame_rate):.3f}")
    if sound:
        attributes.append(f'AUDIO="{AUDIO_GROUP}"')
    return ",".join(attributes)


def build_media(representation: Representation) -> str:
    """The media playlist of one representation, to stand at its `playlist_url`; URLs are relative to that."""
    here = posixpath.dirname(representation.playlist_url or "")
    longest = max(segment.seconds for segment in representation.segments)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(1, int(longest + Fraction(1, 2)))}",
        "#EXT-X-MEDIA-SEQUENCE:1",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{_relative(representation.init_url or "", here)}"',
    ]
    for segment in representation.segments:
        lines += [f"#EXTINF:{float(segment.seconds):.6f},", _relative(segment.url, here)]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def _relative(url: str, folder: str) -> str:
    return posixpath.relpath(url, folder) if folder else url


# ---------------------------------------------------------------- reading


def parse_master(text: str | bytes, url: str) -> Presentation:
    """Read the master playlist found at `url`: representations without segments yet.

    Raises `MalformedManifest`; also for a media playlist, which has no variants.
    """
    urls = Urls()
    found: list[Representation] = []
    pending: dict[str, str] | None = None
    for line in _lines(text):
        if line.startswith("#EXT-X-MEDIA:"):
            found += _rendition(_attributes(line), url, urls)
        elif line.startswith("#EXT-X-STREAM-INF:"):
            pending = _attributes(line)
        elif not line.startswith("#") and pending is not None:
            found.append(_variant(pending, line, url, urls))
            pending = None
        elif line.startswith("#EXTINF:"):
            raise MalformedManifest("a media playlist where a master playlist was expected")
    if not any(each.kind == "video" for each in found):
        raise MalformedManifest("no variant in the master playlist")
    return Presentation(None, tuple(found))


def parse_media(text: str | bytes, url: str) -> tuple[str | None, tuple[SegmentReference, ...]]:
    """Read the media playlist found at `url`: the init segment's URL, if there is one, and the segments.

    Raises `MalformedManifest`.
    """
    urls = Urls()
    init_url: str | None = None
    segments: list[SegmentReference] = []
    start, seconds, ended = Fraction(0), None, False
    for line in _lines(text):
        if line.startswith("#EXTINF:"):
            seconds = _decimal(line[8:].partition(",")[0])
        elif line.startswith("#EXT-X-MAP:"):
            init_url = _map(_attributes(line), init_url, url, urls)
        elif line.startswith("#EXT-X-ENDLIST"):
            ended = True
        elif line.startswith("#EXT-X-STREAM-INF:"):
            raise MalformedManifest("a master playlist where a media playlist was expected")
        elif line.startswith("#"):
            _refuse(line)
        else:
            if seconds is None:
                raise MalformedManifest(f"the segment {line[:80]!r} has no duration")
            if len(segments) == SEGMENTS_MAX:
                raise MalformedManifest(f"more than {SEGMENTS_MAX} segments")
            segments.append(SegmentReference(urls.join(url, line), start, seconds))
            start, seconds = start + seconds, None
    if not ended:
        raise MalformedManifest("a live playlist; only finished videos can be played")
    if not segments:
        raise MalformedManifest("no segment in the playlist")
    return init_url, tuple(segments)


def with_segments(representation: Representation, text: str | bytes) -> Representation:
    """The representation completed by its media playlist, which was found at its `playlist_url`."""
    init_url, segments = parse_media(text, representation.playlist_url or "")
    return replace(representation, init_url=init_url, segments=segments)


def _lines(text: str | bytes) -> Iterator[str]:
    if len(text) > MANIFEST_BYTES_MAX:
        raise MalformedManifest(f"a playlist of more than {MANIFEST_BYTES_MAX} bytes")
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedManifest("a playlist that is not UTF-8") from None
    lines = re.split(r"\r?\n", text)
    if lines[0].rstrip() != "#EXTM3U":
        raise MalformedManifest("not an HLS playlist: it does not begin with #EXTM3U")
    return (line.strip() for line in lines[1:] if line.strip())


# A value without quotes takes the blanks behind it along: only one way leads through an attribute.
_ATTRIBUTE = re.compile(r'\s*([A-Z0-9-]+)=(?:"([^"]*)"\s*|([^",]*))(?:,|\Z)')


def _attributes(line: str) -> dict[str, str]:
    """An attribute list (4.2), quotes removed."""
    at, found = line.index(":") + 1, {}
    while at < len(line):
        match = _ATTRIBUTE.match(line, at)
        if not match:
            raise MalformedManifest(f"not an attribute list: {line[:120]!r}")
        name, quoted, plain = match.groups()
        found[name] = plain if quoted is None else quoted
        at = match.end()
    return found


def _rendition(attributes: dict[str, str], url: str, urls: Urls) -> list[Representation]:
    """`EXT-X-MEDIA`: a sound of its own. Without a URI it is part of the variants' segments."""
    uri = attributes.get("URI")
    if attributes.get("TYPE") != "AUDIO" or not uri:
        return []
    channels = attributes.get("CHANNELS", "").partition("/")[0]
    return [
        Representation(
            id=attributes.get("NAME", ""),
            kind="audio",
            bandwidth=0,  # HLS does not say; it is contained in the variants'
            codecs="",
            playlist_url=urls.join(url, uri),
            channels=int(channels) if re.fullmatch(r"[0-9]{1,3}", channels) else None,
        )
    ]


def _variant(attributes: dict[str, str], uri: str, url: str, urls: Urls) -> Representation:
    width, height = _resolution(attributes.get("RESOLUTION"))
    average, rate = attributes.get("AVERAGE-BANDWIDTH"), attributes.get("FRAME-RATE")
    if "BANDWIDTH" not in attributes:
        raise MalformedManifest(f"the variant {uri[:80]!r} has no BANDWIDTH")
    return Representation(
        id=uri,
        kind="video",
        bandwidth=_integer(attributes["BANDWIDTH"]),
        codecs=attributes.get("CODECS", ""),
        playlist_url=urls.join(url, uri),
        average_bandwidth=None if average is None else _integer(average),
        width=width,
        height=height,
        frame_rate=None if rate is None else _decimal(rate),
    )


def _map(attributes: dict[str, str], known: str | None, url: str, urls: Urls) -> str:
    if "BYTERANGE" in attributes or "URI" not in attributes:
        raise MalformedManifest("an EXT-X-MAP that is not a whole file")
    found = urls.join(url, attributes["URI"])
    if known not in (None, found):
        raise MalformedManifest("more than one EXT-X-MAP")
    return found


def _refuse(line: str) -> None:
    if line.startswith("#EXT-X-KEY:") and _attributes(line).get("METHOD") != "NONE":
        raise MalformedManifest("an encrypted playlist; it cannot be played here")
    if line.startswith("#EXT-X-BYTERANGE"):
        raise MalformedManifest("segments that are byte ranges of a file cannot be played here")


def _resolution(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    match = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", text)
    if not match:
        raise MalformedManifest(f"RESOLUTION is {text[:40]!r}")
    return int(match[1]), int(match[2])


def _integer(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise MalformedManifest(f"{text[:40]!r} is not a number")
    return int(text)


def _decimal(text: str) -> Fraction:
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{0,12})?", text.strip()):
        raise MalformedManifest(f"{text[:40]!r} is not a number of seconds")
    return Fraction(text.strip())
