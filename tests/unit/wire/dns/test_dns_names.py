"""Names: text and wire form, parents, and compression pointers that cannot lead in a circle."""

from __future__ import annotations

import pytest

from nearcast.wire.dns.names import (
    POINTERS_MAX,
    ROOT,
    NameFault,
    lineage,
    name_text,
    parent,
    read_name,
    skip_name,
    wire_name,
    within,
)


def test_text_and_wire_form() -> None:
    assert wire_name("Movie.TEST.") == b"\x05movie\x04test\x00"
    assert name_text(b"\x05movie\x04test\x00") == "movie.test"
    assert wire_name("") == wire_name(".") == ROOT
    assert name_text(ROOT) == "."
    assert name_text(b"\x04a.b\x07\x00") == "a\\.b\\007"


@pytest.mark.parametrize("text", ["a..b", "x" * 64 + ".test", ".".join(["x" * 60] * 5)])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(NameFault):
        wire_name(text)


def test_lineage_and_parents() -> None:
    name = wire_name("a.movie.test")
    assert [name_text(each) for each in lineage(name)] == ["a.movie.test", "movie.test", "test", "."]
    assert parent(name) == wire_name("movie.test")


def test_within_compares_labels_not_letters() -> None:
    assert within(wire_name("www.movie.test"), wire_name("movie.test"))
    assert within(wire_name("movie.test"), wire_name("movie.test"))
    assert within(wire_name("test"), ROOT)
    assert not within(wire_name("badmovie.test"), wire_name("movie.test"))
    # "\x0amovie\x04test" as one label ends with the zone's bytes, and still is not below it
    assert not within(b"\x0b\x05movie\x04test\x00", wire_name("movie.test"))


def test_reading_follows_pointers_backwards() -> None:
    message = b"\x05Movie\x04test\x00\x03www\xc0\x00after"
    assert read_name(message, 12) == (wire_name("www.movie.test"), 18)
    assert read_name(message, 0) == (wire_name("movie.test"), 12)


@pytest.mark.parametrize(
    "message",
    [
        b"\xc0\x00",  # to itself
        b"\x01a\xc0\x00",  # to its own beginning
        b"\xc0\x02\xc0\x00",  # forward
        b"\x05mov",  # cut off
        b"\xc0",
        b"\x80a",  # a kind of label that nobody uses
        b"\x3f" + b"a" * 63 + b"\x3f" + b"a" * 63 + b"\x3f" + b"a" * 63 + b"\x3f" + b"a" * 63 + b"\x00",
    ],
)
def test_names_that_cannot_be_read(message: bytes) -> None:
    with pytest.raises(NameFault):
        read_name(message, 0)


@pytest.mark.parametrize(("pointers", "read"), [(POINTERS_MAX, True), (POINTERS_MAX + 1, False)])
def test_a_name_has_a_bounded_number_of_pieces(pointers: int, read: bool) -> None:
    message = ROOT + b"".join(
        (0xC000 | max(0, at - 1)).to_bytes(2, "big") for at in range(0, 2 * pointers, 2)
    )
    if read:
        assert read_name(message, len(message) - 2) == (ROOT, len(message))
    else:
        with pytest.raises(NameFault, match="too many pieces"):
            read_name(message, len(message) - 2)
    assert skip_name(message, len(message) - 2) == len(message)


@pytest.mark.parametrize("name", [ROOT, b"\1a\0", b"\1a\xc0\x00", b"\xc0\x01"])
def test_a_name_can_be_skipped(name: bytes) -> None:
    message = b"\1b\0" + name + b"rest"
    assert skip_name(message, 3) == 3 + len(name)


@pytest.mark.parametrize(
    "name", [b"\xc0\x03", b"\1a\xc0\x09", b"\x40", b"\5ab", b"\xc0", b"\x3f" + b"a" * 63]
)
def test_what_cannot_be_skipped(name: bytes) -> None:
    with pytest.raises(NameFault):
        skip_name(b"\1b\0" + name, 3)
    with pytest.raises(NameFault):
        skip_name(b"\1b\0" + (b"\x3f" + b"a" * 63) * 5 + ROOT, 3)
