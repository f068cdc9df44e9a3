"""The virtual disk's faults. Its crash rules are in tests/property/test_simulate_disk.py."""

from __future__ import annotations

import errno
import random

import pytest

from nearcast.simulate.world.disk import PAGE_BYTES, DiskShape, VirtualDisk


def code_of(raised: pytest.ExceptionInfo[OSError]) -> int | None:
    return raised.value.errno


def write(disk: VirtualDisk, path: str, octets: bytes) -> None:
    file = disk.create(path)
    file.write(octets)
    file.sync()
    file.close()


def test_a_full_disk_takes_what_fits_and_frees_what_is_removed() -> None:
    disk = VirtualDisk(DiskShape(capacity_bytes=100))
    write(disk, "a", bytes(60))
    file = disk.create("b")
    with pytest.raises(OSError, match="No space") as raised:
        file.write(bytes(50))
    assert code_of(raised) == errno.ENOSPC
    assert [entry.size for entry in disk.entries("")] == [60, 40]
    assert disk.bytes_free() == 0
    disk.rename("b", "a")
    assert disk.bytes_free() == 60
    disk.remove("a")
    assert disk.bytes_free() == 100


def test_a_disk_can_be_filled_and_emptied_again() -> None:
    disk = VirtualDisk()
    write(disk, "a", bytes(10))
    limit = disk.fill(free_bytes=5)
    assert disk.bytes_free() == 5
    disk.unfill(limit)
    write(disk, "b", bytes(1000))


def test_a_read_only_disk_reads() -> None:
    disk = VirtualDisk()
    write(disk, "a", b"x")
    file = disk.create("open")
    disk.lock()
    for change in (
        lambda: disk.create("b"),
        lambda: disk.rename("a", "b"),
        lambda: disk.remove("a"),
        lambda: disk.make_directory("d"),
        lambda: file.write(b"y"),
    ):
        with pytest.raises(OSError, match="Read-only") as raised:
            change()
        assert code_of(raised) == errno.EROFS
    assert disk.read("a") == b"x"
    disk.unlock()
    disk.remove("a")


def test_any_operation_can_fail_a_stated_number_of_times() -> None:
    disk = VirtualDisk()
    write(disk, "a", b"x")
    disk.fail("read", times=2)
    for _ in range(2):
        with pytest.raises(OSError, match="Input/output") as raised:
            disk.read("a")
        assert code_of(raised) == errno.EIO
    assert disk.read("a") == b"x"
    disk.fail("*", errno.EROFS)
    for _ in range(3):
        with pytest.raises(OSError, match="Read-only"):
            disk.entries("")
    disk.heal("*")
    assert disk.entries("")
    with pytest.raises(ValueError, match="no disk operation 'wirte'"):
        disk.fail("wirte")


def test_after_a_failed_sync_a_later_one_promises_nothing() -> None:
    kept = set()
    for seed in range(20):
        disk = VirtualDisk(dice=random.Random(seed))
        file = disk.create("a")
        file.write(bytes(range(1, 101)))
        disk.fail("sync", times=1)
        with pytest.raises(OSError, match="Input/output"):
            file.sync()
        file.sync()
        disk.sync_directory("")
        disk.crash()
        kept.add(disk.read("a") == bytes(range(1, 101)))
    assert False in kept


def test_rot_flips_bits_of_the_file_and_not_of_a_view_that_is_mapped() -> None:
    disk = VirtualDisk()
    write(disk, "a", bytes(100))
    view = disk.map("a")
    assert disk.rot(bits=3) == "a"
    assert view == bytes(100)
    assert sum(octet.bit_count() for octet in disk.read("a")) in (1, 3)
    assert disk.rot("missing") is None
    assert VirtualDisk().rot() is None


def test_a_mapped_view_outlives_the_file_and_is_read_only() -> None:
    disk = VirtualDisk()
    file = disk.create("a")
    file.write(b"one")
    view = disk.map("a")
    file.write(b"two")
    assert disk.read("a") == b"onetwo"
    disk.remove("a")
    assert view == b"one"
    assert view.readonly


def test_files_that_were_open_at_a_crash_are_gone() -> None:
    disk = VirtualDisk()
    file = disk.create("a")
    disk.crash()
    for use in (lambda: file.write(b"x"), file.sync):
        with pytest.raises(OSError, match="Bad file descriptor"):
            use()


def test_every_operation_takes_its_time_and_is_told() -> None:
    waited: list[float] = []
    told: list[tuple[str, str, int]] = []
    disk = VirtualDisk(
        DiskShape(latency_seconds=1.0, bytes_per_second=10.0),
        wait=waited.append,
        record=lambda *what: told.append(what),
    )
    write(disk, "a", bytes(50))
    disk.read("a")
    disk.map("a")
    assert waited == [1.0, 6.0, 1.0, 6.0, 1.0]
    assert told[:3] == [("create", "a", 0), ("write", "a", 50), ("sync", "a", 50)]


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../b"])
def test_paths_stay_below_the_root(path: str) -> None:
    with pytest.raises(ValueError, match="below the disk's root"):
        VirtualDisk().create(path)


@pytest.mark.parametrize("how", ["flip", "zero"])
def test_a_spoilt_page_shows_in_mappings_that_exist_already(how: str) -> None:
    disk = VirtualDisk(dice=random.Random(1))
    octets = random.Random(2).randbytes(3 * PAGE_BYTES)
    write(disk, "a", octets)
    mapped = disk.map("a")
    assert disk.spoil(how=how) == "a"
    assert mapped != octets
    assert mapped == disk.read("a") == disk.map("a")
    spoilt = [
        n
        for n in range(3)
        if mapped[n * PAGE_BYTES : (n + 1) * PAGE_BYTES] != octets[n * PAGE_BYTES :][:PAGE_BYTES]
    ]
    assert len(spoilt) == 1


def test_rot_in_a_file_does_not_reach_what_is_mapped() -> None:
    disk = VirtualDisk()
    write(disk, "a", bytes(100))
    mapped = disk.map("a")
    assert disk.rot("a") == "a"
    assert mapped == bytes(100) != disk.map("a")


def test_a_page_that_fails_makes_its_file_unreadable_and_no_other() -> None:
    disk = VirtualDisk()
    write(disk, "a", bytes(10))
    write(disk, "b", bytes(10))
    mapped = disk.map("a")
    assert disk.spoil("a", how="fail") == "a"
    for look in (disk.map, disk.read):
        with pytest.raises(OSError, match="Input/output") as raised:
            look("a")
        assert code_of(raised) == errno.EIO
    assert mapped == disk.map("b") == bytes(10)
    disk.remove("a")
    write(disk, "a", bytes(5))
    assert disk.read("a") == bytes(5)


def test_a_mapping_of_a_file_that_still_grows_keeps_what_it_showed() -> None:
    disk = VirtualDisk()
    file = disk.create("a")
    file.write(b"one")
    mapped = disk.map("a")
    file.write(b"two")
    assert mapped == b"one"
    assert disk.map("a") == b"onetwo"


def test_there_is_nothing_to_spoil_on_an_empty_disk() -> None:
    assert VirtualDisk().spoil() is None
