"""Addresses as they are written, and as much of a client's as may be told."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from nearcast.wire.addresses import address_text, authority_text, client_subnet, endpoint_text


@pytest.mark.parametrize(
    ("client", "subnet"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("203.0.113.128/25", "203.0.113.0/24"),
        ("203.0.0.0/16", "203.0.0.0/16"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/56"),
        ("2001:db8:1:2ff::/64", "2001:db8:1:200::/56"),
        ("2001:db8::/32", "2001:db8::/32"),
    ],
)
def test_no_more_of_the_client_is_told_than_its_subnet(client: str, subnet: str) -> None:
    told = client_subnet(ip_network(client) if "/" in client else ip_address(client))
    assert told == ip_network(subnet)


@pytest.mark.parametrize(
    ("host", "port", "address", "endpoint", "authority"),
    [
        ("192.0.2.1", 80, "192.0.2.1", "192.0.2.1:80", "192.0.2.1"),
        ("192.0.2.1", 8080, "192.0.2.1", "192.0.2.1:8080", "192.0.2.1:8080"),
        ("2001:db8::1", 80, "[2001:db8::1]", "[2001:db8::1]:80", "[2001:db8::1]"),
        ("2001:db8::1", 8080, "[2001:db8::1]", "[2001:db8::1]:8080", "[2001:db8::1]:8080"),
    ],
)
def test_an_address_is_written_one_way(
    host: str, port: int, address: str, endpoint: str, authority: str
) -> None:
    for each in (host, ip_address(host)):
        assert address_text(each) == address
        assert endpoint_text(each, port) == endpoint
        assert authority_text(each, port) == authority


def test_a_name_is_written_as_it_is() -> None:
    assert authority_text("www.movie.test", 80) == "www.movie.test"
    assert authority_text("www.movie.test", 8080) == "www.movie.test:8080"
