"""One stored object as a file: a head, the body, a tail.

    magic (8)  head length (4)  head (JSON)  body  body length (8)  CRC of head (4)  CRC of body (4)
    CRC of these three (4)  magic (8)

The length of a body that is streamed is known only at its end, hence the tail. A file whose tail is
missing or does not fit is not an object: torn by a crash, cut by a full disk, or somebody else's. The
head and the tail are checked when the store opens; the body's CRC-32 costs a pass over it and is
checked by the store before such a file is served for the first time.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import asdict
from typing import Any, NamedTuple

from nearcast.cache.entry import ObjectHead
from nearcast.cache.freshness import Freshness

MAGIC = b"nearobj1"
HEAD_BYTES_MAX = 256 * 1024

_START = struct.Struct(">8sI")
_SUMS = struct.Struct(">QII")
_END = struct.Struct(">I8s")
TAIL_BYTES = _SUMS.size + _END.size


class Found(NamedTuple):
    """What a well-formed object file holds. `start`: where in the file the body begins."""

    head: ObjectHead
    start: int
    length: int
    body_sum: int  # CRC-32

    def fits(self, file: memoryview) -> bool:
        """Whether `file` ends as this one did: the whole of it, and not another. Reads only its tail."""
        tail = self.start + self.length
        if len(file) != tail + TAIL_BYTES:
            return False
        length, _, body_sum = _SUMS.unpack_from(file, tail)
        sums_sum, magic = _END.unpack_from(file, tail + _SUMS.size)
        return (length, body_sum, magic) == (self.length, self.body_sum, MAGIC) and sums_sum == zlib.crc32(
            file[tail : tail + _SUMS.size]
        )

    def body_is_sound(self, file: memoryview) -> bool:
        """Whether the body is the one that was written. Reads all of it."""
        return zlib.crc32(file[self.start : self.start + self.length]) == self.body_sum


def encode_start(head: ObjectHead) -> bytes:
    """What comes before the body."""
    plain = {
        "key": head.key,
        "status": head.status,
        "fields": dict(head.fields),
        "stored_at": head.stored_at,
        "freshness": asdict(head.freshness),
    }
    octets = json.dumps(plain, separators=(",", ":")).encode()
    return _START.pack(MAGIC, len(octets)) + octets


def encode_tail(start: bytes, length: int, body_sum: int) -> bytes:
    """What comes after a body of `length` bytes with the CRC-32 `body_sum`, begun with `start`."""
    sums = _SUMS.pack(length, zlib.crc32(start), body_sum)
    return sums + _END.pack(zlib.crc32(sums), MAGIC)


def parse_object(file: memoryview) -> Found | None:
    """The object in `file`, None when it is not a whole one. The body is not looked at."""
    if len(file) < _START.size + TAIL_BYTES:
        return None
    magic, head_length = _START.unpack_from(file)
    start = _START.size + head_length
    tail = len(file) - TAIL_BYTES
    if magic != MAGIC or head_length > HEAD_BYTES_MAX or start > tail:
        return None
    length, head_sum, body_sum = _SUMS.unpack_from(file, tail)
    sums_sum, magic = _END.unpack_from(file, tail + _SUMS.size)
    if magic != MAGIC or sums_sum != zlib.crc32(file[tail : tail + _SUMS.size]):
        return None
    if start + length != tail or head_sum != zlib.crc32(file[:start]):
        return None
    return Found(_head(json.loads(bytes(file[_START.size : start]))), start, length, body_sum)


def _head(plain: dict[str, Any]) -> ObjectHead:
    """Our own JSON, its checksum verified: what is wrong in it is our fault."""
    return ObjectHead(**{**plain, "freshness": Freshness(**plain["freshness"])})
