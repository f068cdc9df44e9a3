"""Small changes to an input, drawn from a seed: what a stranger's program or a bad line might make of it."""

from __future__ import annotations

import random
from collections.abc import Sequence

BYTES_MAX = 2048
INTERESTING = (
    *(bytes([octet]) for octet in (0, 1, 9, 10, 13, 32, 0x7F, 0x80, 0xC0, 0xFF)),
    *(character.encode() for character in '"\\,;=:/%?#*()[]<>&$@-+.'),
    b"\r\n", b"\r\n\r\n", b"\n\n", b"0", b"1", b"9" * 20, b"9" * 400, b"-1", b"%00", b"%ff", b"W/",
    b"\xc0\x0c", b"\xff\xff", "é".encode(), "١".encode(), "ß".encode(), "\u2028".encode(), b"\xed\xa0\x80",
)  # fmt: skip


def mutated(rng: random.Random, octets: bytes, others: Sequence[bytes]) -> bytes:
    """`octets` changed in one to a few places; `others` lend parts of theirs."""
    for _ in range(1 << rng.randrange(4)):
        at = rng.randint(0, len(octets))
        to = min(len(octets), at + 1 + int(rng.expovariate(0.2)))
        match rng.randrange(9):
            case 0:  # flip a bit
                to = min(len(octets), at + 1)
                octets = (
                    octets[:at] + bytes(each ^ 1 << rng.randrange(8) for each in octets[at:to]) + octets[to:]
                )
            case 1:
                octets = octets[:at] + octets[to:]
            case 2:
                octets = octets[:at] + rng.choice(INTERESTING) + octets[at:]
            case 3:
                octets = octets[:at] + rng.choice(INTERESTING) + octets[to:]
            case 4:  # repeat
                octets = octets[:to] + octets[at:to] * (1 << rng.randrange(6)) + octets[to:]
            case 5:  # a part of another
                other = rng.choice(others)
                start = rng.randint(0, len(other))
                octets = octets[:at] + other[start : start + 1 + int(rng.expovariate(0.05))] + octets[at:]
            case 6:  # the head of this one, the tail of another
                other = rng.choice(others)
                octets = octets[:at] + other[rng.randint(0, len(other)) :]
            case 7:  # move
                part, rest = octets[at:to], octets[:at] + octets[to:]
                where = rng.randint(0, len(rest))
                octets = rest[:where] + part + rest[where:]
            case _:
                octets = octets[:at]
        octets = octets[:BYTES_MAX]
    return octets
