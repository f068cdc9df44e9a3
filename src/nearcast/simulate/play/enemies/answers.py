"""How a hostile or a broken origin answers: each way with what it puts on the wire, and how it goes on.

Where the framing says that a body is whole, nobody in front can know better: such bodies are told to the
oracle (`Told.sent`). Everything else must never pass for a whole one.
"""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from nearcast.origin.content import Content, content_tag
from nearcast.origin.media import kind_of

SLOW_SECONDS = 2.0
SLOW_PIECES = 60
ABOUT_US = (400, 408, 421, 425, 429, 431)
FAILURES = (500, 502, 503, 504, 511, 599, 600, 999)
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nCache-Control: max-age=9999\r\n\r\nevil"


@dataclass(frozen=True, slots=True)
class Told:
    """One request to answer; `content` is what an honest origin would send."""

    dice: random.Random
    writer: asyncio.StreamWriter
    content: Content
    sent: Callable[[bytes], None]

    @property
    def octets(self) -> bytes:
        return bytes(self.content.octets)

    def head(self, *lines: str, status: str = "200 OK", etag: str = "") -> bytes:
        """A head that an honest origin would send, with `lines` for its length."""
        control = kind_of(self.content.name).cache_control
        usual = (f"HTTP/1.1 {status}", f"ETag: {etag or self.content.etag}", f"Cache-Control: {control}")
        return "\r\n".join((*usual, *lines, "", "")).encode()

    def whole(self, octets: bytes, *lines: str, status: str = "200 OK", etag: str = "") -> None:
        """A complete answer."""
        self.sent(octets)
        self.writer.write(
            self.head(f"Content-Length: {len(octets)}", *lines, status=status, etag=etag) + octets
        )

    def part(self) -> bytes:
        """Some of the content, never all."""
        return self.octets[: self.dice.randrange(len(self.octets))]

    def other(self) -> bytes:
        """As many other bytes."""
        return self.dice.randbytes(len(self.octets))


class Done(Exception):
    """The connection ends here."""


async def too_short(told: Told) -> None:
    """A length that is less than what comes; the rest looks like the answer to the next request."""
    part = told.part()
    told.whole(part)
    told.writer.write(told.octets[len(part) :] + EVIL)


async def too_long(told: Told) -> None:
    """A length that is more than what comes."""
    told.writer.write(told.head(f"Content-Length: {len(told.octets) + 100}") + told.octets)
    raise Done


async def broken_off(told: Told) -> None:
    """The right length, and only part of the body."""
    told.writer.write(told.head(f"Content-Length: {len(told.octets)}") + told.part())
    raise Done


async def chunks_without_end(told: Told) -> None:
    """Chunks, but no last one."""
    octets = told.dice.choice([told.octets, told.part()])
    told.writer.write(told.head("Transfer-Encoding: chunked") + _chunk(octets))
    raise Done


async def bad_chunks(told: Told) -> None:
    """Chunks that do not fit their sizes, or have none."""
    size = told.dice.choice([b"-5", b"ffffffffffffffffff", b"xyz", b"5;" + b"x" * 9000, b"1_0", b"0x5", b""])
    told.writer.write(told.head("Transfer-Encoding: chunked") + _chunk(told.part()) + size + b"\r\nhello\r\n")
    raise Done


async def two_lengths(told: Told) -> None:
    """Two lengths that contradict each other, or a length and chunks."""
    size = len(told.octets)
    lines = told.dice.choice(
        [
            (f"Content-Length: {size}", f"Content-Length: {size + 1}"),
            (f"Content-Length: {size}, {size - 1}",),
            (f"Content-Length: +{size}",),
            ("Content-Length: 3", "Transfer-Encoding: chunked"),
            ("Transfer-Encoding: gzip",),
            ("Transfer-Encoding: chunked, identity",),
        ]
    )
    told.writer.write(told.head(*lines) + told.octets)
    raise Done


async def no_length(told: Told) -> None:
    """A body that ends with its connection: whole or not, nobody can tell."""
    octets = told.dice.choice([told.octets, told.part()])
    told.sent(octets)
    told.writer.write(told.head("Connection: close") + octets)
    raise Done


async def no_length_and_a_reset(told: Told) -> None:
    """A body that would end with its connection, which is reset."""
    told.writer.write(told.head("Connection: close") + told.part())
    await asyncio.sleep(0.5)
    _reset(told.writer)


async def trickling_head(told: Told) -> None:
    """A head without end, a field at a time."""
    told.writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(SLOW_PIECES):
        await asyncio.sleep(SLOW_SECONDS)
        told.writer.write(b"X-%d: y\r\n" % number)
    raise Done


async def endless_103(told: Told) -> None:
    """Early hints, and nothing ever after."""
    for _ in range(SLOW_PIECES):
        told.writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n")
        await asyncio.sleep(SLOW_SECONDS)
    raise Done


async def trickling_body(told: Told) -> None:
    """A body, a byte at a time."""
    told.writer.write(told.head(f"Content-Length: {len(told.octets)}"))
    for at in range(SLOW_PIECES):
        told.writer.write(told.octets[at : at + 1])
        await asyncio.sleep(SLOW_SECONDS)
    raise Done


async def about_us(told: Told) -> None:
    """An error that says what is wrong with the one who asks, not with the content."""
    status = told.dice.choice(ABOUT_US)
    told.whole(b"no\n", "Cache-Control: max-age=60", status=f"{status} No")


async def failures(told: Told) -> None:
    """An error of the origin's own, and statuses that do not exist."""
    told.whole(b"sorry\n", status=f"{told.dice.choice(FAILURES)} Sorry")


async def unasked(told: Told) -> None:
    """Answers to conditions and ranges that nobody put."""
    status = told.dice.choice(["304 Not Modified", "206 Partial Content", "204 No Content", "416 No Range"])
    lines = ("Content-Range: bytes 0-9/10",) if status.startswith("206") else ()
    told.writer.write(told.head(*lines, "Content-Length: 0", status=status, etag='"another"'))
    raise Done


async def changing(told: Told) -> None:
    """Another content every time, under another tag, under the same one, or under none to speak of."""
    octets = told.other()
    told.whole(
        octets, etag=told.dice.choice([content_tag(octets), told.content.etag, 'W/"weak"', "untagged"])
    )


async def hanging(told: Told) -> None:
    """Silence, from the beginning or from the middle on."""
    if told.dice.random() < 0.5:
        told.writer.write(told.head(f"Content-Length: {len(told.octets)}") + told.part())
    await asyncio.sleep(SLOW_SECONDS * SLOW_PIECES)
    raise Done


async def resets(told: Told) -> None:
    """A reset, before the answer or within it."""
    if told.dice.random() < 0.5:
        told.writer.write(told.head(f"Content-Length: {len(told.octets)}") + told.part())
        await asyncio.sleep(0.2)
    _reset(told.writer)


async def garbage(told: Told) -> None:
    """No HTTP at all, or nearly HTTP."""
    told.writer.write(
        told.dice.choice(
            [
                told.dice.randbytes(200),
                b"HTTP/1.1 20 OK\r\n\r\n",
                b"HTTP/3.0 200 OK\r\n\r\n",
                b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
                b"ICY 200 OK\r\n\r\n" + told.octets,
                b"HTTP/1.1 200 OK\r\nX: " + b"y" * 60_000,
                b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
                b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
            ]
        )
    )
    raise Done


async def two_answers(told: Told) -> None:
    """One answer more than there were requests."""
    told.whole(told.octets)
    told.writer.write(EVIL)


async def to_itself(told: Told) -> None:
    """A redirect that leads back, or nowhere."""
    where = told.dice.choice([f"/{told.content.name}", "", "//", "http://[", "http://evil.test/", "/" * 9000])
    told.whole(b"", f"Location: {where}", status="302 Found")


ANSWERS: Mapping[str, Callable[[Told], Awaitable[None]]] = {
    each.__name__: each
    for each in (
        *(too_short, too_long, broken_off, chunks_without_end, bad_chunks, two_lengths, no_length),
        *(no_length_and_a_reset, trickling_head, endless_103, trickling_body, about_us, failures, unasked),
        *(changing, hanging, resets, garbage, two_answers, to_itself),
    )
}


def _chunk(octets: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(octets), octets) if octets else b""


def _reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER of zero seconds
    writer.transport.abort()
    raise Done
