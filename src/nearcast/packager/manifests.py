"""Writes what tells players about a title: `manifest.mpd`, `master.m3u8` and the media playlists.

Bandwidths are measured, not wished for: the largest segment tells what a line must carry. A segment
shorter than half a usual one says nothing about that and is left out (RFC 8216bis, 4.4.6.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

from nearcast.model.title import MANIFEST_DASH, MANIFEST_HLS
from nearcast.packager import audio
from nearcast.packager.transcode import Transcoded, TranscodedTrack
from nearcast.wire.manifest import dash, hls
from nearcast.wire.manifest.presentation import Presentation, Representation, SegmentReference


def write_manifests(folder: Path, presentation: Presentation) -> None:
    """Put all manifests of a title into its folder."""
    (folder / MANIFEST_DASH).write_text(dash.build(presentation))
    (folder / MANIFEST_HLS).write_text(hls.build_master(presentation))
    for each in presentation.representations:
        (folder / f"{each.playlist_url}").write_text(hls.build_media(each))


def presentation_of(transcoded: Transcoded, folder: Path) -> Presentation:
    """The title as its manifests are to show it; codecs are read from the init segments in `folder`."""
    tracks = [track for _, track in transcoded.renditions] + ([transcoded.sound] if transcoded.sound else [])
    return Presentation(max(track.seconds for track in tracks), tuple(_representations(transcoded, folder)))


def _representations(transcoded: Transcoded, folder: Path) -> Iterator[Representation]:
    for rung, track in transcoded.renditions:
        init = (folder / track.folder / "init.mp4").read_bytes()
        yield Representation(
            id=track.folder,
            kind="video",
            bandwidth=peak(track),
            average_bandwidth=average(track),
            codecs=avc_codecs(init),
            init_url=f"{track.folder}/init.mp4",
            playlist_url=f"{track.folder}/playlist.m3u8",
            segments=_references(track),
            width=rung.width,
            height=rung.height,
            frame_rate=transcoded.frame_rate,
        )
    if heard := transcoded.sound:
        yield Representation(
            id=heard.folder,
            kind="audio",
            bandwidth=peak(heard),
            average_bandwidth=average(heard),
            codecs=audio.CODECS,
            init_url=f"{heard.folder}/init.mp4",
            playlist_url=f"{heard.folder}/playlist.m3u8",
            segments=_references(heard),
            sample_rate=audio.SAMPLE_RATE,
            channels=audio.CHANNELS,
        )


def _references(track: TranscodedTrack) -> tuple[SegmentReference, ...]:
    starts = accumulate(track.segment_seconds, initial=Fraction(0))
    return tuple(
        SegmentReference(f"{track.folder}/{number}.m4s", start, seconds)
        for number, (start, seconds) in enumerate(zip(starts, track.segment_seconds, strict=False), start=1)
    )


def peak(track: TranscodedTrack) -> int:
    """The rate of the largest segment, bit/s."""
    usual = max(track.segment_seconds)
    return max(
        round(8 * size / seconds)
        for size, seconds in zip(track.segment_bytes, track.segment_seconds, strict=True)
        if seconds >= usual / 2
    )


def average(track: TranscodedTrack) -> int:
    """All segments over their whole duration, bit/s."""
    return max(1, round(8 * sum(track.segment_bytes) / track.seconds))


def avc_codecs(init: bytes) -> str:
    """RFC 6381, 3.3: profile, constraints and level, from the `avcC` box of an init segment."""
    configuration = init.index(b"avcC") + 4
    return "avc1." + init[configuration + 1 : configuration + 4].hex()
