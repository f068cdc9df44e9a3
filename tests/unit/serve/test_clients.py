"""Whose connections are these?"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from nearcast.serve.clients import Clients, client_of


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
    ],
)
def test_a_client_is_an_ipv4_address_or_an_ipv6_network(address: str, client: str) -> None:
    assert client_of(address) == client


def test_the_greediest_is_known_whatever_comes_and_goes() -> None:
    dice = random.Random(6)
    clients: Clients[int] = Clients()
    held: list[tuple[str, int]] = []
    for number in range(5000):
        if held and dice.random() < 0.48:
            clients.remove(*held.pop(dice.randrange(len(held))))
        else:
            held.append((f"10.0.0.{int(dice.random() ** 2 * 20)}", number))
            clients.add(*held[-1])
        counts = Counter(client for client, _ in held)
        if held:
            assert counts[clients.greediest] == max(counts.values())
            assert len(clients.of(clients.greediest)) == max(counts.values())
    for each in [*held, *held]:
        clients.remove(*each)
    assert not clients._of and not clients._by_count, "nothing is left of who has gone"
