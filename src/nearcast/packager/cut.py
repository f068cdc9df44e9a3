"""Cuts a stream of fragmented MP4 (ISO/IEC 14496-12) into an init segment and numbered segments.

The muxer writes into a `Cutter` as into a file. Every complete top-level box is looked at once:
`ftyp` and `moov` become `init.mp4`; each `moof` with its `mdat`, and what stands before it (`styp`,
`sidx`, `prft`, `emsg`), becomes the next segment; the index of the whole (`mfra`) has no place in a
set of segments and is dropped. No more than one segment is held in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

HEAD = frozenset((b"ftyp", b"moov"))
DROPPED = frozenset((b"mfra", b"free", b"skip"))


class Cutter:
    """A write-only file object; `segment_bytes` lists the sizes of the segments written so far."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._pending = bytearray()
        self._head = b""
        self._segment = b""
        self.segment_bytes: list[int] = []

    def write(self, part: bytes) -> int:
        """Take the next bytes of the stream, in whatever portions they come."""
        self._pending += part
        while (box := _take_box(self._pending)) is not None:
            self._place(*box)
        return len(part)

    def _place(self, kind: bytes, box: bytes) -> None:
        if kind in HEAD:
            self._head += box
            if kind == b"moov":
                (self._folder / "init.mp4").write_bytes(self._head)
        elif kind not in DROPPED:
            self._segment += box
            if kind == b"mdat":
                self.segment_bytes.append(len(self._segment))
                (self._folder / f"{len(self.segment_bytes)}.m4s").write_bytes(self._segment)
                self._segment = b""


def boxes(stream: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The complete top-level boxes of `stream`: kind and whole box."""
    pending = bytearray(stream)
    while (box := _take_box(pending)) is not None:
        yield box


def _take_box(pending: bytearray) -> tuple[bytes, bytes] | None:
    """Remove the first box from `pending` if it is complete (14496-12, 4.2.2)."""
    if len(pending) < 8:
        return None
    size, kind = struct.unpack_from(">I4s", pending)
    if size == 1:
        if len(pending) < 16:
            return None
        (size,) = struct.unpack_from(">Q", pending, 8)
    if size < 8:
        raise ValueError(f"box {kind!r} with the impossible size {size}")
    if len(pending) < size:
        return None
    box = bytes(pending[:size])
    del pending[:size]
    return kind, box
