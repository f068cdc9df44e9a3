"""A title: one video, packaged, as the origin holds it and the CDN names it.

A title is a folder. Everything in it is immutable once it has its name, and every path below is
relative to it, with `/` between the parts, so that it can be used in a URL as it stands:

    title.json             this noun
    manifest.mpd           DASH, all renditions
    master.m3u8            HLS, all renditions
    v720/init.mp4          how to decode the segments of one rendition
    v720/playlist.m3u8     HLS, one rendition
    v720/1.m4s …           its segments, numbered from 1
    a128/…                 the same for the sound
    progressive/720p.mp4   the whole rendition with sound, as one file

DASH and HLS name the same segments; the progressive files hold the same encoded pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nearcast.model.faults import Mistake, OperatorFault

MANIFEST_DASH = "manifest.mpd"
MANIFEST_HLS = "master.m3u8"
TITLE_JSON = "title.json"

Bits = Annotated[int, Field(gt=0)]
CountFromOne = Annotated[int, Field(ge=1)]
Folder = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*$")]


class _Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Track(_Noun):
    """What all segmented tracks have: a folder of segments and what it takes to send and decode them."""

    folder: Folder
    bandwidth: Bits
    """The rate of the largest segment, bit/s: what a viewer's line must carry."""
    average_bandwidth: Bits
    """All segments over their whole duration, bit/s."""
    codecs: str
    """RFC 6381, for example `avc1.64001f`."""
    segments: CountFromOne

    def paths(self) -> Iterator[str]:
        """Every path of this track's folder, in the order of playing."""
        yield f"{self.folder}/playlist.m3u8"
        yield f"{self.folder}/init.mp4"
        for number in range(1, self.segments + 1):
            yield f"{self.folder}/{number}.m4s"


class Rendition(_Track):
    """One picture size and bit rate of a title."""

    name: Annotated[str, Field(pattern=r"^[1-9][0-9]*p$")]
    """The shorter side of the picture, as people say it: `720p`."""
    width: CountFromOne
    height: CountFromOne
    frame_rate: Annotated[float, Field(gt=0)]
    """Pictures per second."""
    progressive: Annotated[str, Field(pattern=r"^progressive/[1-9][0-9]*p\.mp4$")]
    """The path of the whole rendition with sound in one file."""
    progressive_bytes: CountFromOne


class AudioTrack(_Track):
    """The sound of a title, shared by all renditions."""

    sample_rate: CountFromOne
    """Samples per second."""
    channels: CountFromOne


class Title(_Noun):
    """One packaged video. `renditions` runs from the smallest to the largest."""

    name: Annotated[str, Field(min_length=1)]
    """What people call it: "Moving clock"."""
    seconds: Annotated[float, Field(gt=0)]
    segment_seconds: Annotated[float, Field(gt=0)]
    """How long every segment of the picture is, save the last."""
    renditions: Annotated[tuple[Rendition, ...], Field(min_length=1)]
    audio: AudioTrack | None = None

    def rendition(self, name: str) -> Rendition | None:
        """The rendition people call `name` (`720p`), or None."""
        return next((each for each in self.renditions if each.name == name), None)

    def paths(self) -> Iterator[str]:
        """Every path that viewers may ask for: what a push sends to all places."""
        yield MANIFEST_DASH
        yield MANIFEST_HLS
        for rendition in self.renditions:
            yield from rendition.paths()
        if self.audio:
            yield from self.audio.paths()
        for rendition in self.renditions:
            yield rendition.progressive

    def to_json(self) -> str:
        """The text of `title.json`."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Title:
        """Read `title.json`; raises `OperatorFault` with every mistake in it."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            mistakes = [
                Mistake(".".join(map(str, each["loc"])) or TITLE_JSON, each["input"], each["msg"])
                for each in error.errors(include_url=False)
            ]
            raise OperatorFault(
                f"{TITLE_JSON} does not describe a title; package it again", mistakes
            ) from None
