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
from typing import Literal, NamedTuple
from xml.etree import ElementTree as ET
from xml.parsers import expat

from nearcast.wire.manifest.presentation import (
    MANIFEST_BYTES_MAX,
    SEGMENTS_MAX,
    URL_CHARS_MAX,
    MalformedManifest,
    Presentation,
    Representation,
    SegmentReference,
    Urls,
)

NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
CHANNELS_SCHEME = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
INIT_TEMPLATE = "$RepresentationID$/init.mp4"
MEDIA_TEMPLATE = "$RepresentationID$/$Number$.m4s"

# What a level says counts again for every representation below it: bounded, so that reading a manifest
# takes time and memory in proportion to its length.
ELEMENTS_MAX = 3 * SEGMENTS_MAX
REPRESENTATIONS_MAX = 1000
ATTRIBUTE_CHARS_MAX = URL_CHARS_MAX

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
    """Replace the placeholders of a `SegmentTemplate`; `$$` is a dollar sign. MalformedManifest when one
    has no meaning, or when what comes out is too long for a URL."""

    def value(match: re.Match[str]) -> str:
        name, width = match.groups()
        if name is None:
            return "$"
        if name == "RepresentationID":
            return representation
        chosen = {"Bandwidth": bandwidth, "Number": number, "Time": time}[name]
        if chosen is None:
            raise MalformedManifest(f"${name}$ has no meaning in {template[:80]!r}")
        return f"{chosen:0{int(width or 1)}d}"

    filled = _PLACEHOLDER.sub(value, template)
    if len(filled) > URL_CHARS_MAX:
        raise MalformedManifest(f"a URL of more than {URL_CHARS_MAX} characters")
    return filled


# ---------------------------------------------------------------- reading


class _Level(NamedTuple):
    """A Period, an AdaptationSet or a Representation, looked through once for all that inherit from it."""

    element: ET.Element
    base: str
    template: ET.Element | None
    timeline: list[ET.Element] | None  # the entries of the template's SegmentTimeline
    channels: ET.Element | None


def _level(element: ET.Element, above: str, urls: Urls) -> _Level:
    """`above` is the base URL of the level around this one."""
    template = element.find("SegmentTemplate")
    timeline = None if template is None else template.find("SegmentTimeline")
    return _Level(
        element,
        _base(element, above, urls),
        template,
        None if timeline is None else timeline.findall("S"),
        element.find("AudioChannelConfiguration"),
    )


def parse(text: str | bytes, url: str) -> Presentation:
    """Read the manifest found at `url`; all URLs in the result are resolved against it.

    Raises `MalformedManifest`.
    """
    mpd, urls = _parse_xml(text), Urls()
    if mpd.tag != "MPD":
        raise MalformedManifest(f"not a DASH manifest: its root is {mpd.tag[:80]!r}")
    if mpd.get("type", "static") != "static":
        raise MalformedManifest("a live manifest; only finished videos can be played")
    periods = mpd.findall("Period")
    if len(periods) != 1:
        raise MalformedManifest(f"{len(periods)} Periods; exactly one can be played")
    declared = periods[0].get("duration") or mpd.get("mediaPresentationDuration")
    seconds = _parse_duration(declared) if declared else None
    period = _level(periods[0], _base(mpd, url, urls), urls)
    representations: list[Representation] = []
    room = SEGMENTS_MAX
    for each in period.element.findall("AdaptationSet"):
        adaptation = _level(each, period.base, urls)
        for element in each.findall("Representation"):
            if (kind := _kind(each, element)) is None:
                continue
            if len(representations) == REPRESENTATIONS_MAX:
                raise MalformedManifest(f"more than {REPRESENTATIONS_MAX} representations")
            levels = _level(element, adaptation.base, urls), adaptation, period
            representations.append(_parse_representation(levels, kind, seconds, room, urls))
            room -= len(representations[-1].segments)
    if not representations:
        raise MalformedManifest("no picture and no sound in the manifest")
    if seconds is None:
        last = (each.segments[-1] for each in representations)
        seconds = max(segment.start + segment.seconds for segment in last)
    return Presentation(seconds, tuple(representations))


class _Tree:
    """Builds the tree of a document, names without their prefixes.

    Namespaces are left unread: with them, every element would carry a name as long as its namespace's.
    Entities can be defined only in a document type, which a manifest has no need of.
    """

    def __init__(self) -> None:
        self._builder = ET.TreeBuilder()
        self._elements = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > ELEMENTS_MAX:
            raise MalformedManifest(f"more than {ELEMENTS_MAX} elements")
        if any(len(value) > ATTRIBUTE_CHARS_MAX for value in attributes.values()):
            raise MalformedManifest(f"an attribute of more than {ATTRIBUTE_CHARS_MAX} characters")
        self._builder.start(name.rpartition(":")[2], attributes)

    def end(self, name: str) -> None:
        self._builder.end(name.rpartition(":")[2])

    def data(self, text: str) -> None:
        self._builder.data(text)

    def doctype(self, name: str, system: str | None, public: str | None, internal: bool) -> None:
        raise MalformedManifest("a manifest with a document type is refused: it could hold entities")

    def close(self) -> ET.Element:
        return self._builder.close()


def _parse_xml(text: str | bytes) -> ET.Element:
    if len(text) > MANIFEST_BYTES_MAX:
        raise MalformedManifest(f"a manifest of more than {MANIFEST_BYTES_MAX} bytes")
    tree, parser = _Tree(), expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.data
    parser.StartDoctypeDeclHandler = tree.doctype
    try:
        parser.Parse(text, True)
    except MalformedManifest:
        raise
    except (expat.ExpatError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        raise MalformedManifest(f"not XML: {error}") from None
    return tree.close()


def _kind(adaptation: ET.Element, representation: ET.Element) -> TrackKind | None:
    for element in (adaptation, representation):
        for attribute in ("contentType", "mimeType"):
            word = element.get(attribute, "").partition("/")[0]
            if word in KINDS:
                return KINDS[word]
    return None


def _base(element: ET.Element, above: str, urls: Urls) -> str:
    inner = element.findtext("BaseURL")
    return urls.join(above, inner.strip()) if inner else above


def _parse_representation(
    levels: tuple[_Level, ...], kind: TrackKind, seconds: Fraction | None, room: int, urls: Urls
) -> Representation:
    """`levels`: the Representation, its AdaptationSet and its Period. What one does not say, the next may."""
    elements = [level.element for level in levels]
    name = elements[0].get("id", "")
    bandwidth = _number(elements[0], "bandwidth")
    if bandwidth is None:
        raise MalformedManifest(f"Representation {name[:80]!r} has no bandwidth")
    template = _Template(levels, name)
    init = template.attribute("initialization")
    channels = next((level.channels for level in levels if level.channels is not None), None)
    return Representation(
        id=name,
        kind=kind,
        bandwidth=bandwidth,
        codecs=_inherited(elements, "codecs") or "",
        init_url=urls.join(levels[0].base, fill(init, name, bandwidth)) if init else None,
        segments=template.segments(bandwidth, seconds, room, urls),
        width=_inherited_number(elements, "width"),
        height=_inherited_number(elements, "height"),
        frame_rate=_rate(_inherited(elements, "frameRate")),
        sample_rate=_inherited_number(elements, "audioSamplingRate"),
        channels=_number(channels, "value") if channels is not None and _is_count(channels) else None,
    )


class _Template:
    """The `SegmentTemplate`s of all levels seen as one, the innermost first (5.3.9.1)."""

    def __init__(self, levels: tuple[_Level, ...], name: str) -> None:
        self._templates = [level.template for level in levels if level.template is not None]
        if not self._templates:
            raise MalformedManifest(
                f"Representation {name[:80]!r} has no SegmentTemplate; nothing else can be played"
            )
        self._timeline = next((level.timeline for level in levels if level.timeline is not None), None)
        self._base, self._name = levels[0].base, name

    def attribute(self, name: str) -> str | None:
        return _inherited(self._templates, name)

    def segments(
        self, bandwidth: int, seconds: Fraction | None, room: int, urls: Urls
    ) -> tuple[SegmentReference, ...]:
        """All segments, of which there may be `room` at most."""
        media = self.attribute("media")
        if not media:
            raise MalformedManifest(f"SegmentTemplate of {self._name[:80]!r} names no media")
        timescale = self._number("timescale", 1)
        if timescale < 1:
            raise MalformedManifest(f"timescale {timescale}")
        first, offset = self._number("startNumber", 1), self._number("presentationTimeOffset", 0)
        found: list[SegmentReference] = []
        for number, (time, duration) in enumerate(self._times(timescale, offset, seconds), start=first):
            if len(found) >= room:
                raise MalformedManifest(f"more than {SEGMENTS_MAX} segments")
            url = urls.join(self._base, fill(media, self._name, bandwidth, number, time))
            found.append(
                SegmentReference(url, Fraction(time - offset, timescale), Fraction(duration, timescale))
            )
        if not found:
            raise MalformedManifest(f"no segment in {self._name[:80]!r}")
        return tuple(found)

    def _times(self, timescale: int, offset: int, seconds: Fraction | None) -> Iterator[tuple[int, int]]:
        """Start and duration of each segment, in ticks."""
        end = None if seconds is None else offset + ceil(seconds * timescale)
        if self._timeline is not None:
            yield from _timeline(self._timeline, end)
            return
        duration = self._number("duration", 0)
        if duration < 1 or end is None:
            raise MalformedManifest(f"neither a timeline nor durations in {self._name[:80]!r}")
        if end - offset > SEGMENTS_MAX * duration:
            raise MalformedManifest(f"more than {SEGMENTS_MAX} segments")
        for time in range(offset, end, duration):
            yield time, min(duration, end - time)

    def _number(self, name: str, default: int) -> int:
        value = _inherited_number(self._templates, name)
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


def _inherited(levels: list[ET.Element], name: str) -> str | None:
    return next((value for level in levels if (value := level.get(name)) is not None), None)


def _inherited_number(levels: list[ET.Element], name: str) -> int | None:
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
