"""Framing of the uppercase application over TCP: where a text ends in a stream that has no ends.

A line ends with a newline; with the peer's half-close; or when the network has been quiet (the
caller says when). The last is for clients that send a text without a newline and wait for the answer
with their half still open: only silence tells that they are waiting.

- A reply ends as its line did: with a newline if there was one.
- Quiet may fall in the middle of a text, even of a character. What is there is answered, except the
  octets of a character that has begun: they wait for the rest, or for the end of the line.
- A line beyond `line_bytes_max` is answered with an error as soon as it is known; the rest of it is
  skipped, so that a line costs bounded memory and the error is not lost in a reset.
- An error reply always ends with a newline and stands for the whole rest of its line.

No I/O here: each method takes what happened and returns what to send.
"""

from __future__ import annotations

import codecs

from nearcast.uppercase.capitals import ERROR, capitals, is_error, not_utf8

LINE_BYTES_MAX = 65536


class Lines:
    """The lines of one connection."""

    def __init__(self, line_bytes_max: int = LINE_BYTES_MAX) -> None:
        self._line_bytes_max = line_bytes_max
        self._begun = bytearray()  # the line that has not ended yet
        self._skipping = False  # its rest: an error has been sent for it

    @property
    def waiting(self) -> bool:
        """Whether something is there that quiet would bring to an end."""
        return bool(self._begun) or self._skipping

    def received(self, octets: bytes) -> bytes:
        """Octets arrived, cut anywhere: the replies to the lines that they complete."""
        *ends, rest = octets.split(b"\n")
        replies = [self._line_end(end) for end in ends]
        replies.append(self._more(rest))
        return b"".join(replies)

    def quiet(self) -> bytes:
        """Nothing came for a while: the reply to what is there, whole characters only."""
        self._skipping = False
        try:
            text, used = codecs.utf_8_decode(self._begun, "strict", False)
        except UnicodeDecodeError as fault:
            self._begun = bytearray()
            return not_utf8(fault) + b"\n"
        self._begun = self._begun[used:]
        return text.upper().encode()

    def ended(self) -> bytes:
        """The peer sends no more: the reply to what is there, a cut character being an error."""
        begun, self._begun = bytes(self._begun), bytearray()
        reply = capitals(begun)
        return reply + b"\n" if is_error(reply) else reply

    def _line_end(self, end: bytes) -> bytes:
        reply = self._more(end)
        begun, self._begun = bytes(self._begun), bytearray()
        skipped, self._skipping = self._skipping, False
        return reply if skipped else capitals(begun) + b"\n"

    def _more(self, octets: bytes) -> bytes:
        if self._skipping:
            return b""
        self._begun += octets
        if len(self._begun) <= self._line_bytes_max:
            return b""
        self._begun, self._skipping = bytearray(), True
        return ERROR + f"a line has up to {self._line_bytes_max} octets; its rest is skipped\n".encode()
