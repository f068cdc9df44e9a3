"""A neighbour: asks content servers for the one page that every distribution has, under each one's name.

An HTTP client of a dozen lines that shares nothing with the programs under test.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from nearcast.simulate.play.distributions import WHOSE, Distributions
from nearcast.simulate.world.host import Host

EVERY_SECONDS = 2.0
ANSWER_SECONDS_MAX = 20.0

Heard = Callable[[str, str, str], None]
"""Told of an answer: the address asked, the distribution named, and the body."""


async def ask_whose(
    host: Host, servers: Sequence[tuple[str, int]], distributions: Distributions, heard: Heard
) -> None:
    """Ask for as long as the host lives."""
    while True:
        await asyncio.sleep(host.random.expovariate(1 / EVERY_SECONDS))
        server, site = host.random.choice(servers), host.random.choice(distributions.sites)
        body = await _ask(server, distributions.named(site).hosts[0])
        if body is not None:
            heard(server[0], site, body)


async def _ask(server: tuple[str, int], named: str) -> str | None:
    """The body of a good answer that has a length, None where there is none."""
    request = f"GET /{WHOSE} HTTP/1.1\r\nHost: {named}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            reader, writer = await asyncio.open_connection(*server)
            try:
                writer.write(request.encode())
                head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError):
        return None
    whole = head.split(b" ")[1:2] == [b"200"] and f"content-length: {len(body)}".encode() in head.lower()
    return body.decode("latin-1") if whole else None
