"""Longest-prefix match over IPv4 and IPv6 networks, as sorted intervals.

The networks cut each family's addresses into intervals, each decided by one network or by none; a
look-up is one binary search, a microsecond or two from a hundred networks to a million.

The scope of an address is the widest prefix around it that stays inside its interval. An interval that
is a prefix itself has one scope, computed beforehand. One that is not (what lies between or around other
networks) is a row of up to 32 or 128 prefixes; a table of those would be many times larger, so for its
addresses the scope comes from the two addresses just outside, which decide it.

Hot file: `find_packed` runs for every new client; `bench/selection.py` shows what it costs.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from nearcast.wire.addresses import IpAddress, IpNetwork

T = TypeVar("T")

Prefix: TypeAlias = tuple[int, int, int]
"""A network without its object: version (4 or 6), first address, length in bits."""

_NO_NETWORK = 0  # index of the value that stands for "in no network"
_MANY_SCOPES = 0xFF  # of an interval that is not one prefix
_INDICES_OF_FOUR_OCTETS = 1 << 24


class Match(NamedTuple, Generic[T]):
    """What was found, and the length in bits of the prefix that decided it.

    `scope` is the length within which every address has the same answer (RFC 7871 7.2.1): where a
    longer prefix lies inside the matching one, answers for the whole match would be too coarse.
    """

    value: T
    length: int
    scope: int


class PrefixTable(Generic[T]):
    """Networks and what belongs to them; immutable once built. The first of equal networks wins."""

    def __init__(self, entries: Iterable[tuple[IpNetwork | Prefix, T]]) -> None:
        networks: dict[int, dict[int, int]] = {4: {}, 6: {}}
        self._values: list[T | None] = [None]
        known: dict[int, int] = {}  # by identity: values need not be hashable, and are all kept alive
        for network, value in entries:
            if isinstance(network, tuple):
                version, number, length = network
            else:
                version, length = network.version, network.prefixlen
                number = int(network.network_address)
            index = known.get(id(value))
            if index is None:
                index = known[id(value)] = len(self._values)
                self._values.append(value)
            networks[version].setdefault(number << 8 | length, index)
        self._four = _Intervals(32, networks.pop(4), len(self._values))
        self._six = _Intervals(128, networks.pop(6), len(self._values))

    def find(self, address: IpAddress) -> Match[T] | None:
        """The longest network that `address` lies in."""
        intervals, packed = self._four if address.version == 4 else self._six, address.packed
        at = intervals.of(packed)
        if (index := intervals.decided[at] >> 8) == _NO_NETWORK:
            return None
        scope = intervals.scope(at, packed)
        return Match(self._values[index], intervals.lengths[at], scope)  # type: ignore[arg-type]

    def scope(self, address: IpAddress) -> int:
        """The prefix length within which all addresses share the result that `address` has."""
        return self.find_packed(address.packed)[1]

    def find_packed(self, packed: bytes) -> tuple[T | None, int]:
        """What belongs to the address of these 4 or 16 octets (None in no network), and its scope."""
        intervals = self._four if len(packed) == 4 else self._six
        at = intervals.of(packed)
        decided = intervals.decided[at]
        scope = decided & 0xFF
        if scope == _MANY_SCOPES:
            scope = intervals.scope(at, packed)
        return self._values[decided >> 8], scope


class _Intervals:
    """One family cut into intervals. `lengths` are those of their networks.

    Starts are kept by their first 32 or 64 bits; the rest of an IPv6 address only when some network is
    longer than /64. `decided` holds index of value and scope in one number, for memory is slower than
    arithmetic, and a directory by the leading bits leaves the search a few neighbours.
    """

    __slots__ = ("_bits", "_directory", "_highs", "_lows", "_octets", "_shift", "decided", "lengths")

    def __init__(self, bits: int, networks: dict[int, int], values: int) -> None:
        """`networks` are indices of values by first address and length, as `address << 8 | length`."""
        self._bits = bits
        self._octets = min(bits // 8, 8)
        below = bits - 8 * self._octets
        self._highs = array("I" if bits == 32 else "Q")
        self._lows = array("Q")
        self.lengths = bytearray()
        self.decided = array("I" if values < _INDICES_OF_FOUR_OCTETS else "Q")
        last, last_index = 0, _NO_NETWORK
        for start, index, length in _cuts(networks, bits):
            if start == last and self.lengths:  # what went on here is covered whole by what comes now
                self.lengths[-1] = length
            else:
                if self.lengths:
                    self.decided.append(last_index << 8 | _sole_scope(last, start, bits))
                self._highs.append(start >> below)
                if below:
                    self._lows.append(start & ((1 << below) - 1))
                self.lengths.append(length)
            last, last_index = start, index
        self.decided.append(last_index << 8 | _sole_scope(last, 1 << bits, bits))
        if not any(self._lows):
            self._lows = array("Q")
        self._shift = max(0, self._highs[-1].bit_length() - min(16, len(self._highs).bit_length()))
        cells = range((self._highs[-1] >> self._shift) + 1)
        self._directory = array("I", [bisect_left(self._highs, cell << self._shift) for cell in cells])
        self._directory.append(len(self._highs))

    def of(self, packed: bytes) -> int:
        """The interval that the address lies in."""
        highs, high = self._highs, int.from_bytes(packed[: self._octets], "big")
        cell = high >> self._shift
        if cell + 1 >= len(self._directory):
            behind = len(highs)
        else:
            behind = bisect_right(highs, high, self._directory[cell], self._directory[cell + 1])
        if self._lows and highs[behind - 1] == high:
            low = int.from_bytes(packed[self._octets :], "big")
            behind = bisect_right(self._lows, low, bisect_left(highs, high, 0, behind), behind)
        return behind - 1

    def scope(self, at: int, packed: bytes) -> int:
        """The shortest length at which the prefix around the address stays inside interval `at`."""
        if self._lows:
            number, bits = int.from_bytes(packed, "big"), self._bits
        else:
            number, bits = int.from_bytes(packed[: self._octets], "big"), 8 * self._octets
        scope = 0
        if at:
            scope = bits + 1 - (number ^ (self._start(at) - 1)).bit_length()
        if at + 1 < len(self._highs):
            scope = max(scope, bits + 1 - (number ^ self._start(at + 1)).bit_length())
        return scope

    def _start(self, at: int) -> int:
        return self._highs[at] << 64 | self._lows[at] if self._lows else self._highs[at]


def _cuts(networks: dict[int, int], bits: int) -> Iterator[tuple[int, int, int]]:
    """From which address on which network decides (start, index, length), ascending; of several with
    one start the last holds."""
    beyond = 1 << bits
    open_networks = [(beyond, _NO_NETWORK, 0)]  # end, index, length; from the widest inwards
    yield 0, _NO_NETWORK, 0
    for key in sorted(networks):  # of one start the wider first
        start, length, index = key >> 8, key & 0xFF, networks[key]
        while (end := open_networks[-1][0]) <= start:
            open_networks.pop()
            yield end, *open_networks[-1][1:]
        open_networks.append((start + (1 << (bits - length)), index, length))
        yield start, index, length
    while (end := open_networks.pop()[0]) < beyond:
        yield end, *open_networks[-1][1:]


def _sole_scope(start: int, end: int, bits: int) -> int:
    """The length of the prefix that `start` … `end` is, or _MANY_SCOPES when it is none."""
    size = end - start
    return _MANY_SCOPES if (size | start) & (size - 1) else bits + 1 - size.bit_length()
