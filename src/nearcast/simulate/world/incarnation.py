"""A machine, and its incarnation: everything on it that dies with it, from one start to the next crash.

Which host a piece of code runs on is a context variable, `CURRENT`, which tasks and callbacks inherit as
they inherit every other. Each scheduled call remembers the incarnation it belongs to, so that

- a crash forgets them: calls of a dead incarnation are never run, its tasks stay where they were, and
  no `finally`, no `connection_lost`, nothing of the program runs any more;
- a hang holds them: calls of a frozen incarnation wait in `held`, in their order, until it thaws.

Network events belong to no incarnation: the kernel, the wires and the faults go on whatever a program does.
"""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from collections import deque
from typing import Any

from nearcast.simulate.world.calls import Call
from nearcast.simulate.world.ports import HostPorts

CURRENT: contextvars.ContextVar[Incarnation] = contextvars.ContextVar("current_life")


class Incarnation:
    """One run of one host. `frozen` is true when its calls must not run now: it hangs, or it is dead."""

    __slots__ = ("dead", "frozen", "held", "host", "ports", "streams", "tasks", "thaws_at", "timers_first")

    def __init__(self, host: Machine | None) -> None:
        self.host = host
        self.frozen = False
        self.dead = False
        self.thaws_at = 0.0
        self.timers_first = False  # when it thaws, late timers run before anything that arrived is read
        self.held: deque[Call] = deque()
        self.tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.ports = HostPorts()
        # Keyed by connection number and side, in the order of their making: never a set of objects,
        # whose order depends on memory addresses.
        self.streams: dict[tuple[int, bool], Any] = {}

    def hold(self, call: Call) -> None:
        """Keep a call until the incarnation thaws; forget it when the incarnation is over."""
        if not self.dead:
            self.held.append(call)

    def end(self) -> list[asyncio.Task[Any]]:
        """Die. Returns the unfinished tasks: dropping the last reference to one would run its `finally`."""
        self.dead = self.frozen = True
        self.held.clear()
        self.ports = HostPorts()
        self.streams = {}
        unfinished = [task for task in self.tasks if not task.done()]
        for task in unfinished:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # as run_until_complete does
            asyncio._unregister_task(task)  # so that nobody who cancels "all tasks" waits for the dead
        return unfinished


class Machine:
    """A host as the network knows it: a name, addresses, power (`up`), and the incarnation of what runs."""

    def __init__(self, name: str, addresses: tuple[str, ...]) -> None:
        self.name = name
        self.addresses = addresses
        self.up = True
        self.incarnation = Incarnation(self)
