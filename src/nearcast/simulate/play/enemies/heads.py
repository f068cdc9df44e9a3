"""Tricks with heads: fields that nobody sends, heads that never end, ways that the request never came."""

from __future__ import annotations

import asyncio

from nearcast.simulate.play.enemies.prey import Hand

WAIT_SECONDS = 4.0
TRICKLE_SECONDS = 0.4
TRICKLED_BYTES = 30

ODD_LINES = (
    *("X-Forwarded-Host: evil.test", "Forwarded: for=1.2.3.4;host=evil.test", "X-Original-URL: /admin"),
    *(
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        "Content-Length: -1",
        "Content-Length: 1, 2",
    ),
    *("Content-Length: 999999999999", "Expect: 100-continue", "Expect: the worst", "Upgrade: h2c"),
    *(
        "Connection: host, cache-control, via",
        "Connection: close, keep-alive",
        "TE: trailers",
        "Host: evil.test",
    ),
    *(
        "Accept-Encoding: *;q=0",
        "Cache-Control: no-cache, no-store, max-age=0, only-if-cached, =,,",
        "Vary: *",
    ),
    *(
        "Range: bytes=0-0,1-1,2-2,-1",
        "Range: bytes=18446744073709551616-",
        "Range: bytes=5-2",
        "Range: pages=1",
    ),
    *("If-None-Match: *", 'If-None-Match: W/"', "If-Modified-Since: never", 'If-Range: "x"', "If-Match: *"),
    *(
        "Cookie: " + "a=b; " * 500,
        "Authorization: Basic eDp5",
        "X: " + "y" * 8000,
        " folded: line",
        "no colon",
    ),
    *("X-\x7f: y", "X-Nul: a\x00b", "X-\xe9: \xe9", ": nameless", "X :blank before the colon"),
)
ODD_STARTS = (
    *(
        "GET {path} HTTP/1.2",
        "GET {path} HTTP/9.9",
        "GET {path}",
        "get {path} HTTP/1.1",
        "BREW {path} HTTP/1.1",
    ),
    *(
        "GET http://{site}{path} HTTP/1.1",
        "GET http://evil.test{path} HTTP/1.1",
        "GET * HTTP/1.1",
        "OPTIONS * HTTP/1.1",
    ),
    *(
        "CONNECT {site}:443 HTTP/1.1",
        "TRACE {path} HTTP/1.1",
        "POST {path} HTTP/1.1",
        "PURGE {path} HTTP/1.1",
    ),
    *(
        "GET {path}/../..{path} HTTP/1.1",
        "GET /%2e%2e{path} HTTP/1.1",
        "GET {path}%00 HTTP/1.1",
        "GET {path}#x HTTP/1.1",
    ),
    *("GET  {path}  HTTP/1.1", "GET\t{path}\tHTTP/1.1", "GET {path} HTTP/1.1 x", "HEAD {path} HTTP/1.1", ""),
)


async def odd_heads(hand: Hand) -> None:
    """A handful of requests with whatever a head should not have."""
    reader, writer = await hand.reach()
    for _ in range(hand.dice.randint(1, 6)):
        start = hand.dice.choice(ODD_STARTS).format(path=hand.path(), site=hand.site())
        lines = [f"Host: {hand.site()}", *hand.dice.choices(ODD_LINES, k=hand.dice.randint(0, 4))]
        hand.dice.shuffle(lines)
        end = hand.dice.choice(["\r\n", "\r\n", "\n", "\r"])
        writer.write((end.join([start, *lines]) + end + end).encode("latin-1"))
    await _listen(reader)


async def loops(hand: Hand) -> None:
    """Requests that say they have been here, or everywhere, before."""
    reader, writer = await hand.reach()
    ways = [*hand.prey.server_hosts, "evil.test", '"a;b"', "a;b=c", ""]
    for _ in range(hand.dice.randint(1, 5)):
        way = ", ".join(hand.dice.choices(ways, k=hand.dice.randint(1, 30)))
        line = hand.dice.choice(["CDN-Loop: {}", "Via: 1.1 {}", "cdn-loop: {};x=y", "Via: HTTP/1.1 {} (me)"])
        writer.write(hand.request(None, line.format(way)))
    await _listen(reader)


async def great_fields(hand: Hand) -> None:
    """A way so long that it hardly fits where it goes on."""
    reader, writer = await hand.reach()
    name = hand.dice.choice(["Via", "CDN-Loop"])
    size = hand.dice.choice([14_000, 20_000, 30_000, 32_500])
    writer.write(hand.request(_fresh(hand), f"{name}: 1.1 " + "x" * size))
    await _listen(reader)


async def half_heads(hand: Hand) -> None:
    """Part of a head, or of the body it announces, and then nothing."""
    reader, writer = await hand.reach()
    whole = hand.request(None, "Content-Length: 100") + b"x" * 50
    writer.write(whole[: hand.dice.randrange(1, len(whole))])
    await _listen(reader)


async def trickled_heads(hand: Hand) -> None:
    """A head, a byte at a time, or only the line ends that may come before one."""
    _, writer = await hand.reach()
    octets = hand.dice.choice([hand.request(), b"\r\n" * TRICKLED_BYTES])
    for at in range(TRICKLED_BYTES):
        writer.write(octets[at : at + 1])
        await asyncio.sleep(TRICKLE_SECONDS)


async def garbage(hand: Hand) -> None:
    """Noise, long or short."""
    reader, writer = await hand.reach()
    writer.write(hand.dice.randbytes(hand.dice.choice([1, 100, 5_000, 70_000])))
    await _listen(reader)


def _fresh(hand: Hand) -> str:
    """Something the sites have, which others want as well, or the same under a name of its own."""
    return hand.dice.choice([hand.path(), f"{hand.path()}?{hand.dice.getrandbits(20)}"])


async def _listen(reader: asyncio.StreamReader) -> None:
    """Take what comes, for a moment."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while await reader.read(65536):
                pass
    except TimeoutError:
        return
