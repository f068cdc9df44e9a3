"""Deadlines that first hear what has come.

A process that was paused, or a loop that was busy, meets a passed deadline and an answer in the socket at
the same time, and which of them it sees first is chance: uvloop runs timers before it reads. So whoever
waits for a peer uses these: when their time has come, the loop turns a few times more, in which what waits
in sockets is read and the tasks that it wakes go on. Only then is it too late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

# The first turn may still read nothing (timers, then what was ready, then sockets); establishing a connection
# takes four more.
TURNS = 8


class Alarm:
    """Calls `callback` once, `seconds` from now and a few turns, unless it is cancelled."""

    __slots__ = ("_callback", "_handle", "_loop", "_turns")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, callback: Callable[[], object]
    ) -> None:
        self._loop = loop
        self._callback: Callable[[], object] | None = callback
        self._turns = TURNS
        self._handle: asyncio.Handle | None = loop.call_later(seconds, self._due)

    def cancel(self) -> None:
        """Never call; also lets go of the callback."""
        self._callback = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _due(self) -> None:
        callback = self._callback
        if callback is None:
            return
        if self._turns:
            self._turns -= 1
            self._handle = self._loop.call_soon(self._due)
        else:
            self._callback = self._handle = None
            callback()


class Within:
    """`async with Within(3):` ends with TimeoutError what is not over in time, as `asyncio.timeout` does."""

    __slots__ = ("_alarm", "_seconds", "_timeout")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout(None)
        self._alarm: Alarm | None = None

    async def __aenter__(self) -> None:
        loop, timeout = asyncio.get_running_loop(), self._timeout
        await timeout.__aenter__()
        self._alarm = Alarm(loop, self._seconds, lambda: timeout.reschedule(loop.time()))

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._alarm is not None
        self._alarm.cancel()
        await self._timeout.__aexit__(kind, fault, traceback)
