"""Octets in, the reply out: the meaning of the protocol, the same over UDP and TCP.

A reply is either the text in capitals or one sentence that begins with `error: `. The two cannot be
confused: capitals of capitals are themselves, so no reply in capitals begins with a small e.

`str.upper` maps each character by itself, whatever stands beside it. So capitals of a text are the
capitals of its parts, joined, and it does not matter where a stream is cut, as long as no character
is cut: that is what makes the framing in `lines.py` safe.
"""

from __future__ import annotations

TEXT_BYTES_MAX = 2048  # of one datagram, question or reply: what simple clients hand to recvfrom
ERROR = b"error: "


def capitals(octets: bytes) -> bytes:
    """The capitals of UTF-8 `octets` (`str.upper`: straße → STRASSE), or an error reply."""
    try:
        return octets.decode().upper().encode()
    except UnicodeDecodeError as fault:
        return not_utf8(fault)


def not_utf8(fault: UnicodeDecodeError) -> bytes:
    """The reply to octets that are not UTF-8: which one, and where."""
    octet = fault.object[fault.start]
    return ERROR + f"this is not UTF-8: octet 0x{octet:02x} at offset {fault.start}".encode()


def datagram_capitals(octets: bytes) -> bytes | None:
    """The reply to one datagram, within `TEXT_BYTES_MAX`. An empty one has no capitals: silence."""
    if len(octets) > TEXT_BYTES_MAX:
        return ERROR + f"a datagram carries up to {TEXT_BYTES_MAX} octets, this one {len(octets)}".encode()
    reply = capitals(octets)
    if len(reply) > TEXT_BYTES_MAX:  # ΐ has two octets, its capitals six
        return ERROR + f"the capitals are {len(reply)} octets, a datagram carries {TEXT_BYTES_MAX}".encode()
    return reply or None


def is_error(reply: bytes) -> bool:
    """Whether `reply` is a sentence about the question instead of its capitals."""
    return reply.startswith(ERROR)
