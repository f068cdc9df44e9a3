"""The virtual event loop: asyncio, in time that jumps.

Rules:
- Time stands still while callbacks run and jumps to the next timer when nothing is ready. A run of years
  takes as long as its events take to compute.
- `call_soon` keeps asyncio's promise of first in, first out. Timers of equal time, whose order asyncio
  leaves open (its heap compares times only), run in the order in which they were set.
- With `permute` a seeded generator orders what asyncio leaves open: timers of equal time, and the ready
  callbacks of different hosts among one another. What one host put in with `call_soon` keeps its order.
- When nothing is ready, no timer is set and the main task still waits, `Deadlock` says who waits, and where.
- What blocks a real loop blocks its host here: `block(seconds)` lets time pass for the running callback and
  holds every later callback of its host for as long. Other hosts go on.
- One thread. `run_in_executor` runs its function at once and delivers the result after
  `executor_seconds` plus whatever the function blocked for.
- The cyclic garbage collector runs at fixed turns of the loop, so that finalizers run at the same event
  in every process.

`_run_once` and the methods of `Endpoint.arrived` are the hot path; `bench/simulate_loop.py` measures them.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import heapq
import random
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextvars import Context, copy_context
from typing import Any, TypeVar

from nearcast.simulate.world.calls import Call, Owner
from nearcast.simulate.world.declined import NotSimulated, declines
from nearcast.simulate.world.incarnation import CURRENT, Incarnation

T = TypeVar("T")

CANCELLED_TIMERS_MIN = 100  # fewer cancelled timers than this are not worth a sweep
YOUNG_COLLECTION_TURNS = 1 << 14
FULL_COLLECTION_TURNS = 1 << 20
WAITING_SHOWN_MAX = 20
CLOSING_TRIES_MAX = 10


class Deadlock(RuntimeError):
    """Nothing is scheduled and the main task is not done: nothing can ever happen again."""


class VirtualTask(asyncio.Task[T]):
    """A task whose hash is its number, so that a set of tasks has the same order in every process."""

    __slots__ = ("number",)

    def __init__(self, coro: Coroutine[Any, Any, T], number: int, **keywords: Any) -> None:
        self.number = number
        super().__init__(coro, **keywords)

    def __hash__(self) -> int:
        return self.number


def _innermost(coroutine: Any) -> str:
    """Where a suspended coroutine waits: the last of the coroutines that it awaits."""
    while getattr(awaited := getattr(coroutine, "cr_await", None), "cr_frame", None) is not None:
        coroutine = awaited
    frame = getattr(coroutine, "cr_frame", None)
    place = f" ({frame.f_code.co_filename}:{frame.f_lineno})" if frame is not None else ""
    return f"{getattr(coroutine, '__qualname__', coroutine)}{place}"


@declines
class VirtualLoop(asyncio.BaseEventLoop):
    """An asyncio event loop in virtual time, without a network: `NetworkedLoop`, which a `World` makes, has
    one. `permute` is the generator that permutes equal times, or None to keep their order.
    """

    def __init__(
        self,
        *,
        permute: random.Random | None = None,
        executor_seconds: float = 0.0,
    ) -> None:
        super().__init__()
        self.home = Incarnation(None)  # the incarnation of code that runs on no particular host
        self.executor_seconds = executor_seconds
        self.now = 0.0  # virtual seconds since the world began
        self._soon: deque[Call] = deque()
        self._timers: list[tuple[float, int, Call]] = []
        self._sequence = 0
        self._tasks_made = 0
        self._timers_cancelled = 0
        self._turns = 0
        self._permute = permute
        self._lag = 0.0  # how long the running callback has blocked its host
        self._offloaded: float | None = None  # how long the running executor function has blocked
        self._buried: list[tuple[Incarnation, asyncio.Task[Any]]] = []

    # --- scheduling -------------------------------------------------------------------------------
    def time(self) -> float:
        """Virtual seconds. Within one callback time passes only by what the callback blocks for."""
        return self.now + self._lag

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Call:
        if self._closed:  # type: ignore[attr-defined]
            raise RuntimeError("Event loop is closed")
        if context is None:
            context = copy_context()
        call = Call(callback, args, context, context.get(CURRENT, self.home))
        self._soon.append(call)
        return call

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Call:
        running_in: int | None = self._thread_id  # type: ignore[attr-defined]
        if running_in not in (None, threading.get_ident()):
            raise NotSimulated("loop.call_soon_threadsafe from another thread")
        return self.call_soon(callback, *args, context=context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Call:
        return self.call_at(self.now + self._lag + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Call:
        if self._closed:  # type: ignore[attr-defined]
            raise RuntimeError("Event loop is closed")
        if context is None:
            context = copy_context()
        call = Call(callback, args, context, context.get(CURRENT, self.home), when)
        self._set_timer(when, call)
        return call

    def world_at(self, when: float, callback: Callable[..., object], *arguments: Any) -> Call:
        """Schedule an event of the world itself: no host, no context; its errors end the run."""
        call = Call(callback, arguments, None, None, when)
        self._set_timer(when, call)
        return call

    def _set_timer(self, when: float, call: Call) -> None:
        self._sequence = order = self._sequence + 1
        if self._permute is not None:
            order |= self._permute.getrandbits(30) << 64
        call.waits_in = self
        heapq.heappush(self._timers, (when, order, call))

    def one_timer_cancelled(self) -> None:
        """Sweep the heap when most of it is cancelled: `asyncio.timeout` cancels nearly every timer."""
        self._timers_cancelled += 1
        if self._timers_cancelled > CANCELLED_TIMERS_MIN and self._timers_cancelled * 2 > len(self._timers):
            self._timers = [entry for entry in self._timers if entry[2].callback is not None]
            heapq.heapify(self._timers)
            self._timers_cancelled = 0

    def create_task(
        self, coro: Any, *, name: object = None, context: Context | None = None, **rest: Any
    ) -> Any:
        if self.get_task_factory() is not None:
            task = super().create_task(coro, name=name, context=context, **rest)
        else:
            self._check_closed()  # type: ignore[attr-defined]
            self._tasks_made += 1
            task = VirtualTask(coro, self._tasks_made, loop=self, name=name, context=context, **rest)
        incarnation = CURRENT.get(self.home) if context is None else context.get(CURRENT, self.home)
        incarnation.tasks.add(task)
        return task

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run `func` here and now; its result arrives after the simulated duration."""
        self._check_closed()  # type: ignore[attr-defined]
        future: asyncio.Future[T] = self.create_future()
        outer, self._offloaded = self._offloaded, 0.0
        settle: Callable[[Any], None] = future.set_result
        outcome: Any
        try:
            outcome = func(*args)
        except Exception as exc:
            settle, outcome = future.set_exception, exc
        finally:
            seconds, self._offloaded = self._offloaded + self.executor_seconds, outer
        self.call_later(seconds, lambda: None if future.done() else settle(outcome))
        return future

    # --- running ----------------------------------------------------------------------------------
    def run_forever(self) -> None:
        with self._orderly_collection():
            super().run_forever()

    def _run_once(self) -> None:
        """One turn: take the timers that are due, then run what is ready now."""
        soon = self._soon
        timers = self._timers
        if not soon:
            while timers and timers[0][2].callback is None:
                heapq.heappop(timers)
                self._timers_cancelled -= 1
            if timers:
                if timers[0][0] > self.now:
                    self.now = timers[0][0]
            elif not self._stopping:  # type: ignore[attr-defined]
                raise Deadlock(self._who_waits())
        now = self.now
        while timers and timers[0][0] <= now:
            call = heapq.heappop(timers)[2]
            call.waits_in = None
            if call.callback is None:
                self._timers_cancelled -= 1
            else:
                soon.append(call)
        if self._permute is not None and len(soon) > 1:
            self._interleave_hosts(self._permute)
        for _ in range(len(soon)):
            call = soon.popleft()
            callback = call.callback
            if callback is None:
                continue
            owner = call.owner
            if owner is None:
                callback(*call.arguments)
                continue
            if owner.frozen:
                owner.hold(call)
                continue
            try:
                call.context.run(callback, *call.arguments)  # type: ignore[union-attr]
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as exc:
                self._let_fall(owner, f"Exception in callback {call}", exc)
            if self._lag:
                self._lag = 0.0
        self._turns += 1
        if not self._turns % YOUNG_COLLECTION_TURNS:
            gc.collect(1 if self._turns % FULL_COLLECTION_TURNS else 2)

    def enter(
        self, incarnation: Incarnation, context: Context, callback: Callable[..., object], *arguments: Any
    ) -> None:
        """Call a program from an event of the world: now, or once its host thaws."""
        if incarnation.frozen:
            incarnation.hold(Call(callback, arguments, context, incarnation))
            return
        try:
            context.run(callback, *arguments)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._let_fall(incarnation, f"Exception in {callback}", exc)
        self._lag = 0.0

    def _let_fall(self, owner: Owner, message: str, exc: BaseException) -> None:
        self.call_exception_handler({"message": message, "exception": exc, "owner": owner})

    def _interleave_hosts(self, generator: random.Random) -> None:
        queues: dict[Owner | None, deque[Call]] = {}
        for call in self._soon:
            queues.setdefault(call.owner, deque()).append(call)
        if len(queues) < 2:
            return
        order = [owner for owner, queue in queues.items() for _ in queue]
        generator.shuffle(order)
        self._soon.clear()
        self._soon.extend(queues[owner].popleft() for owner in order)

    def _who_waits(self) -> str:
        waiting = sorted(
            (task for task in asyncio.all_tasks(self) if isinstance(task, VirtualTask)),
            key=lambda task: task.number,
        )
        lines = [f"everyone waits and nothing is scheduled, at {self.now:.6f} s of virtual time"]
        for task in waiting[:WAITING_SHOWN_MAX]:
            lines.append(f"  {task.get_name()} waits in {_innermost(task.get_coro())}")
        if len(waiting) > WAITING_SHOWN_MAX:
            lines.append(f"  and {len(waiting) - WAITING_SHOWN_MAX} more")
        return "\n".join(lines)

    @contextlib.contextmanager
    def _orderly_collection(self) -> Iterator[None]:
        enabled = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if enabled:
                gc.enable()

    # --- hosts that block, hang and die -----------------------------------------------------------
    def block(self, seconds: float) -> None:
        """Let `seconds` pass for the running callback, as a blocking call would; its host stands still."""
        if self._offloaded is not None:
            self._offloaded += seconds
        elif seconds > 0 and self.is_running():
            self._lag += seconds
            self.freeze(CURRENT.get(self.home), self.now + self._lag)

    def freeze(self, incarnation: Incarnation, until: float, *, timers_first: bool = False) -> None:
        """Hold every call of `incarnation` until the virtual time `until`.

        Then the calls run in the order of their times, or with `timers_first` as libuv has it when a process
        goes on after a pause: all timers, what they put in with `call_soon`, and only then the sockets.
        """
        if not incarnation.dead and until > self.now:
            incarnation.frozen = True
            incarnation.timers_first |= timers_first
            incarnation.thaws_at = max(incarnation.thaws_at, until)
            self.world_at(until, self._thaw, incarnation)

    def _thaw(self, incarnation: Incarnation) -> None:
        if not incarnation.dead and incarnation.frozen and self.now >= incarnation.thaws_at:
            incarnation.frozen = False
            held = list(incarnation.held)
            incarnation.held.clear()
            if incarnation.timers_first:
                incarnation.timers_first = False
                self._soon.extend(call for call in held if call.when())
                rest = [call for call in held if not call.when()]
                self._soon.append(Call(self._soon.extend, (rest,), None, None))
            else:
                self._soon.extend(held)

    def bury(self, incarnation: Incarnation) -> None:
        """End an incarnation; its tasks stay unreleased while the world runs: no `finally` may run."""
        self._buried += [(incarnation, task) for task in incarnation.end()]

    def close(self) -> None:
        super().close()
        self._soon.clear()
        self._timers.clear()
        for incarnation, task in self._buried:
            context = copy_context()
            context.run(CURRENT.set, incarnation)  # the dead reach neither network nor disk
            coroutine: Any = task.get_coro()
            for _ in range(CLOSING_TRIES_MAX):
                try:
                    context.run(coroutine.close)
                except BaseException:  # a `finally` that awaits or fails
                    continue
                break
        self._buried.clear()
