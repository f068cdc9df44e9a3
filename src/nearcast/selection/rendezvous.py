"""Rendezvous (highest random weight) hashing: which servers of a PoP keep which content.

Every server gets a weight for the key, and the highest wins. When a server goes, only its own keys
move, and each moves to the server that was next for it; when it returns, they return. No dice: the
same key and servers give the same order in every process (D. Thaler, C. Ravishankar, "Using
name-based mappings to increase hit rates", IEEE/ACM ToN 6(1), 1998).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b


def weight(key: str, member: str) -> int:
    """The weight of `member` for `key`: 64 bits, equal everywhere."""
    return int.from_bytes(blake2b(f"{key}\0{member}".encode(), digest_size=8).digest(), "big")


def rank(key: str, members: Iterable[str]) -> list[str]:
    """`members` in the order in which they are to serve `key`."""
    return sorted(members, key=lambda member: (weight(key, member), member), reverse=True)
