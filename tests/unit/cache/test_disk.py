from __future__ import annotations

from pathlib import Path

import pytest

from nearcast.cache.disk import DirectoryEntry, PosixDisk


def test_a_directory_as_a_disk(tmp_path: Path) -> None:
    disk = PosixDisk(tmp_path / "store")
    disk.make_directory("a/b")
    disk.make_directory("a/b")
    file = disk.create("a/b/one")
    file.write(b"first ")
    early = disk.map("a/b/one")
    file.write(memoryview(b"second"))
    file.sync()
    file.close()
    disk.sync_directory("a/b")
    with pytest.raises(FileExistsError):
        disk.create("a/b/one")
    assert disk.entries("a/b") == [DirectoryEntry("one", 12)]
    disk.rename("a/b/one", "two")
    whole = disk.map("two")
    disk.remove("two")
    assert (bytes(early), bytes(whole)) == (b"first ", b"first second")
    with pytest.raises(FileNotFoundError):
        disk.read("two")
    disk.create("empty").close()
    assert (bytes(disk.map("empty")), disk.read("empty")) == (b"", b"")
    assert disk.entries("a") == []
    assert disk.bytes_free() > 0
