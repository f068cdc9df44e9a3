"""What every running program offers to whoever started it."""

from __future__ import annotations

from typing import Protocol


class Running(Protocol):
    """A started program, listener or group of them.

    `drain` is the graceful end: accept nothing new, finish what is under way, give up after `seconds`.
    `abort` is the sudden one: every connection is reset at once, as when the machine loses power.
    Both may be called more than once.
    """

    async def drain(self, seconds: float) -> None: ...
    def abort(self) -> None: ...


class Group:
    """Several running things that end together, in the reverse order of their start."""

    def __init__(self, *members: Running) -> None:
        self._members = list(members)

    def add(self, member: Running) -> None:
        self._members.append(member)

    async def drain(self, seconds: float) -> None:
        for member in reversed(self._members):
            await member.drain(seconds)

    def abort(self) -> None:
        for member in reversed(self._members):
            member.abort()
