"""One decoded picture in, one picture per rung out: upright, evenly timed, 8 bits, square pixels.

FFmpeg's filters do the work. The graph is built from the first frame, not from the stream's header,
because only the frame knows its colours and which way up it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import av.error
import av.filter
from av.filter.context import FilterContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange

from nearcast.packager.ladder import Rung

# What turns a picture upright that is to be rotated by so many degrees counterclockwise.
UPRIGHT = {
    90: ("transpose", "cclock"),
    -90: ("transpose", "clock"),
    180: ("rotate", "PI"),
    -180: ("rotate", "PI"),
}


def displayed_size(frame: VideoFrame, pixel_aspect: Fraction) -> tuple[int, int, Fraction]:
    """Width, height and pixel aspect as a viewer sees them, after turning the picture upright."""
    if abs(frame.rotation) == 90:
        return frame.height, frame.width, 1 / pixel_aspect
    return frame.width, frame.height, pixel_aspect


class Scaler:
    """Scales each pushed frame to all rungs at once."""

    def __init__(self, first: VideoFrame, frame_rate: Fraction, rungs: tuple[Rung, ...]) -> None:
        self._graph = graph = av.filter.Graph()
        self._source = graph.add(
            "buffer",
            f"video_size={first.width}x{first.height}:pix_fmt={first.format.name}:time_base={first.time_base}"
            f":colorspace={int(first.colorspace)}:range={int(first.color_range)}",
        )
        tail = self._source
        top = max(rungs, key=lambda rung: rung.width * rung.height)
        for name, arguments in self._preparation(first, frame_rate, top):
            tail = self._chain(tail, name, arguments)
        split = self._chain(tail, "split", str(len(rungs)))
        self._sinks = [self._branch(split, index, rung, top) for index, rung in enumerate(rungs)]
        graph.configure()

    def push(self, frame: VideoFrame | None) -> Iterator[list[VideoFrame]]:
        """Take the next picture, None at the end; yields the pictures that are due, one per rung."""
        self._source.push(frame)
        while True:
            try:
                scaled = [sink.pull() for sink in self._sinks]
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            yield [each for each in scaled if isinstance(each, VideoFrame)]

    def _preparation(self, first: VideoFrame, frame_rate: Fraction, top: Rung) -> Iterator[tuple[str, str]]:
        """What all rungs have in common, done once. Copying pictures that are fine already would cost
        as much as scaling them."""
        if first.interlaced_frame:
            yield "bwdif", "mode=send_frame:deint=interlaced"
        yield "fps", f"fps={frame_rate}:start_time=0"
        if first.rotation in UPRIGHT:
            yield UPRIGHT[first.rotation]
        fits = displayed_size(first, Fraction(1))[:2] == (top.width, top.height)
        if not fits or first.format.name != "yuv420p" or first.color_range == ColorRange.JPEG:
            yield "scale", f"{top.width}:{top.height}:flags=bicubic:out_range=tv"
            yield "format", "yuv420p"
        yield "setsar", "1"

    def _branch(self, split: FilterContext, index: int, rung: Rung, top: Rung) -> FilterContext:
        same = (rung.width, rung.height) == (top.width, top.height)
        branch = (
            self._graph.add("null")
            if same
            else self._graph.add("scale", f"{rung.width}:{rung.height}:flags=bicubic")
        )
        split.link_to(branch, index, 0)
        return self._chain(branch, "buffersink")

    def _chain(self, tail: FilterContext, name: str, arguments: str | None = None) -> FilterContext:
        added = self._graph.add(name, arguments)
        tail.link_to(added)
        return added
