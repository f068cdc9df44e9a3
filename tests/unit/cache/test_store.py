"""The store in single steps; what happens in any order is in tests/property/test_cache_store.py."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest

from nearcast.cache.disk import PosixDisk
from nearcast.cache.entry import ObjectHead, StoredObject
from nearcast.cache.freshness import Freshness
from nearcast.cache.policies.lru import Lru
from nearcast.cache.store import Store
from nearcast.simulate.world.disk import VirtualDisk


def opened(disk: VirtualDisk | PosixDisk, bytes_max: int = 10_000, **options: object) -> Store:
    store = Store(disk, bytes_max, **options)  # type: ignore[arg-type]
    store.open()
    return store


def head(key: str, stored_at: float = 1.0) -> ObjectHead:
    return ObjectHead(key, 200, {"etag": f'"{key}"'}, stored_at, Freshness(60.0, 0.0, 0.0, 0.0))


def put(store: Store, key: str, body: bytes, stored_at: float = 1.0) -> StoredObject | None:
    writer = store.begin(head(key, stored_at), len(body))
    if writer is None or (body and not writer.write(body)):
        return None
    return writer.commit()


@pytest.fixture
def disk() -> VirtualDisk:
    return VirtualDisk(dice=random.Random(1))


def test_on_a_real_directory(tmp_path: Path) -> None:
    store = opened(PosixDisk(tmp_path), 1_000_000)
    writer = store.begin(head("a"), None)
    assert writer is not None
    assert writer.write(b"one ")
    assert bytes(writer.written(0)) == b"one "
    assert writer.write(b"two")
    assert bytes(writer.written(2)) == b"e two"
    assert store.get("a") is None
    assert writer.commit() is not None
    assert put(store, "empty", b"") is not None
    (tmp_path / "objects" / "foreign").write_bytes(b"not ours" * 100)
    (tmp_path / "filling" / "77").write_bytes(b"cut off")

    again = opened(PosixDisk(tmp_path), 1_000_000)
    entry, empty = again.get("a"), again.get("empty")
    assert entry is not None
    assert empty is not None
    assert (bytes(entry.body.octets), entry.head, bytes(empty.body.octets)) == (b"one two", head("a"), b"")
    assert again.dropped_total == 1
    assert not list((tmp_path / "filling").iterdir())
    again.purge(["a"])
    assert bytes(entry.body.octets) == b"one two"  # a mapping outlives its file
    block = again.disk.block_bytes
    sizes = [file.stat().st_size for file in (tmp_path / "objects").iterdir()]
    assert again.bytes_stored == sum(-(-size // block) * block for size in sizes)


def test_it_stays_within_its_bytes_by_evicting(disk: VirtualDisk) -> None:
    store = opened(disk)
    for name in "abcdef":
        assert put(store, name, bytes(2500))
    assert (len(store), store.evicted_total) == (3, 3)
    assert store.get("d") is not None
    put(store, "g", bytes(2500))
    assert store.get("e") is None  # d was used since
    store.resize(3000)
    assert store.bytes_stored <= 3000
    assert sorted(store.keys()) == ["g"]


def test_what_is_being_written_counts_and_is_not_evicted(disk: VirtualDisk) -> None:
    store = opened(disk)
    writers = [store.begin(head(name), 4000) for name in "abc"]
    assert [writer is not None and writer.write(bytes(4000)) for writer in writers] == [True, True, False]
    assert store.bytes_stored <= 10_000
    writers[0].discard()  # type: ignore[union-attr]
    assert put(store, "c", bytes(4000)) is not None


def test_what_is_only_announced_takes_no_room(disk: VirtualDisk) -> None:
    store = opened(disk)
    for name in "abc":
        put(store, name, bytes(2500))
    announced = [store.begin(head(f"large {count}"), 4700) for count in range(5)]
    assert all(writer is not None and writer.write(b"1") for writer in announced)
    assert sorted(store.keys()) == ["a", "b", "c"]


def test_files_count_as_the_blocks_they_take(disk: VirtualDisk) -> None:
    disk.block_bytes = 4096
    store = opened(disk, 10 * 4096)
    for number in range(30):
        assert put(store, f"absent {number}", b"404")
    assert (len(store), store.bytes_stored) == (10, 10 * 4096)
    assert (len(opened(disk, 5 * 4096)), len(disk.entries("objects"))) == (5, 5)


def test_a_policy_may_refuse_and_is_told_how_an_object_left(disk: VirtualDisk) -> None:
    told: list[tuple[str, str]] = []

    class Choosy(Lru):
        def admits(self, key: str, size: int) -> bool:
            return size < 3000

        def evicted(self, key: str) -> None:
            told.append(("evicted", key))
            super().evicted(key)

        def removed(self, key: str) -> None:
            told.append(("removed", key))
            super().removed(key)

    store = opened(disk, policy=Choosy())
    assert store.begin(head("large"), 3000) is None
    for name in "abcd":
        put(store, name, bytes(2500))
    store.purge(["b"])
    assert told == [("evicted", "a"), ("removed", "b")]
    assert store.evicted_total == 1


def test_what_is_too_large_is_not_stored(disk: VirtualDisk) -> None:
    store = opened(disk)
    assert store.begin(head("a"), 6000) is None
    writer = store.begin(head("a"), None)
    assert writer is not None
    assert writer.write(bytes(3000))
    assert not writer.write(bytes(3000))
    assert (len(writer.written(0)), writer.open, writer.commit()) == (3000, False, None)
    assert (store.bytes_stored, disk.entries("filling")) == (0, [])


def test_the_order_of_storing_is_kept_over_a_restart(disk: VirtualDisk) -> None:
    store = opened(disk)
    for at, name in enumerate("cab"):
        put(store, name, bytes(2500), float(at))
    again = opened(disk)
    put(again, "d", bytes(2500), 9.0)
    assert sorted(again.keys()) == ["a", "b", "d"]


def test_a_confirmation_renews_only_what_is_still_there(disk: VirtualDisk) -> None:
    store = opened(disk)
    put(store, "a", b"body")
    old, new = store.head("a"), head("a", 99.0)
    assert old is not None
    assert store.refresh(old, new)
    entry = store.get("a")
    assert entry is not None
    assert (entry.head, bytes(entry.body.octets)) == (new, b"body")
    assert not store.refresh(old, head("a", 100.0))
    store.purge(["a"])
    assert not store.refresh(new, head("a", 100.0))


def test_a_purge_tries_again_what_could_not_be_removed(disk: VirtualDisk) -> None:
    store = opened(disk)
    put(store, "a", b"body")
    disk.fail("remove", errno.EROFS)
    store.remove("a")
    assert store.bytes_stored > 0  # the file is still there
    with pytest.raises(OSError, match="purged"):
        store.purge(["a"])
    disk.heal("remove")
    assert store.purge(["a"]) == 0
    assert (store.bytes_stored, disk.entries("objects")) == (0, [])


def test_too_many_open_files_make_room_instead_of_misses(disk: VirtualDisk) -> None:
    store = opened(disk)
    for name in "abc":
        put(store, name, b"body")
    again = opened(disk, small_bytes_max=1, mapped_max=10)
    assert again.get("a") is not None
    disk.fail("map", errno.EMFILE, times=1)
    assert again.get("b") is not None
    disk.fail("map", errno.EMFILE, times=2)
    assert again.get("c") is None
    assert again.get("c") is not None  # it was not dropped


@pytest.mark.parametrize(
    ("bounds", "operation"),
    [({"held_bytes_max": 250}, "read"), ({"small_bytes_max": 99, "mapped_max": 2}, "map")],
)
def test_so_many_bodies_are_at_hand_and_the_others_are_taken_up_when_asked_for(
    bounds: dict[str, int], operation: str
) -> None:
    done: list[str] = []
    disk = VirtualDisk(record=lambda operation, path, size: done.append(operation))
    store = opened(disk, **bounds)
    for name in "abc":
        put(store, name, name.encode() * 100)
    done.clear()
    for name in "bcbc":  # the two that came last
        assert bytes(store.get(name).body.octets) == name.encode() * 100  # type: ignore[union-attr]
    assert done == []
    kept = store.get("b")
    for name in "abca":
        assert bytes(store.get(name).body.octets) == name.encode() * 100  # type: ignore[union-attr]
    assert done == [operation] * 4
    assert kept is not None
    assert bytes(kept.body.octets) == b"b" * 100  # whoever reads it keeps it


@pytest.mark.parametrize("small_bytes_max", [1, 1000])
def test_what_is_taken_up_again_must_still_be_the_object(disk: VirtualDisk, small_bytes_max: int) -> None:
    store = opened(disk, small_bytes_max=small_bytes_max, mapped_max=1, held_bytes_max=150)
    put(store, "a", b"a" * 100)
    (name,) = [entry.name for entry in disk.entries("objects")]
    put(store, "b", b"b" * 100)
    disk.remove(f"objects/{name}")
    file = disk.create(f"objects/{name}")
    file.write(b"cut off")
    file.close()
    assert store.get("a") is None
    assert (store.dropped_total, store.keys()) == (1, ["b"])
    assert store.bytes_stored == disk.bytes_used


def test_what_a_failing_disk_hid_is_counted_and_purged_once_it_answers(
    disk: VirtualDisk,
) -> None:
    put(opened(disk), "old", b"o" * 4000)
    disk.fail("entries", errno.EIO)
    store = opened(disk)
    assert store.get("old") is None
    assert put(store, "new", b"n" * 4000) is None
    with pytest.raises(OSError, match="not known"):
        store.purge(["old"])
    with pytest.raises(OSError, match="not known"):
        store.purge_all()
    disk.heal("entries")
    assert store.purge(["old"]) == 1
    assert opened(disk).get("old") is None
    assert put(store, "new", b"n" * 4000) is not None
    assert put(store, "more", b"m" * 4000) is not None
    assert disk.bytes_used <= store.bytes_max


def test_a_disk_that_fails_at_the_start_leaves_an_empty_store(disk: VirtualDisk) -> None:
    disk.fail("*", errno.EIO)
    store = opened(disk)
    assert store.begin(head("a"), 4) is None
    assert (len(store), store.bytes_stored, store.faults_total > 0) == (0, 0, True)


@pytest.mark.parametrize("sync", [True, False])
def test_what_was_synced_survives_a_power_loss(sync: bool) -> None:
    survived = 0
    for seed in range(20):
        disk = VirtualDisk(dice=random.Random(seed))
        store = opened(disk, sync=sync)
        for name in "abc":
            put(store, name, name.encode() * 1000)
        disk.crash()
        again = opened(disk, sync=sync)
        for name in "abc":
            if (entry := again.get(name)) is not None:
                assert bytes(entry.body.octets) == name.encode() * 1000
                survived += 1
    assert (survived == 60) is sync
