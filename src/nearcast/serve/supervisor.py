"""Workers as processes: forked, watched, started again when they die, ended together.

The supervisor runs no event loop and no thread: it forks, and a fork copies only the calling thread
and every lock and loop as it stands. So it waits in poll(2), on a pidfd and a report pipe for each
worker. A process that has a loop (the lab) drives a supervisor in a process of its own: see
`process_group.py`.

    state      what happens       next
    ---------  -----------------  ---------------------------------------------------------------
    down       start              starting
    starting   reports ready      up
    starting   dies               failed, if it was asked for; waiting, if it is a restart
    up         dies               waiting, for longer each time that it did not live long
    waiting    time has come      starting
    any        stop, kill         ending; down once the process is gone

A worker dies with its supervisor (PR_SET_PDEATHSIG): nothing is left behind, whatever kills us.
"""

from __future__ import annotations

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from nearcast.serve.worker import DRAIN_SECONDS, become_worker

GRACE_SECONDS = DRAIN_SECONDS + 5.0
RESTART_SECONDS_MIN, RESTART_SECONDS_MAX = 0.1, 5.0
LONG_LIFE_SECONDS = 10.0  # after which a death counts as the first one again
OUR_SIGNALS = {signal.SIGTERM, signal.SIGINT}


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """A process to be: `run` is called in it and returns when it is to end (see `run_program`)."""

    name: str
    run: Callable[[], None]


class Notice(NamedTuple):
    """What became of a worker: its new state, its process, and what there is to say about it."""

    name: str
    state: str
    pid: int
    sentence: str = ""


@dataclass(slots=True)
class _Worker:
    plan: WorkerPlan
    state: str = "down"
    wanted: bool = False
    restart: bool = False  # has been up since it was asked for
    restarts_total: int = 0
    pid: int = 0
    process: int = -1  # pidfd
    reports: int = -1
    said: str = ""  # why it cannot start
    due: float = 0.0  # when to start it again, or to kill it
    started: float = 0.0
    pause: float = field(default=RESTART_SECONDS_MIN)


class Supervisor:
    """Watches over workers. `notice` hears of each change; `turn` waits for the next thing to happen."""

    def __init__(
        self,
        plans: Sequence[WorkerPlan],
        notice: Callable[[Notice], None],
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._workers = {plan.name: _Worker(plan) for plan in plans}
        self._notice = notice
        self._grace_seconds = grace_seconds
        self._selector = selectors.PollSelector()  # no kernel object that a fork would share

    def watch(self, descriptor: int, readable: Callable[[], None]) -> None:
        """Call `readable` during `turn`; workers do not inherit `descriptor`."""
        self._selector.register(descriptor, selectors.EVENT_READ, readable)

    def start(self, name: str) -> None:
        """Start a worker, unless it runs; one that is about to end is started once it has."""
        worker = self._workers[name]
        if worker.wanted and worker.pid:
            return
        worker.wanted, worker.restart, worker.pause = True, False, RESTART_SECONDS_MIN
        if not worker.pid:
            self._fork(worker)

    def stop(self, name: str) -> None:
        """Let a worker drain; it is killed when that takes longer than the grace."""
        self._end(self._workers[name], signal.SIGTERM)

    def kill(self, name: str) -> None:
        """End a worker at once, as a failing machine would. It stays down."""
        self._end(self._workers[name], signal.SIGKILL)

    @property
    def names(self) -> list[str]:
        return list(self._workers)

    @property
    def alive(self) -> bool:
        """Whether any process is left."""
        return any(worker.pid for worker in self._workers.values())

    @property
    def all_up(self) -> bool:
        return all(worker.state == "up" for worker in self._workers.values())

    def turn(self) -> None:
        """Wait for the next thing to happen, and do what it asks for."""
        dues = [worker.due for worker in self._workers.values() if worker.due]
        timeout = max(0.0, min(dues) - time.monotonic()) if dues else None
        for key, _ in self._selector.select(timeout):
            if self._selector.get_map().get(key.fd) is key:  # not closed by the one before
                key.data()
        now = time.monotonic()
        for worker in self._workers.values():
            if worker.due and worker.due <= now:
                worker.due = 0.0
                if worker.pid:
                    self._signal(worker, signal.SIGKILL)
                else:
                    self._fork(worker)

    def end_all(self, hurried: Callable[[], bool] = lambda: False) -> None:
        """Let all workers drain, or kill them once `hurried`; returns when none is left."""
        for name in self._workers:
            self.stop(name)
        killed = False
        while self.alive:
            if hurried() and not killed:
                killed = True
                for name in self._workers:
                    self.kill(name)
            self.turn()

    def _end(self, worker: _Worker, number: signal.Signals) -> None:
        worker.wanted, worker.due = False, 0.0
        if worker.pid:
            self._change(worker, "ending")
            self._signal(worker, number)
            worker.due = time.monotonic() + self._grace_seconds
        else:
            self._change(worker, "down")

    def _signal(self, worker: _Worker, number: signal.Signals) -> None:
        try:
            signal.pidfd_send_signal(worker.process, number)
        except ProcessLookupError:
            pass  # gone already; its pidfd will say so

    def _fork(self, worker: _Worker) -> None:
        reports, ready = os.pipe()
        supervisor = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal meant for the worker must not meet the supervisor's handlers in it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, OUR_SIGNALS)
        pid = os.fork()
        if pid == 0:
            ours = [reports, *(key.fd for key in self._selector.get_map().values())]
            become_worker(worker.plan.run, supervisor, ready, ours, worker.restarts_total)
        os.close(ready)
        worker.pid, worker.process, worker.reports = pid, os.pidfd_open(pid), reports
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        worker.said, worker.due, worker.started = "", 0.0, time.monotonic()
        self.watch(worker.process, lambda: self._died(worker))
        self.watch(worker.reports, lambda: self._reported(worker))
        self._change(worker, "starting")

    def _reported(self, worker: _Worker) -> None:
        line = os.read(worker.reports, 4096).decode(errors="replace").strip()
        self._close(worker.reports)
        worker.reports = -1
        if line == "ready":
            worker.restart = True
            if worker.wanted:
                self._change(worker, "up")
        else:
            worker.said = line

    def _died(self, worker: _Worker) -> None:
        _, status = os.waitpid(worker.pid, 0)
        if worker.reports >= 0:
            self._reported(worker)
        self._close(worker.process)
        pid, worker.pid, worker.due = worker.pid, 0, 0.0
        how = worker.said or _how(os.waitstatus_to_exitcode(status))
        if not worker.wanted:
            self._change(worker, "down", pid=pid)
        elif worker.state == "ending":  # and asked for again meanwhile
            self._fork(worker)
        elif not worker.restart:
            worker.wanted = False
            self._change(worker, "failed", how, pid)
        else:
            self._start_again_later(worker, how, pid)

    def _start_again_later(self, worker: _Worker, how: str, pid: int) -> None:
        now = time.monotonic()
        if now - worker.started >= LONG_LIFE_SECONDS:
            worker.pause = RESTART_SECONDS_MIN
        worker.due = now + worker.pause
        worker.restarts_total += 1
        self._change(worker, "waiting", f"{how}; starting it again in {worker.pause:g} s", pid)
        worker.pause = min(worker.pause * 2, RESTART_SECONDS_MAX)

    def _change(self, worker: _Worker, state: str, sentence: str = "", pid: int = 0) -> None:
        worker.state = state
        self._notice(Notice(worker.plan.name, state, worker.pid or pid, sentence))

    def _close(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        os.close(descriptor)


def _how(code: int) -> str:
    if code < 0:
        return f"died by {signal.Signals(-code).name}"
    return f"ended by itself with code {code}"


def say_aloud(notice: Notice) -> None:
    """Tell standard error of a worker that died."""
    if notice.state == "waiting":
        print(f"nearcast: worker {notice.name} ({notice.pid}) {notice.sentence}", file=sys.stderr)  # noqa: T201


def supervise(
    plans: Sequence[WorkerPlan],
    *,
    all_up: Callable[[], None] = lambda: None,
    grace_seconds: float = GRACE_SECONDS,
) -> str:
    """Run workers until SIGTERM or SIGINT, then drain them all; a second signal kills them.

    `all_up` is called once, when each has reported ready. Returns "" after a drain, or, when a worker
    could not start, the sentence that says why (then none is left either).
    """
    failures: list[str] = []
    signals = 0
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def notice(happened: Notice) -> None:
        say_aloud(happened)
        if happened.state == "failed":
            failures.append(happened.sentence)

    def count(*_: object) -> None:
        nonlocal signals
        signals += 1

    supervisor = Supervisor(plans, notice, grace_seconds)
    supervisor.watch(wake_read, lambda: _swallow(wake_read))
    before = {number: signal.signal(number, count) for number in OUR_SIGNALS}
    wake_before = signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    try:
        for name in supervisor.names:
            supervisor.start(name)
        while not (signals or failures or supervisor.all_up):
            supervisor.turn()
        if supervisor.all_up:
            all_up()
        while not (signals or failures):
            supervisor.turn()
        supervisor.end_all(lambda: signals > 1)
    finally:
        signal.set_wakeup_fd(wake_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(wake_read)
        os.close(wake_write)
    return failures[0] if failures else ""


def _swallow(descriptor: int) -> None:
    try:
        os.read(descriptor, 512)
    except BlockingIOError:
        pass
