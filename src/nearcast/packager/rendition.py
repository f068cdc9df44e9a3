"""Encodes one rendition of the picture into segments: H.264 in fragmented MP4 (CMAF).

Every segment begins with an IDR picture and refers to nothing outside of itself (closed GOP, no scene
cuts), and its length is a fixed number of pictures. All renditions get the same pictures, so their
segments begin and end at the same instants, and a player may change rendition at each of them.
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.frame import PictureType, VideoFrame

from nearcast.packager.cut import Cutter
from nearcast.packager.ladder import Rung

PEAK_FACTOR = 1.25
THREADS = max(1, min(8, len(os.sched_getaffinity(0)) // 2))
"""x264's own threads per rendition: few, for the renditions are encoded side by side."""
FRAGMENTED = "+frag_keyframe+empty_moov+default_base_moof+cmaf+delay_moov"


class RenditionEncoder:
    """One rung's encoder, writing `init.mp4` and `1.m4s`… into `folder`."""

    def __init__(
        self,
        rung: Rung,
        folder: Path,
        frame_rate: Fraction,
        frames_per_segment: int,
        *,
        preset: str,
    ) -> None:
        self.rung, self.folder = rung, folder
        self._preset = preset
        self._frame_rate, self._frames_per_segment = frame_rate, frames_per_segment
        self._cutter = Cutter(folder)
        self._container: OutputContainer = av.open(
            self._cutter,
            "w",
            format="mp4",
            options={"movflags": FRAGMENTED, "video_track_timescale": str(timescale(frame_rate))},
        )
        self._stream = self._container.add_stream("libx264", rate=frame_rate, options=self._x264_options())
        self._stream.width, self._stream.height, self._stream.pix_fmt = rung.width, rung.height, "yuv420p"
        self._stream.bit_rate = rung.bit_rate
        context = self._stream.codec_context
        context.time_base = 1 / frame_rate
        context.sample_aspect_ratio = Fraction(1)
        self.frames = 0

    def _x264_options(self) -> dict[str, str]:
        length = self._frames_per_segment
        return {
            "preset": self._preset,
            "profile": "high",
            "forced-idr": "1",
            "maxrate": str(round(self.rung.bit_rate * PEAK_FACTOR)),
            "bufsize": str(self.rung.bit_rate * 2),
            "x264-params": f"keyint={length}:min-keyint={length}:scenecut=0:open-gop=0:threads={THREADS}",
        }

    def encode(self, frame: VideoFrame) -> None:
        """Encode the next picture."""
        if self.frames == 0:
            self._take_colours(frame)
        # What the source's encoder chose is of no interest; only the segments' beginnings are ours.
        begins = self.frames % self._frames_per_segment == 0
        frame.pict_type = PictureType.I if begins else PictureType.NONE
        frame.pts, frame.time_base = self.frames, 1 / self._frame_rate
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def _take_colours(self, first: VideoFrame) -> None:
        """Say in the stream what its colours mean: only the scaled picture knows."""
        context = self._stream.codec_context
        context.colorspace, context.color_range = first.colorspace, first.color_range
        context.color_primaries, context.color_trc = first.color_primaries, first.color_trc

    def finish(self) -> list[int]:
        """Write what is left; returns the bytes of each segment."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._cutter.segment_bytes

    def abandon(self) -> None:
        """Release the encoder after a failure; what it wrote is thrown away by others."""
        self._container.close()


def timescale(frame_rate: Fraction) -> int:
    """Ticks per second in which every picture's duration is a whole number."""
    ticks = frame_rate.numerator
    return ticks if ticks >= 10_000 else ticks * 1000
