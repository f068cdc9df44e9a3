"""The listeners of one kind that a program has: one per address, following a list that may change.

A Snapshot says where a program listens. When the next one says something else, new addresses are opened
before old ones are closed, so that nobody is refused meanwhile; connections of an old address end in
their own time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from nearcast.serve.program import Running
from nearcast.wire.addresses import ServerAddress

L = TypeVar("L", bound=Running)


class Listeners(Generic[L]):
    """Satisfies `serve.program.Running`."""

    def __init__(self, listen: Callable[[str, int], Awaitable[L]], *, drain_seconds: float = 10.0) -> None:
        """`listen` opens a listener at an address and port; the connections of an address that is given up
        have `drain_seconds` to end."""
        self._listen = listen
        self.drain_seconds = drain_seconds
        self._open: dict[ServerAddress, L] = {}
        self._leaving: dict[asyncio.Task[None], L] = {}

    def __iter__(self) -> Iterator[L]:
        return iter(self._open.values())

    @property
    def first(self) -> L:
        """The listener of the first address."""
        return next(iter(self))

    async def open(self, addresses: Iterable[ServerAddress]) -> dict[ServerAddress, L]:
        """Open listeners at those of `addresses` that have none; `follow` takes them over.

        OSError when one cannot be had: then none is.
        """
        opened: dict[ServerAddress, L] = {}
        try:
            for address in addresses:
                if address not in self._open and address not in opened:
                    opened[address] = await self._listen(*address)
        except BaseException:
            for listener in opened.values():
                listener.abort()
            raise
        return opened

    def follow(self, addresses: Iterable[ServerAddress], opened: dict[ServerAddress, L]) -> None:
        """Listen at `addresses` and nowhere else; `opened` are those of them that `open` gave."""
        known = self._open | opened
        self._open = {address: known.pop(address) for address in dict.fromkeys(addresses)}
        for listener in known.values():
            task = asyncio.get_running_loop().create_task(listener.drain(self.drain_seconds))
            self._leaving[task] = listener
            task.add_done_callback(self._leaving.pop)

    async def drain(self, seconds: float) -> None:
        """Satisfies `serve.program.Running`."""
        await asyncio.gather(*(each.drain(seconds) for each in (*self._leaving.values(), *self)))

    def abort(self) -> None:
        for each in (*self._leaving.values(), *self):
            each.abort()


async def listen_at(*wanted: tuple[Listeners[Any], Iterable[ServerAddress]]) -> None:
    """Have each of several kinds of listeners listen at its addresses and nowhere else, all or none of them.

    OSError when an address cannot be had: then everything is as before.
    """
    ready: list[tuple[Listeners[Any], list[ServerAddress], dict[ServerAddress, Any]]] = []
    try:
        for listeners, addresses in wanted:
            listed = list(addresses)
            ready.append((listeners, listed, await listeners.open(listed)))
    except BaseException:
        for _, _, opened in ready:
            for listener in opened.values():
                listener.abort()
        raise
    for listeners, listed, opened in ready:
        listeners.follow(listed, opened)


def at_port(addresses: Iterable[str], port: int) -> list[ServerAddress]:
    """The same port at every address."""
    return [(address, port) for address in addresses]
