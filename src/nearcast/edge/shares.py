"""Places that are few, shared so that nobody can take them all.

A site gets a place as long as more are free than it has already, so there is always room for another site's
first request: one site alone can have half of them, two a third each. A client gets a quarter of that: one
alone can have a fifth, so it takes four and more to use up what a site can have.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv6Address

CLIENT_DIVISOR = 4
CLIENT_PREFIX_BITS = 64  # of an IPv6 address: a subscriber has at least that much to himself


class Shares:
    """At most `places_max` places."""

    def __init__(self, places_max: int) -> None:
        self.places_max = places_max
        self.taken = 0
        self.refused_total = 0
        self._of_site: Counter[str] = Counter()
        self._of_client: Counter[str] = Counter()

    def take(self, site: str, client: str) -> bool:
        """A place for something of `site` that `client` ("": we ourselves) asked for; false: not now."""
        free = self.places_max - self.taken
        if free <= self._of_site[site] or (client and free <= self._of_client[client] * CLIENT_DIVISOR):
            self.refused_total += 1
            self._tidy(site, client)
            return False
        self.taken += 1
        self._of_site[site] += 1
        self._of_client[client] += 1
        return True

    def give_back(self, site: str, client: str) -> None:
        """The place is free again."""
        self.taken -= 1
        self._of_site[site] -= 1
        self._of_client[client] -= 1
        self._tidy(site, client)

    def _tidy(self, site: str, client: str) -> None:
        """Keep no name that has no place."""
        if not self._of_site[site]:
            del self._of_site[site]
        if not self._of_client[client]:
            del self._of_client[client]


def client_of(address: str) -> str:
    """Who counts as one client: an IPv4 address, or the network of an IPv6 one."""
    if ":" not in address:
        return address
    try:
        number = int(IPv6Address(address.partition("%")[0]))
    except ValueError:
        return address
    return f"{number >> (128 - CLIENT_PREFIX_BITS):x}"
