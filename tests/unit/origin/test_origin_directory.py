"""Contents in a directory: their tags, and what a directory does not give away."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from nearcast.origin import directory
from nearcast.origin.content import MemorySource, Mounted, OnePage, Stacked, content_tag
from nearcast.origin.directory import READ_BYTES_MAX, DirectorySource


def tag_of(source: DirectorySource, name: str) -> str:
    content = source.find(name)
    assert content is not None
    return content.etag


@pytest.mark.parametrize("size", [0, 1, READ_BYTES_MAX, READ_BYTES_MAX + 1])
def test_a_file_is_found_with_its_bytes(tmp_path: Path, size: int) -> None:
    octets = os.urandom(size)
    (tmp_path / "a").write_bytes(octets)
    os.utime(tmp_path / "a", (5.0, 7.5))
    content = DirectorySource(tmp_path).find("a")
    assert content is not None
    assert (bytes(content.octets), content.size, content.modified) == (octets, size, 7.5)
    assert content.etag == content_tag(octets)


@pytest.mark.parametrize("size", [10, READ_BYTES_MAX + 10, 300_000])
def test_the_tag_changes_with_the_content_and_only_with_it(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, file = DirectorySource(tmp_path), tmp_path / "a"
    file.write_bytes(b"a" * size)
    first = tag_of(source, "a")
    os.utime(file, (1.0, 1.0))
    assert tag_of(source, "a") == first, "the same content published again keeps its tag"
    (tmp_path / "new").write_bytes(b"b" * size)
    os.utime(tmp_path / "new", (1.0, 1.0))
    (tmp_path / "new").rename(file)
    assert tag_of(source, "a") != first
    assert DirectorySource(tmp_path).find("a") == source.find("a")


def test_a_tag_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def count(octets: memoryview) -> str:
        made.append(len(octets))
        return content_tag(octets)

    monkeypatch.setattr(directory, "content_tag", count)
    (tmp_path / "a").write_bytes(b"abc")
    source = DirectorySource(tmp_path)
    assert tag_of(source, "a") == tag_of(source, "a")
    assert made == [3]


def test_a_large_file_is_tagged_without_reading_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "HASHED_BYTES_MAX", 100)
    monkeypatch.setattr(directory, "content_tag", None)
    file = tmp_path / "a"
    file.write_bytes(b"a" * 101)
    source = DirectorySource(tmp_path)
    first = tag_of(source, "a")
    assert tag_of(source, "a") == first
    os.utime(file, (1.0, 1.0))
    assert tag_of(source, "a") != first


def test_what_was_found_stays_whole_when_something_new_is_published(tmp_path: Path) -> None:
    old = b"a" * (READ_BYTES_MAX + 1)
    (tmp_path / "a").write_bytes(old)
    content = DirectorySource(tmp_path).find("a")
    (tmp_path / "b").write_bytes(b"b")
    (tmp_path / "b").rename(tmp_path / "a")
    assert content is not None and bytes(content.octets) == old


def test_only_plain_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "out").symlink_to("/etc/hostname")
    (tmp_path / "folder" / "in").symlink_to("../real")
    (tmp_path / "real").write_bytes(b"real")
    source = DirectorySource(tmp_path)
    for name in (
        "folder",
        "pipe",
        "dangling",
        "loop",
        "out",
        "nothing",
        "real/below",
        "x" * 300,
        "",
        "../" + tmp_path.name,
    ):
        assert source.find(name) is None, name
    inside = source.find("folder/in")
    assert inside is not None and bytes(inside.octets) == b"real"


def test_a_name_that_only_begins_like_the_root_is_outside(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root2").write_bytes(b"outside")
    assert DirectorySource(tmp_path / "root").find("../root2") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "a").chmod(stat.S_IWUSR)
    assert DirectorySource(tmp_path).find("a") is None


def test_a_failing_disk_is_not_an_absent_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    (tmp_path / "a").write_bytes(b"a")
    monkeypatch.setattr(directory.os, "open", fail)
    with pytest.raises(OSError, match="Input/output"):
        DirectorySource(tmp_path).find("a")


def test_sources_combine() -> None:
    one, two = MemorySource({"a": b"1", "page": b"P"}), MemorySource({"a": b"2", "b": b"2"})
    source = Stacked(one, two, Mounted("m", two), OnePage("w", one, "page"))

    def octets(name: str) -> bytes | None:
        content = source.find(name)
        return None if content is None else bytes(content.octets)

    found = {name: octets(name) for name in ("a", "b", "m/b", "m", "mm/b", "w/x", "w/x/y", "w", "x/w/x")}
    assert found == {
        "a": b"1", "b": b"2", "m/b": b"2", "m": None, "mm/b": None, "w/x": b"P", "w/x/y": None, "w": None,
        "x/w/x": None,
    }  # fmt: skip
