"""The life of one process that runs a program: start, ready, signal, drain, end.

A program is a coroutine function that starts it and returns something `Running`. `run_program` is all
that a process needs; it works alone (one worker, no supervisor) and below a supervisor, which hands
down a pipe by the number in NEARCAST_READY_FD and reads one line from it: `ready`, or why not.

SIGTERM and SIGINT begin the drain, a second one ends it at once. Where SIGINT is ignored (below a
supervisor, because a terminal's Ctrl-C reaches every process and one of them must be in charge) it
stays so. An assertion that fails anywhere on the loop is our own fault and ends the process: state
that is wrong must not go on serving.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NoReturn

from nearcast.model.faults import OperatorFault
from nearcast.serve.descriptors import allow_connections, raise_limit
from nearcast.serve.loop import run
from nearcast.serve.program import Running

READY_FD = "NEARCAST_READY_FD"
RESTARTS = "NEARCAST_RESTARTS"
DRAIN_SECONDS = 10.0
EXIT_CANNOT_START, EXIT_OUR_FAULT = 2, 70  # 70: EX_SOFTWARE of sysexits.h
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)  # loaded before any fork


def run_program(start: Callable[[], Awaitable[Running]], drain_seconds: float = DRAIN_SECONDS) -> None:
    """Run the program that `start` starts until SIGTERM or SIGINT, then drain it.

    What `start` raises is raised here.
    """
    run(_live(start, drain_seconds))


async def _live(start: Callable[[], Awaitable[Running]], drain_seconds: float) -> None:
    allow_connections(raise_limit())
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    hurried = asyncio.Event()

    def end() -> None:
        if ended.done():
            hurried.set()
        else:
            ended.set_result(None)

    def look_for_assertions(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        fault = context.get("exception")
        if isinstance(fault, AssertionError) and not ended.done():
            ended.set_exception(fault)
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(look_for_assertions)
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, end)

    starting = asyncio.ensure_future(start())
    first: list[asyncio.Future[Any]] = [starting, ended]
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait([starting])
        return
    running = starting.result()
    report("ready")
    await ended
    await _drain(running, drain_seconds, hurried)


async def _drain(running: Running, seconds: float, hurried: asyncio.Event) -> None:
    draining = asyncio.ensure_future(running.drain(seconds))
    hurrying = asyncio.ensure_future(hurried.wait())
    await asyncio.wait([draining, hurrying], return_when=asyncio.FIRST_COMPLETED)
    hurrying.cancel()
    if not draining.done():
        running.abort()
    await draining


def report(line: str) -> None:
    """Tell the supervisor, if there is one, `ready` or why this worker cannot start; once."""
    if (number := os.environ.pop(READY_FD, None)) is not None:
        os.write(int(number), line.replace("\n", "; ").encode()[:4000] + b"\n")
        os.close(int(number))


def die_with(parent: int, number: signal.Signals) -> None:
    """Let the kernel send us signal `number` when process `parent`, which forked us, ends."""
    _libc.prctl(PR_SET_PDEATHSIG, int(number))
    if os.getppid() != parent:  # it had ended before we asked
        os._exit(EXIT_OUR_FAULT)


def restarts() -> int:
    """How often this worker died before this life; 0 where no supervisor counts."""
    return int(os.environ.get(RESTARTS, "0"))


def become_worker(
    run: Callable[[], None], parent: int, ready: int, inherited: Iterable[int], restarts_total: int
) -> NoReturn:
    """In a process just forked, with signals blocked: live as a worker, and end without a way back.

    `ready` is the pipe to report to; `inherited` are descriptors that are the parent's affair;
    `restarts_total` is how often this worker died before.
    """
    code = EXIT_OUR_FAULT
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        die_with(parent, signal.SIGKILL)
        for descriptor in inherited:
            os.close(descriptor)
        os.environ[READY_FD] = str(ready)
        os.environ[RESTARTS] = str(restarts_total)
        run()
        code = 0
    except (OSError, OperatorFault) as fault:
        if READY_FD in os.environ:
            code = EXIT_CANNOT_START
            report(str(fault))
        else:
            traceback.print_exc()
    except BaseException as fault:
        report(f"{type(fault).__name__}: {fault}")
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
