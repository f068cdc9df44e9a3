"""Fields of an answer, checked and written out once."""

from __future__ import annotations

import pytest

from nearcast.wire.http.field_block import FieldBlock, few_field_lines

BROKEN = [
    {"a": "b\r\nc: d"},
    {"a": "b\n"},
    {"a": "\x00"},
    {"a": "\x7f"},
    {"a\r\nb": "c"},
    {"": "a"},
    {"a b": "c"},
    {"a:": "b"},
    {"ä": "b"},
    {"a": "日"},
    {"a": "\u2028"},
]


def test_a_block_is_its_lines() -> None:
    block = FieldBlock({"etag": '"e"', "x-y": "é\t!"})
    assert block.lines == b'etag: "e"\r\nx-y: \xe9\t!\r\n'
    assert block.fields == {"etag": '"e"', "x-y": "é\t!"}


def test_what_is_the_connections_affair_is_left_out() -> None:
    block = FieldBlock({"connection": "close", "transfer-encoding": "chunked", "age": "1"})
    assert (block.lines, block.fields) == (b"age: 1\r\n", {"age": "1"})


@pytest.mark.parametrize("fields", BROKEN)
def test_nothing_can_be_smuggled_into_a_block(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        FieldBlock(fields)
    with pytest.raises(ValueError):
        few_field_lines(fields)


def test_few_fields_may_be_anything_that_fields_may_be() -> None:
    fields = {"age": "7", "cache-status": 'ia1; hit; detail="é"', "x!y": "\t"}
    assert few_field_lines(fields) == b'age: 7\r\ncache-status: ia1; hit; detail="\xe9"\r\nx!y: \t\r\n'
