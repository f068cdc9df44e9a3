"""A host: addresses, a clock, a disk, dice, and the incarnation of what runs on it.

Code runs on a host when it was started by `host.spawn` or `host.start`, or inside `with host:`; what it
starts inherits that. It binds and connects with the host's addresses, and it ends with the host:

- `crash`: power is lost. Tasks, timers and connections vanish in mid-step, no cleanup runs, nothing is sent
  (with `resets`, every peer is told by a reset); the disk falls back to what was synced.
- `kill`: the program dies, the machine lives. Its kernel closes the connections; the disk keeps all.
- `hang`: nothing of the program runs for a while; the kernel still acknowledges and buffers.
- `pause`: the same, for the whole machine's program (SIGSTOP, a frozen VM): when it goes on, all its timers
  are late and run before it looks at what has arrived meanwhile.
- `drain`: the program is asked to end in its own time (SIGTERM), and then ends.
- `restart`: power is back; the program given to `start` begins anew, on the disk as it is.

A task of an incarnation that has ended never finishes: do not await it.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import os
import random
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from nearcast.simulate.world.addresses import canonical
from nearcast.simulate.world.disk import DiskShape, VirtualDisk
from nearcast.simulate.world.incarnation import CURRENT, Incarnation, Machine
from nearcast.simulate.world.network import Network

T = TypeVar("T")
Program = Callable[["Host"], Coroutine[Any, Any, object]]

Drains = Callable[[float], Coroutine[Any, Any, object]]

EPOCH = 1_700_000_000.0  # wall-clock seconds at virtual time zero
DRAIN_SLACK_SECONDS = 1.0

_OUTER: contextvars.ContextVar[tuple[Incarnation | None, ...]] = contextvars.ContextVar(
    "outer_lives", default=()
)


class Host(Machine):
    """One machine of the world."""

    def __init__(
        self, seed: int, network: Network, name: str, addresses: tuple[str, ...], disk: DiskShape
    ) -> None:
        super().__init__(name, tuple(canonical(each) for each in addresses))
        self._seed = seed
        self._network = network
        self._loop = network.loop
        self._history = network.history
        self._disk_shape = disk
        self._disk: VirtualDisk | None = None
        self._random: random.Random | None = None
        self._program: Program | None = None
        self._stand_ins: list[Program] = []
        self._running: asyncio.Task[object] | None = None  # asyncio itself holds tasks only weakly
        self._failed: BaseException | None = None
        self._ending: asyncio.Task[object] | None = None
        self._clocks = [(0.0, EPOCH, 1.0)]  # from when, what it showed then, and its rate
        self.drains: Drains | None = None
        """How the running program ends in its own time; it sets this once it runs."""

    # --- running code here ------------------------------------------------------------------------
    def __enter__(self) -> Host:
        _OUTER.set((CURRENT.get(None), *_OUTER.get()))
        CURRENT.set(self.incarnation)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        outer, *rest = _OUTER.get()
        _OUTER.set(tuple(rest))
        CURRENT.set(outer if outer is not None else self._loop.home)

    def spawn(self, work: Coroutine[Any, Any, T], *, name: str | None = None) -> asyncio.Task[T]:
        """Run a coroutine on this host, as a task. A host that is down runs nothing."""
        if not self.up:
            work.close()
            raise RuntimeError(f"{self.name} is down")
        context = contextvars.copy_context()
        context.run(CURRENT.set, self.incarnation)
        task: asyncio.Task[T] = self._loop.create_task(work, name=name, context=context)
        return task

    def start(self, program: Program) -> asyncio.Task[object]:
        """Run `program(host)` now and after every restart."""
        self._program = program
        return self._run(program)

    def _run(self, program: Program) -> asyncio.Task[object]:
        self._running = self.spawn(program(self), name=f"{self.name} program")
        return self._running

    def fallen(self) -> BaseException | None:
        """What the program given to `start` has ended with, if it has, be it running again or not."""
        if self._failed is not None:
            return self._failed
        task = self._running
        return task.exception() if task is not None and task.done() and not task.cancelled() else None

    def note(self, text: str) -> None:
        """Write a line into the history in this host's name."""
        self._history.add((self._loop.time(), "note", self.name, text))

    # --- what programs are handed -----------------------------------------------------------------
    @property
    def disk(self) -> VirtualDisk:
        """The host's disk. It outlives every crash, with what was synced."""
        if self._disk is None:
            dice = random.Random(f"{self._seed}/disk/{self.name}")
            self._disk = VirtualDisk(self._disk_shape, dice, wait=self._disk_waits, record=self._disk_did)
        return self._disk

    @property
    def random(self) -> random.Random:
        """The host's own dice, from the world's seed and the host's name."""
        if self._random is None:
            self._random = random.Random(f"{self._seed}/host/{self.name}")
        return self._random

    def clock(self) -> float:
        """Wall-clock seconds since 1970, as this host believes."""
        since, base, rate = self._clocks[-1]
        return base + (self._loop.time() - since) * rate

    def clock_at(self, when: float) -> float:
        """What the wall clock showed at the virtual second `when`."""
        since, base, rate = next(each for each in reversed(self._clocks) if each[0] <= when)
        return base + (when - since) * rate

    def skew_clock(self, seconds: float) -> None:
        """Set the wall clock forward (or back, when negative)."""
        self._clocks.append((self._loop.time(), self.clock() + seconds, self._clocks[-1][2]))

    def drift_clock(self, rate: float) -> None:
        """Let the wall clock run at `rate` times the true speed from now on."""
        self._clocks.append((self._loop.time(), self.clock(), rate))

    # --- dying and living -------------------------------------------------------------------------
    def crash(self, *, resets: bool = False) -> None:
        """Lose power."""
        if not self.up:
            return
        self._history.add((self._loop.time(), "crash", self.name))
        self.up = False
        for endpoint in list(self.incarnation.streams.values()):
            if resets:
                endpoint.incoming.reset_sender()
            endpoint.vanish()
        self._end_life()
        if self._disk is not None:
            self._disk.crash()

    def kill(self) -> None:
        """End the program as SIGKILL does."""
        if not self.up:
            return
        self._history.add((self._loop.time(), "kill", self.name))
        for endpoint in list(self.incarnation.streams.values()):
            endpoint.kernel_close()
        self._end_life()

    def restart(self) -> None:
        """Start again: power, if it was lost, then the program. A running program is killed first."""
        if self.up:
            self.kill()
        self.up = True
        self._history.add((self._loop.time(), "restart", self.name))
        program = self._stand_ins[-1] if self._stand_ins else self._program
        if program is not None:
            self._run(program)

    def drain(self, seconds: float) -> None:
        """Ask the program to end within `seconds`; it is gone when it has, or is killed a second later."""
        if not self.up or self.drains is None:
            self.kill()
            return
        self._history.add((self._loop.time(), "drain", self.name, seconds))
        over = self.incarnation

        def gone(*_: object) -> None:
            if self.incarnation is over:
                self.kill()

        self._ending = self.spawn(self.drains(seconds))
        self._ending.add_done_callback(lambda _: self._loop.world_at(self._loop.time(), gone))
        self._loop.world_at(self._loop.time() + seconds + DRAIN_SLACK_SECONDS, gone)

    def stand_in(self, program: Program) -> None:
        """Have `program` run in the place of the host's own from the next restart on, until `stand_back`."""
        self._stand_ins.append(program)

    def stand_back(self, program: Program) -> None:
        self._stand_ins.remove(program)

    def fail(self, fault: BaseException) -> None:
        """End the program by a failed assertion, and start it again, as a worker's supervisor does."""
        if self._program is not None:
            self._failed = fault
            if self.up:
                self.restart()

    def hang(self, seconds: float) -> None:
        """Run nothing of the program for so long."""
        self._history.add((self._loop.time(), "hang", self.name, seconds))
        self._loop.freeze(self.incarnation, self._loop.time() + seconds)

    def pause(self, seconds: float) -> None:
        """Run nothing of the program for so long; then its late timers first."""
        self._history.add((self._loop.time(), "pause", self.name, seconds))
        self._loop.freeze(self.incarnation, self._loop.time() + seconds, timers_first=True)

    def _end_life(self) -> None:
        over, self.incarnation = self.incarnation, Incarnation(self)
        self.drains = None
        self._loop.bury(over)
        if self._loop.home is over:
            self._loop.home = self.incarnation

    def _disk_waits(self, seconds: float) -> None:
        if CURRENT.get(self._loop.home).dead:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if seconds:
            self._loop.block(seconds)

    def _disk_did(self, operation: str, path: str, size: int) -> None:
        self._history.add((self._loop.time(), "disk", self.name, operation, path, size))

    def __repr__(self) -> str:
        return f"<Host {self.name}{'' if self.up else ' (down)'}>"
