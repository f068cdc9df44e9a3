"""Longest-prefix match against the obvious slow ways."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearcast.model.prefixes import PrefixTable
from nearcast.wire.addresses import IpAddress, IpNetwork


class ByLengths:
    """The oracle: one dictionary per prefix length for the match, and every longer prefix for the scope."""

    def __init__(self, entries: Iterable[tuple[IpNetwork, str]]) -> None:
        self.tables: dict[tuple[int, int], dict[int, str]] = {}
        for network, value in entries:
            table = self.tables.setdefault((network.version, network.prefixlen), {})
            table.setdefault(int(network.network_address), value)

    def find(self, address: IpAddress) -> tuple[str | None, int, int]:
        """Value, length of the match, scope."""
        bits, number = address.max_prefixlen, int(address)
        lengths = sorted(
            (length for version, length in self.tables if version == address.version), reverse=True
        )
        value, matched = None, 0
        for length in lengths:
            mask = ((1 << length) - 1) << (bits - length)
            if (number & mask) in self.tables[address.version, length]:
                value, matched = self.tables[address.version, length][number & mask], length
                break
        scope = matched
        for length in lengths:
            if length > matched:
                for other in self.tables[address.version, length]:
                    scope = max(scope, min(bits - (number ^ other).bit_length() + 1, length))
        return value, matched, scope


# Small universes (a few leading bits, a few in the middle, a few at the end) so that prefixes nest and meet.
PATTERNS = {
    4: (32, [0, 1, 2, 3, 8, 15, 16, 17, 24, 30, 31, 32], (29, 15, 0)),
    6: (128, [0, 1, 2, 3, 32, 63, 64, 65, 66, 126, 127, 128], (125, 62, 0)),
}


@st.composite
def addresses(draw: st.DrawFn, version: int) -> IpAddress:
    _, _, shifts = PATTERNS[version]
    number = 0
    for shift in shifts:
        number |= draw(st.integers(0, 7)) << shift
    return IPv4Address(number) if version == 4 else IPv6Address(number)


@st.composite
def networks(draw: st.DrawFn, version: int) -> IpNetwork:
    address, length = draw(addresses(version)), draw(st.sampled_from(PATTERNS[version][1]))
    return ip_network((address, length), strict=False)


def entries(prefixes: Iterable[IpNetwork]) -> list[tuple[IpNetwork, str]]:
    """Every entry has a value of its own, so that it shows which of equal prefixes won."""
    return [(prefix, f"{prefix} #{number}") for number, prefix in enumerate(prefixes)]


FAMILIES = pytest.mark.parametrize("version", [4, 6])


@FAMILIES
@given(data=st.data())
def test_value_length_and_scope_are_those_of_the_slow_way(version: int, data: st.DataObject) -> None:
    kept = entries(data.draw(st.lists(networks(version), max_size=12)))
    table, oracle = PrefixTable(kept), ByLengths(kept)
    edges = [prefix.network_address for prefix, _ in kept] + [prefix.broadcast_address for prefix, _ in kept]
    for client in [*data.draw(st.lists(addresses(version), min_size=1, max_size=8)), *edges]:
        value, length, scope = oracle.find(client)
        assert table.find(client) == (None if value is None else (value, length, scope))
        assert table.find_packed(client.packed) == (value, scope)
        assert table.scope(client) == scope


@FAMILIES
@given(data=st.data())
def test_everybody_within_the_scope_has_the_same_result_and_scopes_never_overlap(
    version: int, data: st.DataObject
) -> None:
    table = PrefixTable(entries(data.draw(st.lists(networks(version), max_size=12))))
    client, other = data.draw(addresses(version)), data.draw(addresses(version))
    around = ip_network((client, table.scope(client)), strict=False)
    if other in around:
        assert table.find_packed(other.packed) == table.find_packed(client.packed)
    else:
        assert not around.overlaps(ip_network((other, table.scope(other)), strict=False))


@given(st.lists(st.integers(0, 2**32 - 1).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, 32)))))
def test_a_network_may_be_given_without_its_object(numbers: list[tuple[int, int]]) -> None:
    prefixes = [IPv4Network((number, length), strict=False) for number, length in numbers]
    plain = [((4, int(each.network_address), each.prefixlen), value) for each, value in entries(prefixes)]
    table, same = PrefixTable(entries(prefixes)), PrefixTable(plain)
    for number, _ in numbers:
        assert table.find(IPv4Address(number)) == same.find(IPv4Address(number))


def test_families_do_not_mix_and_the_first_of_equals_wins() -> None:
    table = PrefixTable(
        [(ip_network("::/0"), "six"), (ip_network("10.0.0.0/8"), "a"), (ip_network("10.0.0.0/8"), "b")]
    )
    assert table.find(ip_address("192.0.2.1")) is None
    assert table.find(ip_address("10.1.2.3")).value == "a"  # type: ignore[union-attr]
    assert table.find(ip_address("2001:db8::1")).value == "six"  # type: ignore[union-attr]


def test_an_empty_table_knows_nobody_and_says_so_for_all() -> None:
    table: PrefixTable[str] = PrefixTable([])
    for client in ("0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"):
        assert table.find_packed(ip_address(client).packed) == (None, 0)


def test_a_gap_is_answered_in_the_widest_prefixes_that_fit_into_it() -> None:
    table = PrefixTable([(IPv4Network("10.0.0.0/8"), "ten"), (IPv4Network("10.0.0.0/24"), "small")])
    for client, scope in {
        "10.0.0.9": 24,
        "10.0.1.9": 24,
        "10.0.2.9": 23,
        "10.200.0.1": 9,
        "11.0.0.1": 8,
    }.items():
        assert table.scope(ip_address(client)) == scope, client


def test_many_networks_of_both_kinds_stay_right() -> None:
    """Enough of them that the directory by leading bits has several networks in a cell."""
    kept = entries(
        [IPv4Network((n * 2_654_435_761 % 2**32 & 0xFFFFFF00, 24)) for n in range(700)]
        + [
            IPv6Network(((0x2A00 << 112) + (n * 40_503 % 4096 << 70 - n % 9), 48 + n % 81), strict=False)
            for n in range(700)
        ]
    )
    table, oracle = PrefixTable(kept), ByLengths(kept)
    for prefix, _ in kept[::7]:
        for client in (prefix.network_address, prefix.broadcast_address):
            value, _, scope = oracle.find(client)
            assert table.find_packed(client.packed) == (value, scope)
            if int(client) + 1 < 2**client.max_prefixlen:
                value, _, scope = oracle.find(client + 1)
                assert table.find_packed((client + 1).packed) == (value, scope)
