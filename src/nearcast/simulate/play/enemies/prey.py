"""What a hostile viewer knows of its victims: where they listen, what they are called, what they have."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

UNREAD_BYTES = 1024  # of a connection that is not read; then its window closes


@dataclass(frozen=True, slots=True)
class Prey:
    """`servers` are content servers; `paths` what the sites have there; `large` the longest of them."""

    servers: Sequence[str]
    port: int
    sites: Sequence[str]
    server_hosts: Sequence[str]
    paths: Sequence[str]
    large: Sequence[str]
    name_servers: Sequence[str]
    resolver: str
    dns_port: int


@dataclass(frozen=True, slots=True)
class Hand:
    """One trick under way: dice, and the victims. What it opens, it drops in the end."""

    dice: random.Random
    prey: Prey
    opened: list[asyncio.StreamWriter]

    async def reach(
        self, address: str | None = None, port: int | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to a victim: a content server by chance, where none is named. OSError."""
        server = self.dice.choice(self.prey.servers) if address is None else address
        reader, writer = await asyncio.open_connection(server, port or self.prey.port, limit=UNREAD_BYTES)
        self.opened.append(writer)
        return reader, writer

    def drop(self) -> None:
        """Leave without a word."""
        for writer in self.opened:
            transport: Any = writer.transport
            transport.abort()
        self.opened.clear()

    def site(self) -> str:
        return self.dice.choice(self.prey.sites)

    def path(self) -> str:
        return self.dice.choice(self.prey.paths)

    def request(self, path: str | None = None, *lines: str, method: str = "GET") -> bytes:
        """An ordinary request with further field lines."""
        head = (f"{method} {path or self.path()} HTTP/1.1", f"Host: {self.site()}", *lines)
        return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")
