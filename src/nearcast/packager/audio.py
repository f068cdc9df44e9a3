"""Encodes the sound of a title into segments: AAC, stereo, 48 kHz, in fragmented MP4 (CMAF).

The segments follow the picture's: an AAC frame belongs to the segment in which it begins to sound, so
sound segment n and picture segment n never differ by more than one frame of 21 ms, however long the
title is. FFmpeg's muxer can cut sound only after a fixed duration, and four seconds are not a whole
number of AAC frames; so the fragments are written here. A fragment of AAC is a plain thing: every
sample has the same duration and is its own entry point (ISO/IEC 14496-12, 8.8).

The first frame holds what the encoder needs to get going and is not to be heard; an edit list in the
init segment says so, and time 0 is the frame after it.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import av.filter
from av.audio.frame import AudioFrame
from av.container import OutputContainer

from nearcast.packager.cut import HEAD, boxes

SAMPLE_RATE = 48_000
CHANNELS = 2
BIT_RATE = 128_000
FRAME_SAMPLES = 1024
CODECS = "mp4a.40.2"

FOLDER = f"a{BIT_RATE // 1000}"


class AudioEncoder:
    """Takes decoded sound of any rate and layout, writes `init.mp4` and `1.m4s`… into `folder`."""

    def __init__(self, folder: Path, segment_seconds: Fraction) -> None:
        folder.mkdir(parents=True)
        self._folder, self._segment_seconds = folder, segment_seconds
        self._init = io.BytesIO()
        self._container: OutputContainer = av.open(
            self._init,
            "w",
            format="mp4",
            options={"movflags": "+empty_moov+default_base_moof+cmaf+delay_moov"},
        )
        self._stream = self._container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo", bit_rate=BIT_RATE)
        self._even: Evener | None = None
        self._frames_before = 0
        self._pending: list[bytes] = []
        self._frames_seen = 0
        self.segment_bytes: list[int] = []
        self.segment_seconds: list[Fraction] = []

    def encode(self, frame: AudioFrame) -> None:
        """Encode the next sound."""
        if self._even is None:
            self._even = Evener(frame)
        self._take(self._even.push(frame))

    def finish(self) -> None:
        """Write what is left."""
        if self._even is not None:
            self._take(self._even.push(None))
        for packet in self._stream.encode(None):
            self._add(packet)
        if self._pending:
            self._write_segment()
        self._container.close()
        head = b"".join(box for kind, box in boxes(self._init.getvalue()) if kind in HEAD)
        (self._folder / "init.mp4").write_bytes(head)

    def abandon(self) -> None:
        """Release the encoder after a failure."""
        self._container.close()

    def _take(self, frames: Iterable[AudioFrame]) -> None:
        for frame in frames:
            for packet in self._stream.encode(frame):
                self._add(packet)

    def _add(self, packet: av.Packet[Any]) -> None:
        number = len(self.segment_bytes) + 1
        if _sounds_at(self._frames_seen) >= number * self._segment_seconds:
            self._write_segment()
        self._pending.append(bytes(packet))
        if self._frames_seen == 0:
            self._container.mux(packet)  # one frame is enough to learn what the init segment must say
        self._frames_seen += 1

    def _write_segment(self) -> None:
        number = len(self.segment_bytes) + 1
        segment = fragment(number, self._frames_before * FRAME_SAMPLES, self._pending)
        (self._folder / f"{number}.m4s").write_bytes(segment)
        self.segment_bytes.append(len(segment))
        self.segment_seconds.append(_sounds_at(self._frames_seen) - _sounds_at(self._frames_before))
        self._frames_before, self._pending = self._frames_seen, []


class Evener:
    """Sound of any kind in, 48 kHz stereo without gaps from time 0 out."""

    def __init__(self, first: AudioFrame) -> None:
        self._graph = graph = av.filter.Graph()
        self._source = graph.add_abuffer(
            sample_rate=first.sample_rate,
            format=first.format.name,
            layout=first.layout.name,
            time_base=first.time_base,
        )
        self._sink = graph.add("abuffersink")
        graph.link_nodes(
            self._source,
            graph.add("aresample", f"{SAMPLE_RATE}:async=1000:first_pts=0"),
            graph.add("aformat", "sample_fmts=fltp:channel_layouts=stereo"),
            graph.add("asetnsamples", f"n={FRAME_SAMPLES}:p=0"),
            self._sink,
        )
        graph.configure()

    def push(self, frame: AudioFrame | None) -> Iterable[AudioFrame]:
        """Take the next sound, None at the end; yields frames for the encoder."""
        self._source.push(frame)
        while True:
            try:
                ready = self._sink.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            assert isinstance(ready, AudioFrame)
            yield ready


def _sounds_at(frames: int) -> Fraction:
    """When the sound of the frame after so many frames begins, in seconds; the first one is not heard."""
    return Fraction(max(0, frames - 1) * FRAME_SAMPLES, SAMPLE_RATE)


def fragment(sequence: int, decode_time: int, frames: list[bytes]) -> bytes:
    """One `moof` and its `mdat`: `frames` of equal duration, from `decode_time` in samples."""
    # tfhd (8.8.7): duration and flags of all samples here; offsets count from this moof.
    tfhd = _full_box(b"tfhd", 0, 0x020000 | 0x08 | 0x20, struct.pack(">III", 1, FRAME_SAMPLES, 0x02000000))
    tfdt = _full_box(b"tfdt", 1, 0, struct.pack(">Q", decode_time))
    sizes = struct.pack(f">{len(frames)}I", *map(len, frames))
    mfhd = _full_box(b"mfhd", 0, 0, struct.pack(">I", sequence))

    def moof(data_offset: int) -> bytes:
        # trun (8.8.8): where the samples begin, and the size of each.
        trun = _full_box(b"trun", 0, 0x01 | 0x200, struct.pack(">Ii", len(frames), data_offset) + sizes)
        return _box(b"moof", mfhd + _box(b"traf", tfhd + tfdt + trun))

    return moof(len(moof(0)) + 8) + _box(b"mdat", b"".join(frames))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _full_box(kind: bytes, version: int, flags: int, content: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags) + content)
