"""A supervisor in a process of its own, driven by a process that has an event loop.

Forking from a process with a loop copies the loop; so the supervisor's process is forked first, while
the caller still has neither loop nor threads, and stays as it was then. Orders go to it over a socket
pair that keeps messages apart (SOCK_SEQPACKET), notices come back, each a JSON document:

    {"do": "start", "names": ["ia2"]}  →  {"name": "ia2", "state": "up", "pid": 4711, "sentence": ""}

It ignores Ctrl-C and SIGTERM, which are its driver's affair. When the driver dies, all die with it.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from nearcast.model.faults import OperatorFault
from nearcast.serve.supervisor import GRACE_SECONDS, Notice, Supervisor, WorkerPlan, say_aloud
from nearcast.serve.worker import EXIT_OUR_FAULT, die_with

START_SECONDS = 30.0
MESSAGE_BYTES_MAX = 65536


class WorkerFailed(OperatorFault):
    """A worker could not start; the sentence says which and why."""


class ProcessGroup:
    """The workers of a lab: start them, kill them, see how they are.

    Make it before any event loop or thread exists. `states` and `pids` say how each worker is (see the
    table in `supervisor.py`) as far as the notices have been read; `heard` is called with each of them.
    """

    def __init__(
        self,
        plans: Sequence[WorkerPlan],
        *,
        heard: Callable[[Notice], None] = say_aloud,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        assert threading.active_count() == 1, "a processes is made before there are threads"
        self.states = {plan.name: "down" for plan in plans}
        self.pids = {plan.name: 0 for plan in plans}
        self._heard = heard
        self._grace_seconds = grace_seconds
        self._failures: dict[str, str] = {}
        self._changed: asyncio.Event | None = None
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        driver = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._socket.close()
            _obey(theirs, plans, grace_seconds, driver)
        theirs.close()

    def start(self, *names: str) -> None:
        """Order workers (all, if none is named) to start; wait for "up"."""
        self._order("start", names, "starting")

    def kill(self, *names: str) -> None:
        """Order workers to be killed at once; wait for "down". They stay down."""
        self._order("kill", names, "ending")

    def drain(self, *names: str) -> None:
        """Order workers to finish what is under way and end; wait for "down"."""
        self._order("stop", names, "ending")

    def wait(self, state: str, *names: str, seconds: float = START_SECONDS) -> None:
        """Block until each worker (all, if none is named) is in `state`.

        Raises WorkerFailed when one cannot start, TimeoutError after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while missing := self._missing(state, names):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"not {state} within {seconds:g} s: {', '.join(missing)}")
            if select.select([self._socket], [], [], left)[0]:
                self._receive()

    async def reach(self, state: str, *names: str, seconds: float = START_SECONDS) -> None:
        """What `wait` is, for tasks of a running loop."""
        self.attend()
        try:
            async with asyncio.timeout(seconds):
                while self._missing(state, names):
                    self._changed = self._changed or asyncio.Event()
                    await self._changed.wait()
        except TimeoutError:
            missing = ", ".join(self._missing(state, names))
            raise TimeoutError(f"not {state} within {seconds:g} s: {missing}") from None

    def ignore(self) -> None:
        """The running loop no longer reads the notices: the end of `attend`."""
        if self.pid:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())

    def attend(self) -> None:
        """From now on the running loop reads the notices as they come."""
        if self.pid:
            asyncio.get_running_loop().add_reader(self._socket.fileno(), self._receive)

    def stop(self) -> None:
        """Drain all workers; blocks until none is left, nor the supervisor. May be called again.

        A loop that attends must have ended, or its `remove_reader` been called: this reads the rest.
        """
        if self.pid:
            self._order("end", (), "ending")
            deadline = time.monotonic() + self._grace_seconds + 1.0
            while self.pid and select.select([self._socket], [], [], max(0, deadline - time.monotonic()))[0]:
                self._receive()
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)  # its workers die with it
            self._supervisor_ended()

    def __enter__(self) -> ProcessGroup:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _order(self, do: str, names: Sequence[str], state: str) -> None:
        names = names or list(self.states)
        for name in names:
            self._failures.pop(name, None)
            if not (do == "start" and self.states[name] == "up"):
                self.states[name] = state
        if self.pid:
            order = {"do": do, "names": list(names)}
            try:
                self._socket.send(json.dumps(order).encode())
            except BrokenPipeError:
                pass  # the end of its notices will tell

    def _missing(self, state: str, names: Sequence[str]) -> list[str]:
        """Which of the workers are not in `state` yet; raises WorkerFailed when one never will be."""
        names = names or list(self.states)
        for name in names:
            if name in self._failures:
                raise WorkerFailed(f"{name} cannot start: {self._failures[name]}")
        missing = [name for name in names if self.states[name] != state]
        if missing and not self.pid:
            raise WorkerFailed("the supervisor of the workers has ended")
        return missing

    def _receive(self) -> None:
        octets = self._socket.recv(MESSAGE_BYTES_MAX)
        if octets:
            notice = Notice(**json.loads(octets))
            self.states[notice.name], self.pids[notice.name] = notice.state, notice.pid
            if notice.state == "failed":
                self._failures[notice.name] = notice.sentence
            self._heard(notice)
        else:
            self._supervisor_ended()
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    def _supervisor_ended(self) -> None:
        try:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
        except RuntimeError:
            pass  # no loop attends
        os.waitpid(self.pid, 0)
        self.pid = 0
        self.states = dict.fromkeys(self.states, "down")
        self._socket.close()


def _obey(orders: socket.socket, plans: Sequence[WorkerPlan], grace_seconds: float, driver: int) -> NoReturn:
    """Live as the supervisor of a processes until told to end, or until the driver is gone."""
    code = EXIT_OUR_FAULT
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        die_with(driver, signal.SIGKILL)
        supervise_by_order(orders, plans, grace_seconds)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def supervise_by_order(orders: socket.socket, plans: Sequence[WorkerPlan], grace_seconds: float) -> None:
    """Obey the orders that come in; return after "end", or when nobody is left to give any."""
    ended = False
    orders.setblocking(False)

    def tell(notice: Notice) -> None:
        try:
            orders.send(json.dumps(notice._asdict()).encode())
        except (BlockingIOError, BrokenPipeError):
            pass  # nobody listens; the workers matter more

    supervisor = Supervisor(plans, tell, grace_seconds)
    verbs = {"start": supervisor.start, "stop": supervisor.stop, "kill": supervisor.kill}

    def obey() -> None:
        nonlocal ended
        octets = orders.recv(MESSAGE_BYTES_MAX)
        order = json.loads(octets) if octets else {"do": "end"}
        if order["do"] == "end":
            ended = True
        else:
            for name in order["names"]:
                verbs[order["do"]](name)

    supervisor.watch(orders.fileno(), obey)
    while not ended:
        supervisor.turn()
    supervisor.end_all()
