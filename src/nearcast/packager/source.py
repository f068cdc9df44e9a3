"""A source: what can be decoded into pictures and sound, whatever file or clip they come from.

Time starts at zero with the first picture or sample, whichever comes first, so the two stay in step
and a recording that begins at some hour of the day plays from its beginning.

A broken packet costs its picture, not the title; a file that ends long before it said it would is
refused, for viewers would take the fragment for the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import av
import av.error
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from nearcast.packager.faults import UnusableSource

FRAME_RATE_MAX = Fraction(120)
FRAME_RATE_UNKNOWN = Fraction(25)
# Averages of recordings with a shaky clock come out a little beside these.
FRAME_RATES = tuple(
    Fraction(rate)
    for rate in ("10", "12", "12.5", "15", "24000/1001", "24", "25", "30000/1001", "30", "48", "50",
                 "60000/1001", "60", "100", "120000/1001", "120")
)  # fmt: skip
# Still pictures, and text that FFmpeg would draw as a picture.
NOT_VIDEO = ("image2", "_pipe", "tty", "lavfi")

ANOTHER_FILE = "give a video file such as MP4, MKV or WebM"


class Source(Protocol):
    """What the transcoder asks of a source."""

    @property
    def seconds(self) -> float | None:
        """How long it claims to be, if it says so."""

    @property
    def frame_rate(self) -> Fraction:
        """Pictures per second, constant, after which the renditions are made."""

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of a pixel by its height, before the picture is turned upright."""

    @property
    def has_sound(self) -> bool: ...

    def frames(self) -> Iterator[VideoFrame | AudioFrame]:
        """All pictures and sound, decoded, each kind in its order of time."""


class RecordedSource:
    """A video file. Raises `UnusableSource` where the file is at fault."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._container = _open(path)
        try:
            self._video = _picture_stream(path, self._container)
        except BaseException:
            self._container.close()
            raise
        self._video.thread_type = "AUTO"
        sound = self._container.streams.best("audio", related=self._video)
        self._audio = sound if isinstance(sound, AudioStream) and sound.codec_context is not None else None
        self.has_sound = self._audio is not None
        self.frame_rate = _frame_rate(self._video)
        self.pixel_aspect = Fraction(self._video.sample_aspect_ratio or 1)
        length = self._container.duration
        self.seconds = length / 1_000_000 if length and length > 0 else None

    def __str__(self) -> str:
        return str(self.path)

    def __enter__(self) -> RecordedSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def frames(self) -> Iterator[VideoFrame | AudioFrame]:
        """Decode once, from the beginning to the end."""
        streams = [self._video, *([self._audio] if self._audio else [])]
        origin = min((_begin(each) for each in streams), default=Fraction(0))
        reached, pictures = Fraction(0), 0
        for packet in self._packets(streams):
            try:
                decoded = packet.decode()
            except av.error.InvalidDataError:
                continue
            for frame in decoded:
                assert isinstance(frame, VideoFrame | AudioFrame)
                _count_from(frame, origin)
                if isinstance(frame, VideoFrame):
                    pictures += 1
                    if frame.pts is None:  # raw streams without time stamps
                        frame.pts, frame.time_base = pictures - 1, 1 / self.frame_rate
                    reached = max(reached, Fraction(frame.time or 0))
                yield frame
        self._check_complete(pictures, float(reached + 1 / self.frame_rate))

    def _packets(self, streams: list[av.stream.Stream]) -> Iterator[av.Packet[Any]]:
        packets = self._container.demux(streams)
        while True:
            try:
                yield next(packets)
            except StopIteration:
                return
            except av.error.InvalidDataError:
                return  # what follows cannot be found any more; how much is missing is checked at the end

    def _check_complete(self, pictures: int, reached: float) -> None:
        if not pictures:
            raise UnusableSource(self.path, "No picture of the video can be decoded", ANOTHER_FILE)
        promised = self._promised_seconds()
        if promised is not None and reached < promised - max(1.0, promised * 0.02):
            raise UnusableSource(
                self.path,
                f"The video is truncated: it ends after {reached:.1f} of {promised:.1f} seconds",
                "copy or download it again, or cut it cleanly with another program",
            )

    def _promised_seconds(self) -> float | None:
        """The length of the picture itself; sound may be longer, so the file's length does not count."""
        if self._video.duration and self._video.time_base:
            return float(self._video.duration * self._video.time_base)
        return None if self.has_sound else self.seconds


def _open(path: Path) -> InputContainer:
    if not path.exists():
        raise UnusableSource(path, f"There is no file {path}", "check the path")
    if path.is_dir():
        raise UnusableSource(path, f"{path} is a folder", "give one video file")
    try:
        # Only local files: a playlist must not make this machine fetch from the network.
        container = av.open(str(path.resolve()), options={"protocol_whitelist": "file"})
    except PermissionError:
        raise UnusableSource(path, f"{path} cannot be read", "give yourself read permission") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = "it is empty" if path.stat().st_size == 0 else str(getattr(error, "strerror", None) or error)
        raise UnusableSource(
            path, f"{path.name} is not a video that can be read, or it is damaged: {reason}", ANOTHER_FILE
        ) from None
    if any(word in container.format.name for word in NOT_VIDEO):
        container.close()
        raise UnusableSource(path, f"{path.name} is not a video", ANOTHER_FILE)
    return container


def _picture_stream(path: Path, container: InputContainer) -> VideoStream:
    best = container.streams.best("video")
    if not isinstance(best, VideoStream) or Disposition.attached_pic in best.disposition:
        raise UnusableSource(path, f"{path.name} has no video in it", ANOTHER_FILE)
    if best.codec_context is None:
        raise UnusableSource(
            path, f"{path.name} is coded in a way that cannot be decoded here", "convert it to H.264"
        )
    return best


def _frame_rate(stream: VideoStream) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate or FRAME_RATE_UNKNOWN
    rate = min(max(Fraction(rate), Fraction(1, 10)), FRAME_RATE_MAX)
    nearest = min(FRAME_RATES, key=lambda each: abs(each - rate))
    return nearest if abs(nearest / rate - 1) < 0.003 else rate.limit_denominator(1001)


def _begin(stream: av.stream.Stream) -> Fraction:
    return Fraction(0) if stream.start_time is None else stream.start_time * (stream.time_base or Fraction(1))


def _count_from(frame: VideoFrame | AudioFrame, origin: Fraction) -> None:
    if frame.pts is not None and frame.time_base:
        frame.pts -= round(origin / frame.time_base)
