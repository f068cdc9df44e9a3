"""DASH manifests (ISO/IEC 23009-1) of finished videos: written for our titles, read from anyone.

Written: one Period, one AdaptationSet for the picture and one for the sound, `SegmentTemplate` with
`$Number$` and an exact `SegmentTimeline`.
Read: static manifests of one Period with `SegmentTemplate`, by `$Number$` or `$Time$`, with a timeline
or a duration, inherited from any level, and `BaseURL`s. Subtitles and thumbnails are passed over.
Refused, with a clear `MalformedManifest`: live manifests, several Periods, `SegmentList`,
`SegmentBase`, and any document type, so that no entity is ever expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby
from math import ceil, lcm
from typing import Literal
from urllib.parse import urljoin
from xml.etree import ElementTree as ET

from nearcast.wire.manifest.presentation import (
    MANIFEST_BYTES_MAX,
    SEGMENTS_MAX,
    MalformedManifest,
    Presentation,
    Representation,
    SegmentReference,
)

NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
CHANNELS_SCHEME = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
INIT_TEMPLATE = "$RepresentationID$/init.mp4"
MEDIA_TEMPLATE = "$RepresentationID$/$Number$.m4s"

TrackKind = Literal["video", "audio"]
KINDS: dict[str, TrackKind] = {"video": "video", "audio": "audio"}

# ---------------------------------------------------------------- writing


def build(presentation: Presentation, *, init: str = INIT_TEMPLATE, media: str = MEDIA_TEMPLATE) -> str:
    """The text of a `.mpd`.

    Raises `ValueError` when the presentation's URLs are not those that the templates yield, or when
    representations of one kind are not cut at the same instants.
    """
    longest = max(segment.seconds for each in presentation.representations for segment in each.segments)
    mpd = ET.Element(
        "MPD",
        xmlns=NAMESPACE,
        profiles="urn:mpeg:dash:profile:isoff-live:2011",
        type="static",
        mediaPresentationDuration=_duration_text(presentation.seconds or Fraction(0)),
        maxSegmentDuration=_duration_text(longest),
        minBufferTime=_duration_text(longest),
    )
    period = ET.SubElement(mpd, "Period", id="0", start="PT0S")
    for kind, group in (("video", presentation.video), ("audio", presentation.audio)):
        if group:
            _build_set(period, kind, group, init, media)
    ET.indent(mpd)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(mpd, encoding="unicode") + "\n"


def _build_set(
    period: ET.Element, kind: str, group: tuple[Representation, ...], init: str, media: str
) -> None:
    adaptation = ET.SubElement(
        period,
        "AdaptationSet",
        id=str(len(period)),
        contentType=kind,
        mimeType=f"{kind}/mp4",
        segmentAlignment="true",
        startWithSAP="1",
    )
    times = [(segment.start, segment.seconds) for segment in group[0].segments]
    timescale = lcm(*(time.denominator for pair in times for time in pair))
    template = ET.SubElement(
        adaptation,
        "SegmentTemplate",
        timescale=str(timescale),
        initialization=init,
        media=media,
        startNumber="1",
    )
    _build_timeline(ET.SubElement(template, "SegmentTimeline"), times, timescale)
    for each in group:
        if [(segment.start, segment.seconds) for segment in each.segments] != times:
            raise ValueError(f"{each.id} is not cut where {group[0].id} is")
        _check_urls(each, init, media, timescale)
        adaptation.append(_build_representation(each))


def _build_timeline(timeline: ET.Element, times: list[tuple[Fraction, Fraction]], timescale: int) -> None:
    """5.3.9.6: runs of equal durations; `t` wherever a run does not follow the one before."""
    reached = None
    for duration, run in groupby(times, key=lambda pair: pair[1]):
        for start, count in _unbroken(list(run), duration):
            entry = ET.SubElement(timeline, "S")
            if start != reached:
                entry.set("t", str(int(start * timescale)))
            entry.set("d", str(int(duration * timescale)))
            if count > 1:
                entry.set("r", str(count - 1))
            reached = start + count * duration


def _unbroken(run: list[tuple[Fraction, Fraction]], duration: Fraction) -> Iterator[tuple[Fraction, int]]:
    """Split a run of equal durations where there is a gap: the start and length of each part."""
    first, count = run[0][0], 0
    for start, _ in run:
        if start != first + count * duration:
            yield first, count
            first, count = start, 0
        count += 1
    yield first, count


def _build_representation(each: Representation) -> ET.Element:
    written = {
        "id": each.id,
        "bandwidth": each.bandwidth,
        "codecs": each.codecs,
        "width": each.width,
        "height": each.height,
        "frameRate": each.frame_rate,
        "sar": "1:1" if each.width else None,
        "audioSamplingRate": each.sample_rate,
    }
    element = ET.Element(
        "Representation", {key: str(value) for key, value in written.items() if value is not None}
    )
    if each.channels is not None:
        ET.SubElement(
            element, "AudioChannelConfiguration", schemeIdUri=CHANNELS_SCHEME, value=str(each.channels)
        )
    return element


def _check_urls(each: Representation, init: str, media: str, timescale: int) -> None:
    expected = [fill(init, each.id, each.bandwidth)] + [
        fill(media, each.id, each.bandwidth, number, int(segment.start * timescale))
        for number, segment in enumerate(each.segments, start=1)
    ]
    if [each.init_url, *(segment.url for segment in each.segments)] != expected:
        raise ValueError(f"the URLs of {each.id} do not follow {init} and {media}")


def _duration_text(seconds: Fraction) -> str:
    return f"PT{float(seconds):.6f}".rstrip("0").rstrip(".") + "S"


# ---------------------------------------------------------------- templates (5.3.9.4.4)

_PLACEHOLDER = re.compile(r"\$(?:(RepresentationID|Bandwidth|Number|Time)(?:%0(\d{1,2})d)?)?\$")


def fill(
    template: str, representation: str, bandwidth: int, number: int | None = None, time: int | None = None
) -> str:
    """Replace the placeholders of a `SegmentTemplate`; `$$` is a dollar sign."""

    def value(match: re.Match[str]) -> str:
        name, width = match.groups()
        if name is None:
            return "$"
        if name == "RepresentationID":
            return representation
        chosen = {"Bandwidth": bandwidth, "Number": number, "Time": time}[name]
        if chosen is None:
            raise MalformedManifest(f"${name}$ has no meaning in {template!r}")
        return f"{chosen:0{int(width or 1)}d}"

    return _PLACEHOLDER.sub(value, template)


# ---------------------------------------------------------------- reading


class _NoDoctype(ET.TreeBuilder):
    """Entities can be defined only in a document type, which a manifest has no need of."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise MalformedManifest("a manifest with a document type is refused: it could hold entities")


def parse(text: str | bytes, url: str) -> Presentation:
    """Read the manifest found at `url`; all URLs in the result are resolved against it.

    Raises `MalformedManifest`.
    """
    mpd = _parse_xml(text)
    if mpd.tag != "MPD":
        raise MalformedManifest(f"not a DASH manifest: its root is {mpd.tag!r}")
    if mpd.get("type", "static") != "static":
        raise MalformedManifest("a live manifest; only finished videos can be played")
    periods = mpd.findall("Period")
    if len(periods) != 1:
        raise MalformedManifest(f"{len(periods)} Periods; exactly one can be played")
    period = periods[0]
    declared = period.get("duration") or mpd.get("mediaPresentationDuration")
    seconds = _parse_duration(declared) if declared else None
    base = _base(period, _base(mpd, url))
    representations: list[Representation] = []
    for adaptation in period.findall("AdaptationSet"):
        for each in adaptation.findall("Representation"):
            if (kind := _kind(adaptation, each)) is not None:
                room = SEGMENTS_MAX - sum(len(known.segments) for known in representations)
                where = _base(each, _base(adaptation, base))
                representations.append(
                    _parse_representation((each, adaptation, period), kind, where, seconds, room)
                )
    if not representations:
        raise MalformedManifest("no picture and no sound in the manifest")
    if seconds is None:
        last = (each.segments[-1] for each in representations)
        seconds = max(segment.start + segment.seconds for segment in last)
    return Presentation(seconds, tuple(representations))


def _parse_xml(text: str | bytes) -> ET.Element:
    if len(text) > MANIFEST_BYTES_MAX:
        raise MalformedManifest(f"a manifest of more than {MANIFEST_BYTES_MAX} bytes")
    parser = ET.XMLParser(target=_NoDoctype())
    try:
        parser.feed(text)
        root = parser.close()
    except (ET.ParseError, ValueError) as error:
        raise (
            error if isinstance(error, MalformedManifest) else MalformedManifest(f"not XML: {error}")
        ) from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _kind(adaptation: ET.Element, representation: ET.Element) -> TrackKind | None:
    for element in (adaptation, representation):
        for attribute in ("contentType", "mimeType"):
            word = element.get(attribute, "").partition("/")[0]
            if word in KINDS:
                return KINDS[word]
    return None


def _base(element: ET.Element, above: str) -> str:
    inner = element.findtext("BaseURL")
    return _join(above, inner.strip()) if inner else above


def _join(base: str, url: str) -> str:
    try:
        return urljoin(base, url)
    except ValueError as error:
        raise MalformedManifest(f"{url!r} is not a URL: {error}") from None


def _parse_representation(
    levels: tuple[ET.Element, ...], kind: TrackKind, base: str, seconds: Fraction | None, room: int
) -> Representation:
    """`levels`: the Representation, its AdaptationSet and its Period. What one does not say, the next may."""
    element = levels[0]
    name = element.get("id", "")
    bandwidth = _number(element, "bandwidth")
    if bandwidth is None:
        raise MalformedManifest(f"Representation {name!r} has no bandwidth")
    template = _Template(
        [each for level in levels if (each := level.find("SegmentTemplate")) is not None], name
    )
    init = template.attribute("initialization")
    channels = next(
        (each for level in levels if (each := level.find("AudioChannelConfiguration")) is not None), None
    )
    return Representation(
        id=name,
        kind=kind,
        bandwidth=bandwidth,
        codecs=_inherited(levels, "codecs") or "",
        init_url=_join(base, fill(init, name, bandwidth)) if init else None,
        segments=template.segments(base, bandwidth, seconds, room),
        width=_inherited_number(levels, "width"),
        height=_inherited_number(levels, "height"),
        frame_rate=_rate(_inherited(levels, "frameRate")),
        sample_rate=_inherited_number(levels, "audioSamplingRate"),
        channels=_number(channels, "value") if channels is not None and _is_count(channels) else None,
    )


class _Template:
    """The `SegmentTemplate`s of all levels seen as one, the innermost first (5.3.9.1)."""

    def __init__(self, levels: list[ET.Element], name: str) -> None:
        if not levels:
            raise MalformedManifest(
                f"Representation {name!r} has no SegmentTemplate; nothing else can be played"
            )
        self._levels, self._name = levels, name

    def attribute(self, name: str) -> str | None:
        return _inherited(self._levels, name)

    def segments(
        self, base: str, bandwidth: int, seconds: Fraction | None, room: int
    ) -> tuple[SegmentReference, ...]:
        """All segments, of which there may be `room` at most."""
        media = self.attribute("media")
        if not media:
            raise MalformedManifest(f"SegmentTemplate of {self._name!r} names no media")
        timescale = self._number("timescale", 1)
        if timescale < 1:
            raise MalformedManifest(f"timescale {timescale}")
        first, offset = self._number("startNumber", 1), self._number("presentationTimeOffset", 0)
        found: list[SegmentReference] = []
        for number, (time, duration) in enumerate(self._times(timescale, offset, seconds), start=first):
            if len(found) >= room:
                raise MalformedManifest(f"more than {SEGMENTS_MAX} segments")
            url = _join(base, fill(media, self._name, bandwidth, number, time))
            found.append(
                SegmentReference(url, Fraction(time - offset, timescale), Fraction(duration, timescale))
            )
        if not found:
            raise MalformedManifest(f"no segment in {self._name!r}")
        return tuple(found)

    def _times(self, timescale: int, offset: int, seconds: Fraction | None) -> Iterator[tuple[int, int]]:
        """Start and duration of each segment, in ticks."""
        end = None if seconds is None else offset + ceil(seconds * timescale)
        timeline = next(
            (each for level in self._levels if (each := level.find("SegmentTimeline")) is not None), None
        )
        if timeline is not None:
            yield from _timeline(timeline.findall("S"), end)
            return
        duration = self._number("duration", 0)
        if duration < 1 or end is None:
            raise MalformedManifest(f"neither a timeline nor durations in {self._name!r}")
        if end - offset > SEGMENTS_MAX * duration:
            raise MalformedManifest(f"more than {SEGMENTS_MAX} segments")
        for time in range(offset, end, duration):
            yield time, min(duration, end - time)

    def _number(self, name: str, default: int) -> int:
        value = _inherited_number(self._levels, name)
        return default if value is None else value


def _timeline(entries: list[ET.Element], end: int | None) -> Iterator[tuple[int, int]]:
    time = 0
    for index, entry in enumerate(entries):
        stated = _number(entry, "t")
        time = time if stated is None else stated
        duration, repeat = _number(entry, "d"), _number(entry, "r") or 0
        if duration is None or duration < 1:
            raise MalformedManifest("an entry of a SegmentTimeline has no duration")
        if repeat < 0:  # until the next entry, or the end
            following = _number(entries[index + 1], "t") if index + 1 < len(entries) else end
            if following is None:
                raise MalformedManifest("a SegmentTimeline without end")
            repeat = max(0, ceil(Fraction(following - time, duration)) - 1)
        if repeat >= SEGMENTS_MAX:
            raise MalformedManifest(f"more than {SEGMENTS_MAX} segments")
        for _ in range(repeat + 1):
            yield time, duration
            time += duration


def _inherited(levels: tuple[ET.Element, ...] | list[ET.Element], name: str) -> str | None:
    return next((value for level in levels if (value := level.get(name)) is not None), None)


def _inherited_number(levels: tuple[ET.Element, ...] | list[ET.Element], name: str) -> int | None:
    return next((value for level in levels if (value := _number(level, name)) is not None), None)


def _number(element: ET.Element, name: str) -> int | None:
    text = element.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"\s*-?[0-9]{1,18}\s*", text):
        raise MalformedManifest(f"{element.tag}@{name} is {text[:40]!r}, not a number")
    return int(text)


def _is_count(channels: ET.Element) -> bool:
    return channels.get("schemeIdUri") == CHANNELS_SCHEME


def _rate(text: str | None) -> Fraction | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}(/[1-9][0-9]{0,8}|\.[0-9]{1,9})?", text):
        raise MalformedManifest(f"frameRate is {text[:40]!r}")
    return Fraction(text)


_DURATION = re.compile(r"P(?:(\d{1,6})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,12})?)S)?)?")


def _parse_duration(text: str) -> Fraction:
    """An `xs:duration` without years and months, whose length nobody knows."""
    match = _DURATION.fullmatch(text.strip())
    if not match or not any(match.groups()):
        raise MalformedManifest(f"{text[:40]!r} is not a duration")
    days, hours, minutes, seconds = (Fraction(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
