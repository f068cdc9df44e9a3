"""DASH manifests: ours as text, other people's as values, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from nearcast.wire.manifest import dash
from nearcast.wire.manifest.presentation import (
    MalformedManifest,
    Presentation,
    Representation,
    SegmentReference,
)

URL = "http://cdn.test/clock/manifest.mpd"


def mpd(inside: str, head: str = 'mediaPresentationDuration="PT10S"') -> str:
    return f'<MPD xmlns="{dash.NAMESPACE}" {head}><Period>{inside}</Period></MPD>'


def video(template: str, representation: str = '<Representation id="v" bandwidth="1000"/>') -> str:
    return f'<AdaptationSet contentType="video">{template}{representation}</AdaptationSet>'


def times_and_urls(text: str) -> list[tuple[Fraction, Fraction, str]]:
    (representation,) = dash.parse(text, URL).representations
    return [
        (each.start, each.seconds, each.url.removeprefix("http://cdn.test/clock/"))
        for each in representation.segments
    ]


def test_durations_are_counted_to_the_end_of_the_presentation() -> None:
    template = '<SegmentTemplate media="$RepresentationID$-$Number%05d$.m4s" duration="4"/>'
    assert times_and_urls(mpd(video(template))) == [
        (0, 4, "v-00001.m4s"),
        (4, 4, "v-00002.m4s"),
        (8, 2, "v-00003.m4s"),
    ]


def test_a_timeline_by_time_with_repeats_gap_and_open_end() -> None:
    template = (
        '<SegmentTemplate media="$Bandwidth$/$Time$" timescale="10" presentationTimeOffset="5">'
        '<SegmentTimeline><S t="5" d="20" r="1"/><S t="50" d="25" r="-1"/></SegmentTimeline>'
        "</SegmentTemplate>"
    )
    tenth = Fraction(1, 10)
    assert times_and_urls(mpd(video(template))) == [
        (0, 2, "1000/5"),
        (2, 2, "1000/25"),
        (45 * tenth, 25 * tenth, "1000/50"),
        (70 * tenth, 25 * tenth, "1000/75"),
        (95 * tenth, 25 * tenth, "1000/100"),
    ]


def test_base_urls_build_on_one_another() -> None:
    inner = (
        '<AdaptationSet mimeType="video/mp4"><BaseURL>set/</BaseURL>'
        '<SegmentTemplate media="$Number$" initialization="i" duration="10"/>'
        '<Representation id="v" bandwidth="1"><BaseURL>rep/</BaseURL></Representation></AdaptationSet>'
    )
    text = mpd("<BaseURL>//other.test/base/</BaseURL>" + inner)
    (representation,) = dash.parse(text, URL).representations
    assert representation.init_url == "http://other.test/base/set/rep/i"
    assert representation.segments[0].url == "http://other.test/base/set/rep/1"


def test_what_a_representation_does_not_say_its_set_may() -> None:
    text = mpd(
        '<AdaptationSet mimeType="video/mp4" codecs="avc1.64001f" frameRate="30000/1001" width="1280">'
        '<SegmentTemplate timescale="2" media="$Number$" duration="20"/>'
        '<Representation id="a" bandwidth="2" height="720"><SegmentTemplate media="own-$Number$"/>'
        "</Representation>"
        "</AdaptationSet>"
        '<AdaptationSet contentType="text"><Representation id="t" bandwidth="1"/></AdaptationSet>'
    )
    (representation,) = dash.parse(text.encode(), URL).representations
    assert (representation.width, representation.height) == (1280, 720)
    assert (representation.codecs, representation.frame_rate) == ("avc1.64001f", Fraction(30000, 1001))
    assert [each.url for each in representation.segments] == ["http://cdn.test/clock/own-1"]


def test_a_dollar_sign_is_doubled() -> None:
    assert dash.fill("$$5/$Number%03d$", "v", 1, 7) == "$5/007"


def test_a_duration_has_days_hours_minutes_and_seconds() -> None:
    template = '<SegmentTemplate media="$Number$" duration="100000"/>'
    read = dash.parse(mpd(video(template), 'mediaPresentationDuration="P1DT1H1M1.5S"'), URL)
    assert read.seconds == 86_400 + 3600 + 60 + Fraction(3, 2)


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
TEMPLATE = '<SegmentTemplate media="$Number$" duration="4"/>'


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("", "not XML"),
        ("<html>", "not XML"),
        ("<html/>", "root is 'html'"),
        (BOMB + "<MPD>&b;</MPD>", "document type"),
        ('<!DOCTYPE MPD SYSTEM "http://elsewhere.test/x.dtd"><MPD/>', "document type"),
        ("<MPD/>", "0 Periods"),
        ("<MPD><Period/><Period/></MPD>", "2 Periods"),
        ('<MPD type="dynamic"><Period/></MPD>', "live"),
        (mpd(""), "no picture and no sound"),
        (mpd(video("")), "no SegmentTemplate"),
        (mpd(video("<SegmentTemplate duration='4'/>")), "names no media"),
        (mpd(video('<SegmentTemplate media="$Number$"/>')), "neither a timeline nor durations"),
        (mpd(video(TEMPLATE), ""), "neither a timeline nor durations"),
        (mpd(video(TEMPLATE, '<Representation id="v"/>')), "no bandwidth"),
        (mpd(video(TEMPLATE.replace('"4"', '"four"'))), "not a number"),
        (mpd(video('<SegmentTemplate media="$Number$" duration="4" timescale="0"/>')), "timescale"),
        (mpd(video(TEMPLATE), 'mediaPresentationDuration="P1Y"'), "not a duration"),
        (mpd(video('<SegmentTemplate media="//[x" duration="4"/>')), "not a URL"),
        (mpd(video('<SegmentTemplate media="$Number$" initialization="$Time$" duration="4"/>')),
         "no meaning"),
        (mpd(video('<SegmentTemplate media="$Number$" timescale="1000000000" duration="1"/>')), "more than"),
        (mpd(video('<SegmentTemplate media="x"><SegmentTimeline><S d="1" r="99999999999"/></SegmentTimeline>'
                   "</SegmentTemplate>")), "more than"),
        (mpd(video('<SegmentTemplate media="x"><SegmentTimeline><S/></SegmentTimeline></SegmentTemplate>')),
         "no duration"),
        (mpd(video('<SegmentTemplate media="x"><SegmentTimeline><S d="1" r="-1"/></SegmentTimeline>'
                   "</SegmentTemplate>"), ""), "without end"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, because: str) -> None:
    with pytest.raises(MalformedManifest, match=because):
        dash.parse(text, URL)


def representation(name: str, *seconds: int) -> Representation:
    starts = [sum(seconds[:index]) for index in range(len(seconds))]
    segments = tuple(
        SegmentReference(f"{name}/{number}.m4s", Fraction(start), Fraction(length))
        for number, (start, length) in enumerate(zip(starts, seconds, strict=True), start=1)
    )
    return Representation(name, "video", 1000, "avc1.42c01e", f"{name}/init.mp4", segments)


def test_renditions_that_are_not_aligned_are_not_written() -> None:
    title = Presentation(Fraction(8), (representation("a", 4, 4), representation("b", 5, 3)))
    with pytest.raises(ValueError, match="not cut where"):
        dash.build(title)


def test_urls_beside_the_template_are_not_written() -> None:
    odd = replace(representation("a", 4), init_url="elsewhere.mp4")
    with pytest.raises(ValueError, match="do not follow"):
        dash.build(Presentation(Fraction(4), (odd,)))


def test_equal_durations_are_written_once() -> None:
    assert '<S t="0" d="4" r="2" />' in dash.build(
        Presentation(Fraction(12), (representation("a", 4, 4, 4),))
    )


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ('<?xml version="1.0" encoding="x"?><MPD/>', "not XML: unknown encoding"),
        ('<?xml version="1.0" encoding="utf-7"?><MPD/>', "not XML"),
        (f'<MPD xmlns="{"u" * 10_000}"/>', "an attribute of more than 8192 characters"),
        (f"<MPD>{'<a/>' * 300_001}</MPD>", "more than 300000 elements"),
        (mpd(video('<SegmentTemplate media="a" duration="9"/>', '<Representation bandwidth="1"/>' * 1001)),
         "more than 1000 representations"),
        (mpd(video(f'<SegmentTemplate media="{"$RepresentationID$" * 2}" duration="9"/>',
                   f'<Representation id="{"x" * 5000}" bandwidth="1"/>')), "a URL of more than 8192"),
        (mpd(f'<BaseURL>{"x" * 9000}</BaseURL>' + video('<SegmentTemplate media="a" duration="9"/>')),
         "a URL of more than 8192"),
        (mpd(f'<BaseURL>{"x" * 8000}/</BaseURL>' + video(
            '<SegmentTemplate media="$Number$"><SegmentTimeline><S d="1" r="9999"/></SegmentTimeline>'
            "</SegmentTemplate>")), "too long, each or together"),
    ],
    ids=range(8),
)  # fmt: skip
def test_what_takes_more_than_its_length_is_refused(text: str, because: str) -> None:
    with pytest.raises(MalformedManifest, match=because):
        dash.parse(text.encode(), URL)


def test_a_prefix_makes_no_difference() -> None:
    text = mpd(video('<SegmentTemplate media="$Number$" duration="4"/>'))
    prefixed = (
        text.replace("</", "</p:").replace("<", "<p:").replace("<p:/p:", "</p:").replace("xmlns=", "xmlns:p=")
    )
    assert dash.parse(prefixed, URL) == dash.parse(text, URL)
