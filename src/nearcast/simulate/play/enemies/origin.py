"""A hostile or broken origin: an HTTP server by hand, which answers as the dice have it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from nearcast.simulate.play.enemies.answers import ANSWERS, Done, Told
from nearcast.simulate.play.oracle import Oracle
from nearcast.simulate.play.script import Enemy
from nearcast.simulate.world.host import Host

HEAD_BYTES_MAX = 64 * 1024


class HostileOrigin:
    """Satisfies `Program` when called: serves `oracle`'s contents on an address, in its own way."""

    def __init__(self, enemy: Enemy, oracle: Oracle, address: str, port: int) -> None:
        self._enemy = enemy
        self._oracle = oracle
        self._where = address, port
        self._ways: Sequence[str] = enemy.tricks or tuple(ANSWERS)

    async def __call__(self, host: Host) -> None:
        loop = asyncio.get_running_loop()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while (path := await _request(reader)) is not None:
                    rages = self._enemy.from_seconds <= loop.time() < self._enemy.until_seconds
                    await self._answer(path, writer, host.random, rages)
                    await writer.drain()
            except (OSError, EOFError, ValueError, Done):
                pass
            finally:
                writer.close()

        async with await asyncio.start_server(serve, *self._where, limit=HEAD_BYTES_MAX):
            await loop.create_future()  # its incarnation ends with the host's

    async def _answer(
        self, path: str, writer: asyncio.StreamWriter, dice: random.Random, rages: bool
    ) -> None:
        name = path.partition("?")[0].lstrip("/")
        content = self._oracle.find(name)
        if content is None:
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        told = Told(dice, writer, content, lambda octets: self._oracle.sent(name, octets))
        if not rages or dice.random() < self._enemy.honest:
            told.whole(told.octets)
        else:
            await ANSWERS[dice.choice(self._ways)](told)


async def _request(reader: asyncio.StreamReader) -> str | None:
    """The path of the next request, None at the end; GET only, so there is no body to skip."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        return None
    except asyncio.IncompleteReadError:
        return None
    words = head.split(b"\r\n", 1)[0].split(b" ")
    return words[1].decode("latin-1") if len(words) == 3 else None
