"""The seam between an answer and the version of HTTP that carries it.

An `Exchange` knows what is answered; a `Channel` knows how that looks on the wire, who is at the other
end, and how fast the peer takes it. HTTP/1.1's channel is the connection (`http_connection`), for one
exchange after the other; a version with streams has a channel for each.

What belongs to the version is the channel's: Date and Content-Length, framing, hop-by-hop fields.
"""

from __future__ import annotations

from typing import Protocol

from nearcast.serve.tcp import Peer
from nearcast.wire.http.field_block import FieldBlock
from nearcast.wire.http.message import Fields

BODILESS = frozenset({204, 304, *range(100, 200)})  # statuses whose answers have no body (RFC 9110 6.4.1)
NO_FIELDS: Fields = {}
Octets = bytes | memoryview


class Channel(Protocol):
    """Carries the answer to one request at a time."""

    @property
    def peer(self) -> Peer:
        """The other end's address."""

    @property
    def local(self) -> Peer:
        """Our own address of this connection."""

    @property
    def gone(self) -> bool:
        """Nothing can be sent any more; what is sent nevertheless is lost without a word."""

    @property
    def peer_reads(self) -> bool:
        """The peer has not fallen behind."""

    def begin(
        self, status: int, fields: Fields | FieldBlock, more: Fields, length: int | None, octets: Octets
    ) -> None:
        """Send the head, and `octets` of the body along with it.

        `length` is of the body that a GET would get, None when it is unknown. ValueError when a field is
        none; then nothing was sent.
        """

    def write(self, octets: Octets) -> None:
        """Send some of the body; it is not copied when it is large, and must stay unchanged until sent."""

    async def until_peer_reads(self) -> None:
        """Wait for the peer to read what was written. Raises ConnectionResetError when it is gone."""

    def end(self) -> None:
        """The answer is complete."""

    def break_off(self) -> None:
        """End the answer so that the peer cannot take what it has for the whole."""
