"""RRsets with their wire form made beforehand, once as they stand alone and once as answers.

An answer whose owner is the question's own name points to it (offset 12, RFC 1035 4.1.4), in the case
in which the client wrote it; that keeps what clients check by mixing the case of their question.
Everything else is written without compression: right by construction, and short zones stay short.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import NamedTuple

from nearcast.wire.dns.codes import IN

Piece = tuple[int, bytes]
"""A number of records, and their wire form."""

TO_QUESTION = b"\xc0\x0c"
_FIXED = Struct("!HHIH")


class RRset(NamedTuple):
    """All records of one owner and type, compiled."""

    owner: bytes
    rdtype: int
    ttl: int
    rdatas: tuple[bytes, ...]
    in_full: Piece  # owner written out
    at_question: Piece  # owner is the question's name


def compile_rrset(owner: bytes, rdtype: int, ttl: int, rdatas: Iterable[bytes]) -> RRset:
    """Compile records of `owner` (wire form); `ttl` in seconds, `rdatas` without their length."""
    kept = tuple(rdatas)
    bodies = [_FIXED.pack(rdtype, IN, ttl, len(rdata)) + rdata for rdata in kept]
    return RRset(
        owner,
        rdtype,
        ttl,
        kept,
        (len(kept), b"".join([owner + body for body in bodies])),
        (len(kept), b"".join([TO_QUESTION + body for body in bodies])),
    )
