"""The clip that nearcast draws itself, so that the first start needs no video file.

"Moving clock": slowly flowing colours, the position in the clip as a running timecode, a disc that
passes the top of its circle at every full second, and at that instant a tone, each second another
pitch. A person sees and hears where a player is, whether picture and sound agree, and what is lost.

FFmpeg's filters draw the background; the rest is written into the planes of the frame as slices of
rows, so no drawing library and no font is needed. Digits have seven segments, like a clock's.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import av.filter
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

SAMPLE_RATE = 48_000
TONE_SECONDS = 0.18
# Semitones above A4, second by second: a pentatonic scale up and down, so that neighbours differ.
PITCHES = (0, 3, 5, 7, 10, 12, 10, 7, 5, 3)

INK, PANEL, GREY = 235, 28, 128

# Which of the segments a (top) b c (right) d (bottom) e f (left) g (middle) each digit lights.
LIT = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")


@dataclass(frozen=True, slots=True)
class DrawnSource:
    """A source that exists only as these numbers. `width` and `height` are even, in pixels."""

    seconds: float = 20.0
    width: int = 1280
    height: int = 720
    frame_rate: Fraction = Fraction(25)
    has_sound: bool = True

    @property
    def pixel_aspect(self) -> Fraction:
        return Fraction(1)

    def __str__(self) -> str:
        return "the clip that nearcast draws"

    def frames(self) -> Iterator[VideoFrame | AudioFrame]:
        """Pictures and, at each full second, the sound of the second that follows."""
        face = _Face(self.width, self.height)
        total = max(1, round(self.seconds * self.frame_rate))
        seconds_sounded = 0
        for number, frame in zip(range(total), self._background(), strict=False):
            position = number / self.frame_rate
            while self.has_sound and seconds_sounded <= position:
                left = min(SAMPLE_RATE, round((self.seconds - seconds_sounded) * SAMPLE_RATE))
                yield second_of_sound(seconds_sounded, left)
                seconds_sounded += 1
            face.draw(frame, float(position), number / total)
            frame.pts, frame.time_base = number, 1 / self.frame_rate
            yield frame

    def _background(self) -> Iterator[VideoFrame]:
        """Flowing colours, drawn small and enlarged: they are soft anyway, and it costs a tenth."""
        graph = av.filter.Graph()
        sink = graph.add("buffersink")
        graph.link_nodes(
            graph.add(
                "gradients",
                f"size={max(16, self.width // 8)}x{max(16, self.height // 8)}:rate={self.frame_rate}"
                ":speed=0.02:nb_colors=4:seed=7:c0=0x0b3d91:c1=0x1f9e89:c2=0xf4a259:c3=0x8a2be2",
            ),
            graph.add("format", "yuv420p"),
            graph.add(
                "scale", f"{self.width}:{self.height}:flags=bicubic:out_color_matrix=bt709:out_range=tv"
            ),
            graph.add("noise", "all_seed=7:c0_strength=6"),
            sink,
        )
        graph.configure()
        while True:
            frame = sink.pull()
            assert isinstance(frame, VideoFrame)
            frame.make_writable()
            yield frame


def second_of_sound(second: int, samples: int) -> AudioFrame:
    """The tone of that second and silence after it, as `samples` 16-bit samples of one channel."""
    frequency = 440 * 2 ** (PITCHES[second % len(PITCHES)] / 12)
    turn = 2 * math.pi * frequency / SAMPLE_RATE
    length = min(samples, int(TONE_SECONDS * SAMPLE_RATE))
    # The tone fades to nothing, so that it ends without a click.
    tone = array("h", (round(9000 * (1 - i / length) * math.sin(turn * i)) for i in range(length)))
    frame = AudioFrame("s16", "mono", samples)
    plane = memoryview(frame.planes[0]).cast("B")
    plane[: 2 * samples] = tone.tobytes() + bytes(2 * (samples - length))
    frame.sample_rate = SAMPLE_RATE
    frame.pts, frame.time_base = second * SAMPLE_RATE, Fraction(1, SAMPLE_RATE)
    return frame


def timecode(seconds: float) -> str:
    """Minutes, seconds and hundredths: `01:07.48`."""
    hundredths = int(seconds * 100 + 0.5)
    return f"{hundredths // 6000 % 100:02}:{hundredths // 100 % 60:02}.{hundredths % 100:02}"


class _Face:
    """The clock's face for one picture size: where things stand, and their rows, made once."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._stroke = max(1, height // 72)
        self._digit_height = height // 8
        self._digit_width = self._digit_height // 2
        self._disc_radius = max(2, height // 28)
        self._orbit = height * 43 // 100
        self._disc = [
            (dy, 2 * int(math.sqrt(self._disc_radius**2 - dy * dy)))
            for dy in range(-self._disc_radius, self._disc_radius + 1)
        ]

    def draw(self, frame: VideoFrame, position: float, part: float) -> None:
        """Draw the face at `position` seconds, when `part` (0 to 1) of the clip is over."""
        luma = _Plane(frame, 0)
        self._draw_timecode(frame, luma, timecode(position))
        for twelfth in range(12):
            self._draw_disc(luma, twelfth / 12, PANEL, small=True)
        self._draw_disc(luma, position % 1, INK)
        bar = self._height // 45
        luma.fill(0, self._height - bar, self._width, bar, PANEL)
        luma.fill(0, self._height - bar, max(1, int(self._width * part)), bar, INK)

    def _draw_timecode(self, frame: VideoFrame, luma: _Plane, text: str) -> None:
        advance = self._digit_width + 2 * self._stroke
        widths = [advance if each.isdigit() else 3 * self._stroke for each in text]
        x, y = (self._width - sum(widths)) // 2, (self._height - self._digit_height) // 2
        margin = 3 * self._stroke
        left, top = (x - margin) // 2 * 2, (y - margin) // 2 * 2
        wide, high = (sum(widths) + 2 * margin) // 2 * 2, (self._digit_height + 2 * margin) // 2 * 2
        luma.fill(left, top, wide, high, PANEL)
        for index in (1, 2):
            _Plane(frame, index).fill(left // 2, top // 2, wide // 2, high // 2, GREY)
        for each, width in zip(text, widths, strict=True):
            self._draw_character(luma, x, y, each)
            x += width

    def _draw_character(self, luma: _Plane, x: int, y: int, character: str) -> None:
        stroke, wide, high = self._stroke, self._digit_width, self._digit_height
        half = high // 2
        if character == ":":
            luma.fill(x, y + half - 3 * stroke, stroke, stroke, INK)
        if character in ":.":
            luma.fill(x, y + (half + 2 * stroke if character == ":" else high - stroke), stroke, stroke, INK)
            return
        strokes = {
            "a": (0, 0, wide, stroke),
            "b": (wide - stroke, 0, stroke, half),
            "c": (wide - stroke, half, stroke, high - half),
            "d": (0, high - stroke, wide, stroke),
            "e": (0, half, stroke, high - half),
            "f": (0, 0, stroke, half),
            "g": (0, half - stroke // 2, wide, stroke),
        }
        for segment in LIT[int(character)]:
            dx, dy, w, h = strokes[segment]
            luma.fill(x + dx, y + dy, w, h, INK)

    def _draw_disc(self, luma: _Plane, turn: float, shade: int, *, small: bool = False) -> None:
        """A disc that has gone `turn` of the circle, clockwise from the top."""
        x = self._width // 2 + round(self._orbit * math.sin(2 * math.pi * turn))
        y = self._height // 2 - round(self._orbit * math.cos(2 * math.pi * turn))
        for dy, chord in self._disc[:: 3 if small else 1]:
            dy, chord = (dy // 3, chord // 3) if small else (dy, chord)
            luma.fill(x - chord // 2, y + dy, max(1, chord), 1, shade)


class _Plane:
    """One plane of a frame, to fill rectangles in; what lies outside of it is not drawn."""

    def __init__(self, frame: VideoFrame, index: int) -> None:
        plane = frame.planes[index]
        self._pixels = memoryview(plane).cast("B")
        self._stride, self._width, self._height = plane.line_size, plane.width, plane.height

    def fill(self, x: int, y: int, width: int, height: int, value: int) -> None:
        left, right = max(0, x), min(self._width, x + width)
        if right <= left:
            return
        row = bytes((value,)) * (right - left)
        for line in range(max(0, y), min(self._height, y + height)):
            start = line * self._stride
            self._pixels[start + left : start + right] = row
