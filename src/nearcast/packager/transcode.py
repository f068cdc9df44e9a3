"""One decode, all renditions: the pictures and the sound of a source become segments in a folder.

The source is read once, from front to back; what is in memory at any time is a few pictures per
rendition and one segment of each. Decoding and scaling happen on the calling thread, encoding on one
thread per rendition (FFmpeg releases the interpreter), so all cores of a small machine are busy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av.error
from av.video.frame import VideoFrame

from nearcast.packager.audio import FOLDER as SOUND_FOLDER
from nearcast.packager.audio import AudioEncoder
from nearcast.packager.faults import UnusableSource
from nearcast.packager.ladder import Rung, ladder_for
from nearcast.packager.picture import Scaler, displayed_size
from nearcast.packager.rendition import RenditionEncoder
from nearcast.packager.source import ANOTHER_FILE, Source

AHEAD_MAX = 6
"""Pictures per rendition that may wait for their encoder."""


@dataclass(frozen=True, slots=True)
class TranscodedTrack:
    """The segments of one folder: bytes and exact seconds of each, in the order of playing."""

    folder: str
    segment_bytes: tuple[int, ...]
    segment_seconds: tuple[Fraction, ...]

    @property
    def seconds(self) -> Fraction:
        return sum(self.segment_seconds, Fraction(0))


@dataclass(frozen=True, slots=True)
class Transcoded:
    """What lies in the folder: per rung one track of pictures, and one of sound if there is any."""

    frame_rate: Fraction
    renditions: tuple[tuple[Rung, TranscodedTrack], ...]
    sound: TranscodedTrack | None


def transcode(
    source: Source,
    folder: Path,
    *,
    ladder: tuple[Rung, ...] | None,
    segment_seconds: float,
    preset: str,
    position: Callable[[float], None],
) -> Transcoded:
    """Write the segments of `source` into sub-folders of `folder`.

    `position` is told how many seconds of the source are done. Raises `UnusableSource`.
    """
    frames_per_segment = max(1, round(source.frame_rate * Fraction(segment_seconds)))
    length = frames_per_segment / source.frame_rate
    with ExitStack() as failure:
        sound = None
        if source.has_sound:
            sound = AudioEncoder(folder / SOUND_FOLDER, length)
            failure.callback(sound.abandon)
        pictures = _Pictures(source, folder, ladder, frames_per_segment, preset)
        failure.callback(pictures.abandon)
        try:
            for frame in source.frames():
                if isinstance(frame, VideoFrame):
                    pictures.encode(frame)
                    position(float(pictures.seconds))
                elif sound is not None:
                    sound.encode(frame)
            tracks = pictures.finish()
        except av.error.FFmpegError as error:
            raise UnusableSource(
                source, f"The video cannot be decoded: {error.strerror}", ANOTHER_FILE
            ) from error
        sound_track = _finish_sound(sound)
        failure.pop_all()
    return Transcoded(source.frame_rate, tracks, sound_track)


def _finish_sound(sound: AudioEncoder | None) -> TranscodedTrack | None:
    if sound is None:
        return None
    sound.finish()
    if not sound.segment_bytes:
        return None  # a track was announced, but there is nothing in it
    return TranscodedTrack(SOUND_FOLDER, tuple(sound.segment_bytes), tuple(sound.segment_seconds))


class _Pictures:
    """The renditions of one source, each encoded on a thread of its own.

    The encoders are made when the first picture has shown what it is.
    """

    def __init__(
        self,
        source: Source,
        folder: Path,
        ladder: tuple[Rung, ...] | None,
        frames_per_segment: int,
        preset: str,
    ) -> None:
        self._source, self._folder, self._ladder, self._preset = source, folder, ladder, preset
        self._frames_per_segment = frames_per_segment
        self._scaler: Scaler | None = None
        self._encoders: list[RenditionEncoder] = []
        self._threads: list[ThreadPoolExecutor] = []
        self._encoding: deque[Future[None]] = deque()
        self._pictures = 0

    @property
    def seconds(self) -> Fraction:
        """How much of the source has gone to the encoders."""
        return self._pictures / self._source.frame_rate

    def encode(self, frame: VideoFrame) -> None:
        if self._scaler is None:
            self._scaler = self._begin(frame)
        self._scale(self._scaler, frame)

    def finish(self) -> tuple[tuple[Rung, TranscodedTrack], ...]:
        if self._scaler is None:
            raise UnusableSource(self._source, "No picture of the video can be decoded", ANOTHER_FILE)
        self._scale(self._scaler, None)
        finished = [
            thread.submit(encoder.finish)
            for thread, encoder in zip(self._threads, self._encoders, strict=True)
        ]
        self._wait(leave=0)
        sizes = [each.result() for each in finished]
        self._stop_threads()
        return tuple(
            (encoder.rung, self._track(encoder, of_encoder))
            for encoder, of_encoder in zip(self._encoders, sizes, strict=True)
        )

    def abandon(self) -> None:
        self._stop_threads()
        for encoder in self._encoders:
            encoder.abandon()

    def _stop_threads(self) -> None:
        for thread in self._threads:
            thread.shutdown(wait=True, cancel_futures=True)

    def _scale(self, scaler: Scaler, frame: VideoFrame | None) -> None:
        for scaled in scaler.push(frame):
            self._pictures += 1
            for thread, encoder, picture in zip(self._threads, self._encoders, scaled, strict=True):
                self._encoding.append(thread.submit(encoder.encode, picture))
            self._wait(leave=AHEAD_MAX * len(self._encoders))

    def _wait(self, leave: int) -> None:
        while len(self._encoding) > leave:
            self._encoding.popleft().result()

    def _begin(self, first: VideoFrame) -> Scaler:
        rate = self._source.frame_rate
        rungs = self._ladder or self._default_ladder(first)
        scaler = Scaler(first, rate, rungs)
        for rung in rungs:
            folder = self._folder / f"v{rung.name.removesuffix('p')}"
            self._encoders.append(
                RenditionEncoder(rung, folder, rate, self._frames_per_segment, preset=self._preset)
            )
            self._threads.append(ThreadPoolExecutor(1, thread_name_prefix=rung.name))
        return scaler

    def _default_ladder(self, first: VideoFrame) -> tuple[Rung, ...]:
        try:
            return ladder_for(*displayed_size(first, self._source.pixel_aspect), self._source.frame_rate)
        except ValueError as error:
            raise UnusableSource(self._source, f"The video is unusable: {error}", ANOTHER_FILE) from None

    def _track(self, encoder: RenditionEncoder, sizes: list[int]) -> TranscodedTrack:
        whole, rest = divmod(encoder.frames, self._frames_per_segment)
        lengths = [self._frames_per_segment] * whole + ([rest] if rest else [])
        assert len(lengths) == len(sizes), "a segment was cut where none begins"
        seconds = tuple(Fraction(each) / self._source.frame_rate for each in lengths)
        return TranscodedTrack(encoder.folder.name, tuple(sizes), seconds)
