"""Longest-prefix match against the obvious slow way."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from nearcast.model.prefixes import PrefixTable

# A small universe (the top byte and the low byte vary) so that prefixes nest and meet often.
addresses = st.builds(
    lambda high, low: IPv4Address(high << 24 | low),
    st.integers(0, 7).map(lambda n: n << 5),
    st.integers(0, 7),
)
networks = st.builds(
    lambda address, length: IPv4Network((int(address), length), strict=False),
    addresses,
    st.sampled_from([0, 1, 2, 3, 8, 24, 30, 31, 32]),
)


@given(st.lists(networks, max_size=8), addresses)
def test_find_agrees_with_trying_every_network(prefixes: list[IPv4Network], client: IPv4Address) -> None:
    table = PrefixTable((prefix, str(prefix)) for prefix in prefixes)
    best = max((p for p in prefixes if client in p), key=lambda p: p.prefixlen, default=None)
    match = table.find(client)
    assert (match.value if match else None) == (str(best) if best else None)
    if match and best:
        assert match.length == best.prefixlen


@given(st.lists(networks, max_size=8), addresses, addresses)
def test_everybody_within_the_scope_has_the_same_result(
    prefixes: list[IPv4Network], client: IPv4Address, other: IPv4Address
) -> None:
    table = PrefixTable((prefix, str(prefix)) for prefix in prefixes)
    if other in IPv4Network((int(client), table.scope(client)), strict=False):
        here, there = table.find(client), table.find(other)
        assert (here and here.value) == (there and there.value)


def test_families_do_not_mix_and_the_first_of_equals_wins() -> None:
    table = PrefixTable(
        [(ip_network("::/0"), "six"), (ip_network("10.0.0.0/8"), "a"), (ip_network("10.0.0.0/8"), "b")]
    )
    assert table.find(ip_address("192.0.2.1")) is None
    assert table.find(ip_address("10.1.2.3")).value == "a"  # type: ignore[union-attr]
    assert table.find(ip_address("2001:db8::1")).value == "six"  # type: ignore[union-attr]
