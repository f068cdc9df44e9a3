"""Fields as the lines of HTTP/1.1: checked, and written out once for what is answered again and again.

A value with CR, LF or NUL, or a name that is none, raises ValueError (our fault, not the peer's): writing
cannot be tricked into a second field or a second message.
"""

from __future__ import annotations

import re

from nearcast.wire.http.message import HOP_BY_HOP, Fields

NAMES_MAX, NAME_CHARS_MAX = 256, 64  # of names that are remembered

_names_seen: set[str] = set()  # names that are names
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_FIELD_LINES = re.compile(r"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [^\x00-\x08\x0a-\x1f\x7f]*\r\n)*")


class FieldBlock:
    """Fields of an answer, checked and written out once; hop-by-hop fields are left out.

    It stands where a mapping of fields may stand, and is neither checked nor walked again.
    """

    __slots__ = ("fields", "lines")

    fields: Fields
    lines: bytes  # of HTTP/1.1, each with its CRLF

    def __init__(self, fields: Fields) -> None:
        """Raises ValueError on a name or value that is none."""
        self.fields = {name: value for name, value in fields.items() if name not in HOP_BY_HOP}
        self.lines = field_lines(self.fields).encode("latin-1")


def field_lines(fields: Fields) -> str:
    """The lines of `fields`, each with its CRLF. ValueError on a name or value that is none."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in fields.items()])
    # Every line ends in CRLF and has no other control character, so lines and fields correspond.
    if not _FIELD_LINES.fullmatch(lines) or lines.count("\n") != len(fields):
        raise ValueError(f"a field name or value with forbidden characters in {dict(fields)!r}")
    return lines


def few_field_lines(fields: Fields) -> bytes:
    """What `field_lines` is, as bytes, for the few fields that change with every hit.

    Names seen before and plain values pass without a regular expression; all else is judged by the same one.
    """
    if not fields:
        return b""
    lines = "".join([f"{name}: {value}\r\n" for name, value in fields.items()])
    values = "".join(fields.values())
    if not (_names_seen.issuperset(fields) and values.isascii() and values.isprintable()):
        _judge(fields)
    return lines.encode("latin-1")


def _judge(fields: Fields) -> None:
    for name, value in fields.items():
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise ValueError(f"a field name or value with forbidden characters in {dict(fields)!r}")
    if len(_names_seen) >= NAMES_MAX:
        _names_seen.clear()
    _names_seen.update(name for name in fields if len(name) <= NAME_CHARS_MAX)
