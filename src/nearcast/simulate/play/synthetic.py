"""Films for a world without codecs: titles whose bytes are noise, as large as their bit rate says.

Cache, router and player never look inside a segment, so noise serves them as well as pictures do, and a
film of an hour takes no time to make. The manifests and `title.json` are real, and equal names give
equal bytes in every process.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction

from nearcast.model.title import MANIFEST_DASH, MANIFEST_HLS, TITLE_JSON, AudioTrack, Rendition, Title
from nearcast.wire.manifest import dash, hls
from nearcast.wire.manifest.presentation import Presentation, Representation, SegmentReference

RUNGS = ((360, 800_000), (540, 1_600_000), (720, 3_000_000))
AUDIO_BITS_PER_SECOND = 128_000
INIT_BYTES = 800
FRAME_RATE = Fraction(25)


def film(
    name: str,
    seconds: int = 20,
    *,
    segment_seconds: int = 4,
    rungs: Sequence[tuple[int, int]] = RUNGS,
    scale: float = 1.0,
) -> tuple[Title, Mapping[str, bytes]]:
    """The title called `name` and its files by path (`<name>/v720/1.m4s`).

    `rungs` are pairs of height and bit/s. `scale` shrinks the files (not the rates that the manifests
    announce) for worlds with very many viewers.
    """
    count = -(-seconds // segment_seconds)
    lengths = [Fraction(min(segment_seconds, seconds - n * segment_seconds)) for n in range(count)]
    tracks = [(f"v{height}", "video", height, bits) for height, bits in rungs]
    tracks.append(("a128", "audio", 0, AUDIO_BITS_PER_SECOND))
    presentation = Presentation(
        Fraction(seconds), tuple(_representation(*track, lengths) for track in tracks)
    )
    files: dict[str, bytes] = {}
    for each in presentation.representations:
        files[f"{each.id}/init.mp4"] = _noise(f"{name}/{each.id}/init", INIT_BYTES)
        for number, length in enumerate(lengths, start=1):
            size = max(1, int(each.bandwidth * length * Fraction(scale) / 8))
            files[f"{each.id}/{number}.m4s"] = _noise(f"{name}/{each.id}/{number}", size)
        files[f"{each.id}/playlist.m3u8"] = hls.build_media(each).encode()
    for height, bits in rungs:
        size = max(1, int((bits + AUDIO_BITS_PER_SECOND) * seconds * scale / 8))
        files[f"progressive/{height}p.mp4"] = _noise(f"{name}/progressive/{height}", size)
    files[MANIFEST_DASH] = dash.build(presentation).encode()
    files[MANIFEST_HLS] = hls.build_master(presentation).encode()
    title = _title(name, seconds, segment_seconds, presentation, files)
    files[TITLE_JSON] = title.to_json().encode()
    return title, {f"{name}/{path}": octets for path, octets in files.items()}


def _noise(seed: str, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def _representation(
    folder: str, kind: str, height: int, bits: int, lengths: Sequence[Fraction]
) -> Representation:
    starts = [sum(lengths[:n], Fraction(0)) for n in range(len(lengths))]
    references = tuple(
        SegmentReference(f"{folder}/{number}.m4s", start, length)
        for number, (start, length) in enumerate(zip(starts, lengths, strict=True), start=1)
    )
    if kind == "audio":
        return Representation(
            id=folder, kind="audio", bandwidth=bits, average_bandwidth=bits, codecs="mp4a.40.2",
            init_url=f"{folder}/init.mp4", playlist_url=f"{folder}/playlist.m3u8", segments=references,
            sample_rate=48_000, channels=2,
        )  # fmt: skip
    return Representation(
        id=folder, kind="video", bandwidth=bits, average_bandwidth=bits, codecs="avc1.64001f",
        init_url=f"{folder}/init.mp4", playlist_url=f"{folder}/playlist.m3u8", segments=references,
        width=height * 16 // 9, height=height, frame_rate=FRAME_RATE,
    )  # fmt: skip


def _title(
    name: str, seconds: int, segment_seconds: int, presentation: Presentation, files: Mapping[str, bytes]
) -> Title:
    renditions = []
    for each in presentation.video:
        assert each.width and each.height
        progressive = f"progressive/{each.height}p.mp4"
        renditions.append(
            Rendition(
                folder=each.id,
                bandwidth=each.bandwidth,
                average_bandwidth=each.bandwidth,
                codecs=each.codecs,
                segments=len(each.segments),
                name=f"{each.height}p",
                width=each.width,
                height=each.height,
                frame_rate=float(FRAME_RATE),
                progressive=progressive,
                progressive_bytes=len(files[progressive]),
            )
        )
    sound = presentation.audio[0]
    return Title(
        name=name,
        seconds=seconds,
        segment_seconds=segment_seconds,
        renditions=tuple(renditions),
        audio=AudioTrack(
            folder=sound.id, bandwidth=sound.bandwidth, average_bandwidth=sound.bandwidth,
            codecs=sound.codecs, segments=len(sound.segments), sample_rate=48_000, channels=2,
        ),
    )  # fmt: skip
