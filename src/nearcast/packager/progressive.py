"""Joins a rendition's segments and the sound into one MP4 file that plays while it is downloaded.

The encoded pictures and sound are copied, not encoded again. The index comes first ("faststart"), so a
player that has the beginning can start, and can ask for any later place by Range.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.container import InputContainer

from nearcast.packager.transcode import TranscodedTrack


class Joined:
    """The init segment and all segments of a folder as one stream to read from."""

    def __init__(self, folder: Path, segments: int) -> None:
        self._paths = iter(
            [folder / "init.mp4", *(folder / f"{number}.m4s" for number in range(1, segments + 1))]
        )
        self._open: BinaryIO | None = None

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end."""
        while True:
            if self._open is not None:
                if part := self._open.read(size):
                    return part
                self._open.close()
                self._open = None
            path = next(self._paths, None)
            if path is None:
                return b""
            self._open = path.open("rb")

    def close(self) -> None:
        if self._open is not None:
            self._open.close()


def write_progressive(
    folder: Path, rendition: TranscodedTrack, sound: TranscodedTrack | None, path: Path
) -> int:
    """Write the rendition and the sound, whose segments lie in `folder`, to `path`; returns its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        inputs: list[InputContainer] = []
        for track in (rendition, *([sound] if sound else [])):
            joined = Joined(folder / track.folder, len(track.segment_bytes))
            opened.callback(joined.close)
            container = av.open(joined, "r", format="mp4")
            opened.callback(container.close)
            inputs.append(container)
        output = opened.enter_context(
            av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        )
        added = [output.add_stream_from_template(each.streams[0]) for each in inputs]
        for _, index, packet in heapq.merge(*(_packets(each, index) for index, each in enumerate(inputs))):
            packet.stream = added[index]
            output.mux(packet)
    return path.stat().st_size


def _packets(container: InputContainer, index: int) -> Iterator[tuple[Fraction, int, av.Packet[Any]]]:
    """The packets in the order of decoding; time and index make a key to merge tracks by."""
    for packet in container.demux():
        if packet.dts is not None and packet.time_base is not None:
            yield packet.dts * packet.time_base, index, packet
