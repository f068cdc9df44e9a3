"""Longest-prefix match over IPv4 and IPv6 networks.

One dictionary per prefix length, longest first: a look-up costs one masked integer and one dictionary
probe per length in use, which for an operator's handful of lengths is cheaper than walking a trie in
Python.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

from nearcast.wire.addresses import IpAddress, IpNetwork

T = TypeVar("T")


class Match(NamedTuple, Generic[T]):
    """What was found, and the length in bits of the prefix that decided it.

    `scope` is the length within which every address has the same answer (RFC 7871 7.2.1): where a
    longer prefix lies inside the matching one, answers for the whole match would be too coarse.
    """

    value: T
    length: int
    scope: int


class PrefixTable(Generic[T]):
    """Networks and what belongs to them; immutable once built."""

    def __init__(self, entries: Iterable[tuple[IpNetwork, T]]) -> None:
        self._lengths: dict[int, list[tuple[int, int, dict[int, T]]]] = {4: [], 6: []}
        tables: dict[tuple[int, int], dict[int, T]] = {}
        for network, value in entries:
            table = tables.setdefault((network.version, network.prefixlen), {})
            table.setdefault(int(network.network_address), value)  # the first entry of equals wins
        for (version, length), table in sorted(tables.items(), reverse=True):
            bits = 32 if version == 4 else 128
            mask = ((1 << length) - 1) << (bits - length)
            self._lengths[version].append((length, mask, table))

    def find(self, address: IpAddress) -> Match[T] | None:
        """The longest network that `address` lies in."""
        number = int(address)
        for length, mask, table in self._lengths[address.version]:
            if (value := table.get(number & mask, _NOTHING)) is not _NOTHING:
                return Match(value, length, self._scope(address, length))  # type: ignore[arg-type]
        return None

    def scope(self, address: IpAddress) -> int:
        """The prefix length within which all addresses share the result that `address` has."""
        match = self.find(address)
        return match.scope if match else self._scope(address, 0)

    def _scope(self, address: IpAddress, matched: int) -> int:
        """The shortest length at which `address` parts from every longer prefix of the table."""
        bits = 32 if address.version == 4 else 128
        number, scope = int(address), matched
        for length, _, table in self._lengths[address.version]:
            if length <= matched:
                break
            for other in table:
                shared = bits - (number ^ other).bit_length()
                scope = max(scope, min(shared + 1, length))
        return scope


_NOTHING = object()
