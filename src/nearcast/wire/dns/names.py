"""Domain names: text and wire form.

Inside the house a name is its wire form in lower case, ending in the root label: as `bytes` it hashes
and compares at the speed of C, and a parent is a slice. Length octets are at most 63, below "A", so
`bytes.lower` may run over the whole wire form without looking at labels (RFC 4343: ASCII only).
"""

from __future__ import annotations

from collections.abc import Iterator

ROOT = b"\0"
NAME_BYTES_MAX = 255  # RFC 1035 2.3.4
LABEL_BYTES_MAX = 63
POINTERS_MAX = 16  # of one name; the bound that dnspython has since 2.9, for the same reason


class NameFault(ValueError):
    """What stands here is not a domain name."""


def wire_name(text: str) -> bytes:
    """The name written `text`, absolute with or without its last dot, as lower-case wire form."""
    plain = text.rstrip(".")
    if not plain:
        return ROOT
    wire = bytearray()
    for label in plain.encode("ascii", "strict").lower().split(b"."):
        if not 0 < len(label) <= LABEL_BYTES_MAX:
            raise NameFault(f"{text!r} has a label of {len(label)} bytes; 1 to 63 are possible")
        wire.append(len(label))
        wire += label
    wire.append(0)
    if len(wire) > NAME_BYTES_MAX:
        raise NameFault(f"{text!r} is longer than 255 bytes")
    return bytes(wire)


def name_text(name: bytes) -> str:
    """`name` as people write it, without the last dot (root: "."); odd bytes as \\DDD (RFC 1035 5.1)."""
    labels = []
    at = 0
    while length := name[at]:
        labels.append("".join(map(_printable, name[at + 1 : at + 1 + length])))
        at += length + 1
    return ".".join(labels) or "."


def _printable(octet: int) -> str:
    if octet in b'."\\;()@$':
        return f"\\{octet:c}"
    return chr(octet) if 33 <= octet <= 126 else f"\\{octet:03d}"


def parent(name: bytes) -> bytes:
    """`name` without its first label; the root has none and must not be asked."""
    return name[name[0] + 1 :]


def lineage(name: bytes) -> Iterator[bytes]:
    """`name`, its parent, and so on up to the root."""
    yield name
    while name[0]:
        name = name[name[0] + 1 :]
        yield name


def within(name: bytes, zone: bytes) -> bool:
    """Is `name` equal to `zone` or below it?"""
    return name.endswith(zone) and any(each == zone for each in lineage(name))


def read_name(octets: bytes, at: int) -> tuple[bytes, int]:
    """The name at `at` of a message, lower-case, and where what follows begins.

    Compression pointers (RFC 1035 4.1.4) may only lead backwards, each before the last, so that no
    message makes us run in a circle, and there are `POINTERS_MAX` of them at most, so that none makes
    us walk through all of it for each of its names.
    """
    wire = bytearray()
    after = -1
    limit = at
    pointers = 0
    try:
        while length := octets[at]:
            if length <= LABEL_BYTES_MAX:
                wire += octets[at : at + length + 1]
                at += length + 1
            elif length >= 0xC0:
                target = (length & 0x3F) << 8 | octets[at + 1]
                if after < 0:
                    after = at + 2
                if target >= limit:
                    raise NameFault("a compression pointer leads forward")
                pointers += 1
                if pointers > POINTERS_MAX:
                    raise NameFault("a name in too many pieces")
                at = limit = target
            else:
                raise NameFault("a label of a kind that nobody uses")  # RFC 6891 5
            if len(wire) >= NAME_BYTES_MAX:
                raise NameFault("a name longer than 255 bytes")
    except IndexError:
        raise NameFault("the message ends within a name") from None
    wire.append(0)
    return bytes(wire).lower(), at + 1 if after < 0 else after


def skip_name(octets: bytes, at: int) -> int:
    """Where what follows the name at `at` of a message begins; the name itself is of no interest.

    A pointer ends the name as far as this place goes. It is checked, not followed.
    """
    start = at
    try:
        while length := octets[at]:
            if length >= 0xC0:
                if (length & 0x3F) << 8 | octets[at + 1] >= start:
                    raise NameFault("a compression pointer leads forward")
                return at + 2
            if length > LABEL_BYTES_MAX:
                raise NameFault("a label of a kind that nobody uses")  # RFC 6891 5
            at += length + 1
            if at - start >= NAME_BYTES_MAX:
                raise NameFault("a name longer than 255 bytes")
    except IndexError:
        raise NameFault("the message ends within a name") from None
    return at + 1
