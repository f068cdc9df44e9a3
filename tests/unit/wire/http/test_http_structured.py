"""Structured fields: what is one, and what is none."""

from __future__ import annotations

import pytest

from nearcast.wire.http.structured import Item, Token, encode_bare, parse_dictionary, parse_list


def test_a_list() -> None:
    text = 'a;x;y=?0, "b\\"\\\\", 42 ,\t-1.50, ?1, :aGk=:, (a "b";q=1);r, ()'
    assert parse_list(text) == [
        Item(Token("a"), {"x": True, "y": False}),
        Item('b"\\', {}),
        Item(42, {}),
        Item(-1.5, {}),
        Item(True, {}),
        Item(b"hi", {}),
        Item((Item(Token("a"), {}), Item("b", {"q": 1})), {"r": True}),
        Item((), {}),
    ]
    assert parse_list("") == []


def test_a_dictionary() -> None:
    assert parse_dictionary("a=1, b, c=(x);y, a=2;z=3") == {
        "b": Item(True, {}),
        "c": Item((Item(Token("x"), {}),), {"y": True}),
        "a": Item(2, {"z": 3}),
    }


@pytest.mark.parametrize(
    "text",
    ["a,", ",a", "a b", "a;", "a;X", "a;;b", '"a', '"\\a"', '"é"', "1.", "1.2345", "1" * 16, "--1", "?2",
     "? 1", ":a", ":a:", "(a", "(a,b)", '("a""b")', "é", "a=1", "\ta"],
)  # fmt: skip
def test_what_is_no_list(text: str) -> None:
    with pytest.raises(ValueError):
        parse_list(text)


@pytest.mark.parametrize(
    "value", ["é", "\n", 10**15, 1e12, Token(""), Token("a b"), Token("1a"), float("nan")]
)
def test_what_cannot_be_written(value: str | int | float) -> None:
    with pytest.raises(ValueError):
        encode_bare(value)
