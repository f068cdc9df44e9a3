"""The n-th operation of a store's disk fails, for every n: the store may forget, but is never wrong."""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator

import pytest

from nearcast.cache.entry import ObjectHead
from nearcast.cache.freshness import Freshness
from nearcast.cache.policies.registry import policy_named
from nearcast.cache.store import Store
from nearcast.simulate.world.disk import VirtualDisk

BYTES_MAX = 12_000
FRESH = Freshness(60.0, 0.0, 0.0, 0.0)
CODES = (errno.EIO, errno.ENOSPC, errno.EROFS, errno.EMFILE)


class Day:
    """One day of a store: it opens, stores, reads, replaces, evicts, purges, and opens again."""

    def __init__(self, failing: int | None, code: int, sync: bool) -> None:
        self.disk = VirtualDisk(dice=random.Random(1))
        self.operations = 0
        self.disk._record = self._count  # type: ignore[method-assign]
        if failing is not None:
            self.disk.fail("*", code, times=1, after=failing)
        self.sync = sync
        self.bodies: dict[str, set[bytes]] = {}
        self.purged: set[bytes] = set()

    def _count(self, operation: str, path: str, size: int) -> None:
        self.operations += 1

    def opened(self) -> Store:
        store = Store(self.disk, BYTES_MAX, policy=policy_named("lru"), sync=self.sync, small_bytes_max=500)
        store.open()
        return store

    def put(self, store: Store, key: str, body: bytes) -> None:
        self.bodies.setdefault(key, set()).add(body)
        writer = store.begin(ObjectHead(key, 200, {}, 1.0, FRESH), len(body))
        if writer is None:
            return
        for start in range(0, len(body), 700):
            if not writer.write(body[start : start + 700]):
                return
        writer.commit()

    def look(self, store: Store) -> Iterator[str]:
        """Every key that is there; what it gives must be one of what was put."""
        for key in self.bodies:
            stored = store.get(key)
            if stored is not None:
                octets = bytes(stored.body.octets)
                assert octets in self.bodies[key] - self.purged
                yield key

    def run(self) -> int:
        """The day; how many objects are there at its end."""
        store = self.opened()
        for number in range(6):
            self.put(store, f"movie/{number}", bytes([number]) * (300 + 900 * number))
        list(self.look(store))
        self.put(store, "movie/1", b"new" * 400)
        try:
            store.purge(["movie/2"])
            self.purged |= self.bodies["movie/2"]
        except OSError:
            pass  # not acknowledged: it may stay
        list(self.look(store))
        self.balanced(store)
        self.disk.crash()
        store = self.opened()
        self.put(store, "movie/7", b"late")
        self.balanced(store)
        return len(list(self.look(store)))

    def balanced(self, store: Store) -> None:
        """The account has what the disk has, and never more than the bound."""
        assert sum(self.disk.sizes().values()) <= store.bytes_stored <= BYTES_MAX


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("code", CODES, ids=errno.errorcode.get)
def test_whichever_operation_fails_the_store_stays_right_and_goes_on(code: int, sync: bool) -> None:
    quiet = Day(None, code, sync)
    assert quiet.run() >= 2
    assert quiet.operations > 40
    for n in range(quiet.operations + 5):
        Day(n, code, sync).run()


def test_a_store_that_met_one_fault_stores_again() -> None:
    for n in range(30):
        day = Day(n, errno.EIO, False)
        day.run()
        store = day.opened()
        day.put(store, "movie/8", b"after all")
        assert "movie/8" in set(day.look(store))
