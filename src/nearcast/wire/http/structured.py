"""Structured fields (RFC 9651), as far as CDN fields need them: lists and dictionaries of items.

An item is a bare value with parameters. Bare values are `int`, `float` (decimals), `bool`, `str`
(strings), `Token` and `bytes`; an inner list is a tuple of items. Parsing is strict, as RFC 9651 4.2
demands: anything malformed makes the whole field a ValueError, and the caller ignores the field.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

_KEY = re.compile(r"[a-z*][a-z0-9_\-.*]*")
_TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*")
_NUMBER = re.compile(r"-?[0-9]{1,15}(?!\.)(?![0-9])|-?[0-9]{1,12}\.[0-9]{1,3}(?![0-9])")
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_BYTES = re.compile(r":([A-Za-z0-9+/=]*):")
_BOOLEAN = re.compile(r"\?([01])")
_SPACES = re.compile(r" *")
_WHITESPACE = re.compile(r"[ \t]*")


class Token(str):
    """A word without quotes."""

    __slots__ = ()


Bare = int | float | bool | str | Token | bytes


class Item(NamedTuple):
    """A value and its parameters."""

    value: Bare | tuple[Item, ...]
    parameters: dict[str, Bare]


def parse_list(text: str) -> list[Item]:
    """The members of a list field. ValueError when it is malformed."""
    return _Reader(text).list()


def parse_dictionary(text: str) -> dict[str, Item]:
    """The members of a dictionary field, the last one of each key. ValueError when it is malformed."""
    return _Reader(text).dictionary()


def encode_item(value: Bare, parameters: dict[str, Bare]) -> str:
    """An item as it stands in a field. ValueError on what cannot be written."""
    parts = [encode_bare(value)]
    for key, parameter in parameters.items():
        if not _KEY.fullmatch(key):
            raise ValueError(f"no key: {key!r}")
        parts.append(key if parameter is True else f"{key}={encode_bare(parameter)}")
    return "; ".join(parts)


def encode_bare(value: Bare) -> str:
    """A bare value as it stands in a field."""
    if isinstance(value, bool):
        text = "?1" if value else "?0"
    elif isinstance(value, float):
        text = f"{value:.3f}".rstrip("0")
        text += "0" if text.endswith(".") else ""
    elif isinstance(value, bytes):
        text = f":{base64.b64encode(value).decode()}:"
    elif isinstance(value, str) and not isinstance(value, Token):
        text = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    else:
        text = str(value)
    reader = _Reader(text)
    if type(reader.bare()) is not type(value) or not reader.at_end or text != text.strip(" "):
        raise ValueError(f"not to be written in a structured field: {value!r}")
    return text


class _Reader:
    """Reads a field from left to right (RFC 9651 4.2)."""

    def __init__(self, text: str) -> None:
        self._text = text.strip(" ")
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._text)

    def list(self) -> list[Item]:
        members: list[Item] = []
        while not self.at_end:
            members.append(self._member())
            self._comma()
        return members

    def dictionary(self) -> dict[str, Item]:
        members: dict[str, Item] = {}
        while not self.at_end:
            key = self._match(_KEY, "a key")[0]
            member = self._member() if self._skip("=") else Item(True, self._parameters())
            members.pop(key, None)
            members[key] = member
            self._comma()
        return members

    def _member(self) -> Item:
        if not self._skip("("):
            return Item(self.bare(), self._parameters())
        inner: list[Item] = []
        while True:
            self._match(_SPACES, "spaces")
            if self._skip(")"):
                return Item(tuple(inner), self._parameters())
            inner.append(Item(self.bare(), self._parameters()))
            if self._peek() not in (" ", ")"):
                raise self._malformed("an inner list")

    def bare(self) -> Bare:
        first = self._peek()
        if first == '"':
            return re.sub(r"\\(.)", r"\1", self._match(_STRING, "a string")[1])
        if first == "?":
            return self._match(_BOOLEAN, "a boolean")[1] == "1"
        if first == ":":
            try:
                return base64.b64decode(self._match(_BYTES, "a byte sequence")[1], validate=True)
            except binascii.Error:
                raise self._malformed("a byte sequence") from None
        if first == "-" or first.isdigit():
            number = self._match(_NUMBER, "a number")[0]
            return float(number) if "." in number else int(number)
        return Token(self._match(_TOKEN, "a token")[0])

    def _parameters(self) -> dict[str, Bare]:
        parameters: dict[str, Bare] = {}
        while self._skip(";"):
            self._match(_SPACES, "spaces")
            key = self._match(_KEY, "a key")[0]
            value = self.bare() if self._skip("=") else True
            parameters.pop(key, None)
            parameters[key] = value
        return parameters

    def _comma(self) -> None:
        self._match(_WHITESPACE, "spaces")
        if self.at_end:
            return
        if not self._skip(","):
            raise self._malformed("a comma")
        self._match(_WHITESPACE, "spaces")
        if self.at_end:
            raise self._malformed("another member")

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, character: str) -> bool:
        found = self._peek() == character
        self._at += found
        return found

    def _match(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise self._malformed(what)
        self._at = match.end()
        return match

    def _malformed(self, what: str) -> ValueError:
        return ValueError(f"no structured field: expected {what} at {self._at} of {self._text[:200]!r}")
