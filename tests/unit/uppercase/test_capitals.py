"""The meaning of the protocol: capitals, errors that cannot be taken for capitals, the datagram's bound."""

from __future__ import annotations

import sys

import pytest

from nearcast.uppercase.capitals import capitals, datagram_capitals, is_error


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("hello", "HELLO"),
        ("straße", "STRASSE"),
        ("ﬁn", "FIN"),
        ("Ἀχιλλεύς", "ἈΧΙΛΛΕΎΣ"),
        ("日本 1", "日本 1"),
        ("error: is mine", "ERROR: IS MINE"),
    ],
)
def test_capitals_are_pythons(text: str, reply: str) -> None:
    assert capitals(text.encode()) == reply.encode()
    assert not is_error(capitals(text.encode()))


def test_no_capitals_of_any_character_can_be_taken_for_an_error_or_depend_on_neighbours() -> None:
    characters = [chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point < 0xE000]
    uppers = [character.upper() for character in characters]
    assert not any(upper.startswith("e") for upper in uppers)
    assert "".join(characters).upper() == "".join(uppers), (
        "capitals of the parts are the parts of the capitals"
    )
    assert not any("\n" in upper for upper in uppers if upper != "\n")


@pytest.mark.parametrize(
    ("octets", "octet", "offset"),
    [(b"caf\xe9", "0xe9", 3), (b"\xff", "0xff", 0), (b"a\xed\xa0\x80", "0xed", 1), (b"\xc0\xaf", "0xc0", 0)],
)
def test_what_is_not_utf8_gets_a_sentence_that_says_where(octets: bytes, octet: str, offset: int) -> None:
    reply = capitals(octets)
    assert is_error(reply)
    assert f"octet {octet} at offset {offset}" in reply.decode()


def test_a_datagram_of_2048_octets_is_answered_and_one_more_is_an_error() -> None:
    assert datagram_capitals(b"x" * 2048) == b"X" * 2048
    reply = datagram_capitals(b"x" * 2049)
    assert reply is not None
    assert is_error(reply)
    assert b"2049" in reply


def test_capitals_that_outgrow_a_datagram_are_an_error() -> None:
    text = "ΐ" * 1024
    assert len(text.encode()) == 2048
    reply = datagram_capitals(text.encode())
    assert reply is not None
    assert is_error(reply)
    assert b"6144" in reply


def test_an_empty_datagram_is_met_with_silence() -> None:
    assert datagram_capitals(b"") is None
