"""How long an MP4 plays, from its first bytes: the movie header box (ISO/IEC 14496-12 section 8.2.2).

Only files whose `moov` stands before the pictures ("faststart") say it in time to be of use.
"""

from __future__ import annotations

import struct


def film_seconds(head: bytes) -> float | None:
    """The duration in `mvhd`, or None when these bytes do not hold it."""
    moov = _find(head, 0, b"moov")
    mvhd = None if moov is None else _find(head, moov, b"mvhd")
    if mvhd is None:
        return None
    try:
        (version,) = struct.unpack_from(">B", head, mvhd)
        layout, at = (">IQ", mvhd + 20) if version == 1 else (">II", mvhd + 12)
        timescale, duration = struct.unpack_from(layout, head, at)
    except struct.error:
        return None
    return duration / timescale if timescale and duration else None


def _find(octets: bytes, at: int, kind: bytes) -> int | None:
    """Where the body of the first box of this kind begins, among the boxes that begin at `at`."""
    while at + 8 <= len(octets):
        size, found = struct.unpack_from(">I4s", octets, at)
        if found == kind:
            return at + 8
        if size < 8:
            return None
        at += size
    return None
