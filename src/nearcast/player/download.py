"""What is asked for and what is kept of the answers: a whole object, or a film that goes on growing.

A `Download` knows no sockets. It is told of each response (`begin`, `take` …, `end`) and may be told of
several before it is content, since servers fail. It raises UpstreamFault where a response contradicts
what was asked for or what came before; then another server is asked with the fields of that moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Protocol

from nearcast.model.faults import UpstreamFault
from nearcast.player.duration import film_seconds
from nearcast.wire.http.message import Fields, ResponseHead
from nearcast.wire.http.ranges import parse_content_range

OBJECT_BYTES_MAX = 256 * 1024 * 1024
HEAD_BYTES = 4096  # of a film, where its duration stands


class Keep(Protocol):
    """Where the film goes besides the eye: `nearcast watch --save`."""

    def write(self, octets: bytes) -> None:
        """The next bytes of the film."""

    def restart(self) -> None:
        """Forget all that was written: the film begins anew."""


class Download:
    """One object of a viewing. `first_byte`, `bytes`, `seconds` and `sha256` tell of the
    present response."""

    keeps_parts = False
    """What came of a response that broke off is kept."""

    def __init__(self, kind: str, rendition: str | None = None, number: int | None = None) -> None:
        self.kind = kind
        self.rendition = rendition
        self.number = number
        self.troubles = 0
        """Servers that failed since the last response that was as it should be."""
        self.first_byte = 0
        self.bytes = 0
        self.seconds = 0.0
        """From asking to the last byte."""
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    @property
    def title(self) -> str:
        """What it is, for people: `720p/3`, `manifest`."""
        if self.rendition is None:
            return self.kind
        return f"{self.rendition}/{self.kind if self.number is None else self.number}"

    def fields(self) -> Fields:
        """What the next request says beyond Host and the usual."""
        return {}

    def begin(self, head: ResponseHead, source: str) -> None:
        """A response of status 200 or 206 begins."""
        self.first_byte = 0
        self.bytes = 0
        self._digest = hashlib.sha256()

    def take(self, piece: bytes) -> None:
        """The next piece of its body."""
        self.bytes += len(piece)
        self._digest.update(piece)

    def end(self, source: str) -> None:
        """The response is complete."""


class WholeObject(Download):
    """An object that is asked for as a whole: `octets` once it is here."""

    def __init__(
        self,
        kind: str,
        rendition: str | None = None,
        number: int | None = None,
        bytes_max: int = OBJECT_BYTES_MAX,
    ) -> None:
        super().__init__(kind, rendition, number)
        self._bytes_max = bytes_max
        self._pieces: list[bytes] = []

    @property
    def octets(self) -> bytes:
        return b"".join(self._pieces)

    def begin(self, head: ResponseHead, source: str) -> None:
        super().begin(head, source)
        self._pieces.clear()
        if head.status != 200:
            raise UpstreamFault(source, "gives a part where the whole was asked for")

    def take(self, piece: bytes) -> None:
        super().take(piece)
        if self.bytes > self._bytes_max:
            raise UpstreamFault("", f"{self.title} has more than {self._bytes_max} bytes")
        self._pieces.append(piece)


class ProgressiveFile(Download):
    """A progressive file, asked for range by range; it goes on from the byte reached.

    Two ranges belong to one film only if their strong ETag (or, without one, Last-Modified) and the
    size of the whole are the same; `If-Range` asks servers to see to that (RFC 9110 section 13.1.5),
    and what they answer is looked at all the same. When the film changed, it is begun anew. A server
    that gives no validator is asked for the whole at once: its ranges could be of different versions
    (section 15.3.7.3).
    """

    keeps_parts = True

    def __init__(
        self,
        rendition: str | None,
        range_bytes: int,
        keep: Keep | None,
        restarted: Callable[[str], None],
    ) -> None:
        """`restarted` is told, in a sentence, whenever the film begins anew."""
        super().__init__("progressive", rendition, 0)
        self.reached = 0
        """All bytes before this one are here."""
        self.size: int | None = None
        self.restarts = 0
        self._range_bytes = range_bytes
        self._keep = keep
        self._restarted = restarted
        self._film = hashlib.sha256()
        self._head = bytearray()
        self._in_ranges = True
        self._validator: str | None = None
        self._skip = 0  # bytes of the present response that are here already
        self._until = 0  # the byte at which the present response should end

    @property
    def complete(self) -> bool:
        return self.size is not None and self.reached == self.size

    @property
    def film_sha256(self) -> str:
        return self._film.hexdigest()

    @property
    def duration(self) -> float | None:
        """Seconds; how long the film plays, once its beginning says so."""
        return film_seconds(bytes(self._head))

    @property
    def title(self) -> str:
        return f"{self.rendition or 'progressive'} from byte {self.reached:,}"

    def fields(self) -> Fields:
        if not self._in_ranges:
            return {}
        last = self.reached + self._range_bytes - 1
        asked = {"range": f"bytes={self.reached}-{last}"}
        if self.reached and self._validator:
            asked["if-range"] = self._validator
        return asked

    def begin(self, head: ResponseHead, source: str) -> None:
        super().begin(head, source)
        validator = strong_validator(head.fields)
        if head.status == 206:
            self._begin_part(head, validator, source)
        else:
            self._begin_whole(head, validator)
        self._validator = validator
        self.first_byte = self.reached
        self.number = (self.number or 0) + 1

    def _begin_part(self, head: ResponseHead, validator: str | None, source: str) -> None:
        given = parse_content_range(head.fields.get("content-range", ""))
        span, size = given or (None, None)
        if span is None or size is None:
            raise UpstreamFault(source, "gives a part without saying which")
        if validator is None and span.length < size:
            self._in_ranges = False
            raise UpstreamFault(source, "gives a part without saying of which version")
        if self.reached and (validator, size) != (self._validator, self.size):
            self._begin_anew(f"{source} has another version of the film")
            raise UpstreamFault(source, "gives a part of another version")
        if span.start != self.reached:
            raise UpstreamFault(source, f"gives byte {span.start} where {self.reached} was asked for")
        self.size, self._until, self._skip = size, span.stop, 0

    def _begin_whole(self, head: ResponseHead, validator: str | None) -> None:
        length = head.fields.get("content-length", "")
        size = int(length) if length.isdigit() else None
        same = validator is not None and (validator, size) == (self._validator, self.size)
        if self.reached and not same:
            self._begin_anew("the film has changed on the server")
        self.size, self._until, self._skip = size, size or 0, self.reached

    def _begin_anew(self, why: str) -> None:
        self.restarts += 1
        self._restarted(f"{why}; starting over after {self.reached:,} bytes")
        self.reached = 0
        self.size = self._validator = None
        self._film = hashlib.sha256()
        self._head.clear()
        if self._keep:
            self._keep.restart()

    def take(self, piece: bytes) -> None:
        if self._skip:
            skipped = min(self._skip, len(piece))
            self._skip -= skipped
            piece = piece[skipped:]
        super().take(piece)
        self.reached += len(piece)
        self._film.update(piece)
        if len(self._head) < HEAD_BYTES:
            self._head += piece[: HEAD_BYTES - len(self._head)]
        if self._keep:
            self._keep.write(piece)

    def end(self, source: str) -> None:
        if self.size is None:  # a whole body of which only its end told the length
            self.size = self._until = self.reached
        if self.reached != self._until:
            raise UpstreamFault(source, f"ended at byte {self.reached} instead of {self._until}")


def strong_validator(fields: Fields) -> str | None:
    """What If-Range may carry: a strong ETag, else Last-Modified."""
    etag = fields.get("etag")
    if etag is not None:
        return None if etag.startswith("W/") else etag
    return fields.get("last-modified")
