"""The virtual disk beside a real directory, and what its crashes may and may not leave."""

from __future__ import annotations

import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nearcast.cache.disk import Disk, PosixDisk
from nearcast.simulate.world.disk import VirtualDisk

PATHS = st.sampled_from(["a", "b", "d/a", "d/b", "e/a"])
FOLDERS = st.sampled_from(["", "d", "e"])
OCTETS = st.binary(min_size=1, max_size=2000)
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("write"), PATHS, OCTETS, st.sampled_from([0.0, 0.5, 1.0])
        ),  # the part that is synced
        st.tuples(st.just("rename"), PATHS, PATHS),
        st.tuples(st.just("remove"), PATHS),
        st.tuples(st.just("sync_directory"), FOLDERS),
        st.tuples(st.just("make_directory"), FOLDERS),
        st.tuples(st.just("read"), PATHS),
        st.tuples(st.just("entries"), FOLDERS),
    ),
    max_size=30,
)


def do(disk: Disk, step: tuple[Any, ...]) -> Any:
    """One step on a disk: its result, or its errno."""
    try:
        match step:
            case ("write", path, octets, synced):
                file = disk.create(path)
                durable = int(len(octets) * synced)
                file.write(octets[:durable])
                if durable:
                    file.sync()
                file.write(octets[durable:])
                file.close()
                return len(disk.map(path))
            case (name, *arguments):
                return getattr(disk, name)(*arguments)
    except OSError as exc:
        return exc.errno


@given(STEPS)
def test_without_faults_it_is_a_real_directory(steps: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as folder:
        real, virtual = PosixDisk(Path(folder)), VirtualDisk()
        for step in steps:
            assert do(virtual, step) == do(real, step)


class Ledger:
    """What a program may rely on after a crash, kept by the rules of POSIX and not by those of the disk."""

    def __init__(self) -> None:
        self.versions: dict[str, list[bytes | None]] = {}  # per path: the durable one, then later ones
        self.synced: dict[bytes, int] = {}  # how many bytes of each content are durable

    def named(self, path: str, octets: bytes | None) -> None:
        self.versions.setdefault(path, [None]).append(octets)

    def directory_synced(self, folder: str) -> None:
        for path, versions in self.versions.items():
            if path.rpartition("/")[0] == folder:
                del versions[:-1]


@given(STEPS, st.integers(0, 1 << 32))
@settings(max_examples=300)
def test_a_crash_leaves_what_was_synced_and_no_name_that_never_was(
    steps: list[tuple[Any, ...]], seed: int
) -> None:
    disk, ledger = VirtualDisk(dice=random.Random(seed)), Ledger()
    for folder in ("d", "e"):
        disk.make_directory(folder)
        disk.sync_directory(folder)
    whole: dict[str, bytes] = {}
    for number, step in enumerate(steps):
        if step[0] == "write":  # make every content unlike all others
            step = (*step[:2], b"%d:" % number + step[2], step[3])
        if not isinstance(do(disk, step), int) or step[0] == "write":
            match step:
                case ("write", path, octets, synced) if path not in whole:
                    whole[path] = octets
                    ledger.named(path, octets)
                    ledger.synced[octets] = int(len(octets) * synced)
                case ("rename", old, new) if old in whole and old != new:
                    whole[new] = whole.pop(old)
                    ledger.named(old, None)
                    ledger.named(new, whole[new])
                case ("remove", path) if path in whole:
                    del whole[path]
                    ledger.named(path, None)
                case ("sync_directory", folder):
                    ledger.directory_synced(folder)
    disk.crash()
    left = {
        f"{folder}/{entry.name}".lstrip("/"): disk.read(f"{folder}/{entry.name}".lstrip("/"))
        for folder in ("", "d", "e")
        for entry in disk.entries(folder)
    }
    for path, versions in ledger.versions.items():
        if path not in left:
            assert None in versions, f"{path} was durable and is gone"
        else:
            assert any(_is(left[path], octets, ledger) for octets in versions if octets is not None)
    assert set(left) <= set(ledger.versions)
    complete = [octets for octets in left.values() if octets in ledger.synced]
    assert len(complete) == len(set(complete)), "a file has both its old name and its new one"


def test_a_rename_into_another_directory_takes_the_old_name_away_with_it() -> None:
    for seed in range(40):
        disk = VirtualDisk(dice=random.Random(seed))
        disk.make_directory("d")
        disk.make_directory("e")
        disk.create("d/new").sync()
        disk.rename("d/new", "e/kept")
        disk.sync_directory("e")
        disk.crash()
        assert [entry.name for entry in disk.entries("e")] == ["kept"]
        assert disk.entries("d") == []


def _is(found: bytes, octets: bytes, ledger: Ledger) -> bool:
    """Whether a crash may leave `found` of `octets`: what was synced, then a torn prefix of the rest."""
    durable = ledger.synced[octets]
    rest, written = found[durable:], octets[durable:]
    sectors = [(rest[at : at + 512], written[at : at + 512]) for at in range(0, len(rest), 512)]
    return (
        found[:durable] == octets[:durable]
        and len(rest) <= len(written)
        and all(left == wrote[: len(left)] or not any(left) for left, wrote in sectors)
    )


@given(st.integers(0, 1 << 32), st.booleans())
def test_a_rename_is_all_or_nothing(seed: int, over: bool) -> None:
    disk = VirtualDisk(dice=random.Random(seed))
    contents = {"new": b"the new one", "kept": b"the old one"}
    for path in ("kept", "new") if over else ("new",):
        file = disk.create(path)
        file.write(contents[path])
        file.sync()
    disk.sync_directory("")
    disk.rename("new", "kept")
    disk.crash()
    left = {entry.name: disk.read(entry.name) for entry in disk.entries("")}
    before = contents if over else {"new": contents["new"]}
    assert left in (before, {"kept": contents["new"]})


def test_both_outcomes_of_an_unsynced_rename_and_torn_files_happen() -> None:
    names, sizes = set(), set()
    for seed in range(60):
        disk = VirtualDisk(dice=random.Random(seed))
        file = disk.create("new")
        file.write(bytes([7]) * 2048)
        disk.sync_directory("")
        disk.rename("new", "kept")
        disk.crash()
        (entry,) = disk.entries("")
        names.add(entry.name)
        sizes.add(entry.size)
    assert names == {"new", "kept"}
    assert len(sizes) > 20


@given(st.integers(0, 1 << 32))
def test_a_crash_falls_as_its_seed_says(seed: int) -> None:
    def left() -> list[Any]:
        disk = VirtualDisk(dice=random.Random(seed))
        for name in "abcdef":
            disk.create(name).write(name.encode() * 1000)
        disk.crash()
        return [(entry.name, disk.read(entry.name)) for entry in disk.entries("")]

    assert left() == left()
