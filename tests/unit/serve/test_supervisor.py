"""Workers that start, cannot start, die, hang and drain; and a supervisor that leaves nothing behind."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nearcast.model.faults import OperatorFault
from nearcast.serve.http_server import Exchange, listen_http
from nearcast.serve.supervisor import Notice, Supervisor, WorkerPlan
from nearcast.serve.udp import listen_udp
from nearcast.serve.worker import restarts, run_program

HERE = "127.0.0.1"


def echo(port: int = 0) -> Callable[[], None]:
    """A worker that echoes datagrams."""

    async def start():
        return await listen_udp(lambda octets, peer: octets, HERE, port, share_port=True)

    return lambda: run_program(start)


def refuses() -> None:
    raise OSError(errno.EADDRINUSE, "Address already in use")


def is_misconfigured() -> None:
    raise OperatorFault("two mistakes\nin two lines")


def ends_at_once() -> None:
    pass


def hangs() -> None:
    async def start():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return Stubborn()

    run_program(start)


class Stubborn:
    async def drain(self, seconds: float) -> None:
        await asyncio.Event().wait()

    def abort(self) -> None:
        pass


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:  # a zombie of somebody else's is gone, too
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] == "Z"
    except FileNotFoundError:
        return True


class Watched:
    """A supervisor, and what it has noticed."""

    def __init__(self, *plans: WorkerPlan, grace_seconds: float = 10.0) -> None:
        self.notices: list[Notice] = []
        self.supervisor = Supervisor(plans, self.notices.append, grace_seconds)

    def until(self, state: str, name: str, times: int = 1) -> Notice:
        """Turn until `name` has reached `state` for the nth time."""
        while True:
            found = [notice for notice in self.notices if notice[:2] == (name, state)]
            if len(found) >= times:
                return found[times - 1]
            self.supervisor.turn()


@pytest.fixture
def watched():
    made: list[Watched] = []

    def make(*plans: WorkerPlan, grace_seconds: float = 10.0) -> Watched:
        made.append(Watched(*plans, grace_seconds=grace_seconds))
        return made[-1]

    yield make
    for each in made:
        each.supervisor.end_all(lambda: True)


def test_a_worker_starts_reports_and_drains(watched) -> None:
    play = watched(WorkerPlan("a", echo()))
    play.supervisor.start("a")
    pid = play.until("up", "a").pid
    play.supervisor.stop("a")
    play.until("down", "a")
    assert [notice.state for notice in play.notices] == ["starting", "up", "ending", "down"]
    assert is_gone(pid)


def test_a_worker_that_dies_by_itself_is_started_again_with_back_off(watched) -> None:
    play = watched(WorkerPlan("a", echo()))
    play.supervisor.start("a")
    first = play.until("up", "a").pid
    os.kill(first, signal.SIGKILL)
    assert play.until("waiting", "a").sentence == "died by SIGKILL; starting it again in 0.1 s"
    second = play.until("up", "a", times=2).pid
    assert second != first
    os.kill(second, signal.SIGTERM)  # nobody who supervises asked for it
    assert play.until("waiting", "a", times=2).sentence == (
        "ended by itself with code 0; starting it again in 0.2 s"
    )
    play.until("up", "a", times=3)


def test_a_worker_knows_how_often_it_died_before(watched) -> None:
    async def start():
        return await listen_udp(lambda octets, peer: str(restarts()).encode(), HERE, port)

    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind((HERE, 0))
        port = probe.getsockname()[1]
    play = watched(WorkerPlan("a", lambda: run_program(start)))
    play.supervisor.start("a")
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        for lives in (1, 2, 3):
            pid = play.until("up", "a", times=lives).pid
            client.sendto(b"?", (HERE, port))
            assert client.recv(99) == b"%d" % (lives - 1)
            os.kill(pid, signal.SIGKILL)


def test_a_killed_worker_stays_down_until_started(watched) -> None:
    play = watched(WorkerPlan("a", echo()), WorkerPlan("b", echo()))
    play.supervisor.start("a")
    play.supervisor.start("b")
    play.until("up", "b")
    first = play.until("up", "a").pid
    play.supervisor.kill("a")
    play.until("down", "a")
    assert is_gone(first)
    play.supervisor.start("a")
    assert play.until("up", "a", times=2).pid != first
    assert len([notice for notice in play.notices if notice.name == "b"]) == 2, "b was left alone"


def test_started_again_while_it_is_still_ending(watched) -> None:
    play = watched(WorkerPlan("a", echo()))
    play.supervisor.start("a")
    play.until("up", "a")
    play.supervisor.kill("a")
    play.supervisor.start("a")
    play.until("up", "a", times=2)


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        (refuses, "[Errno 98] Address already in use"),
        (is_misconfigured, "two mistakes; in two lines"),
        (ends_at_once, "ended by itself with code 0"),
    ],
)
def test_a_worker_that_cannot_start_says_why_and_is_not_tried_again(watched, run, sentence: str) -> None:
    play = watched(WorkerPlan("a", run))
    play.supervisor.start("a")
    assert play.until("failed", "a").sentence == sentence
    assert not play.supervisor.alive


def test_a_worker_that_does_not_drain_is_killed_after_the_grace(watched) -> None:
    play = watched(WorkerPlan("a", hangs), grace_seconds=0.1)
    play.supervisor.start("a")
    pid = play.until("up", "a").pid
    play.supervisor.end_all()
    assert is_gone(pid)
    assert play.notices[-1].state == "down"


def test_an_assertion_in_a_callback_ends_the_worker(watched, capfd) -> None:
    def answer(octets: bytes, peer: object) -> bytes:
        assert octets != b"impossible"
        return octets

    async def start():
        return await listen_udp(answer, HERE, port)

    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind((HERE, 0))
        port = probe.getsockname()[1]
    play = watched(WorkerPlan("a", lambda: run_program(start)))
    play.supervisor.start("a")
    play.until("up", "a")
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.sendto(b"impossible", (HERE, port))
        assert play.until("waiting", "a").sentence.startswith("ended by itself with code 70")
        play.until("up", "a", times=2)
        client.settimeout(10)
        client.sendto(b"possible", (HERE, port))
        assert client.recv(99) == b"possible"
    assert "AssertionError" in capfd.readouterr().err


async def asserts_later(exchange: Exchange) -> None:
    await asyncio.sleep(0)
    asserts_at_once(exchange)


async def asserts_midway(exchange: Exchange) -> None:
    exchange.begin(200, {}, 5)
    asserts_at_once(exchange)


def asserts_at_once(exchange: Exchange) -> None:
    assert exchange.request.target != "/impossible", "state is wrong"
    exchange.respond(200, {})


@pytest.mark.parametrize("application", [asserts_at_once, asserts_later, asserts_midway])
def test_an_assertion_in_an_application_ends_the_worker(watched, capfd, application) -> None:
    async def start():
        return await listen_http(application, HERE, port, clock=time.time)

    with socket.create_server((HERE, 0)) as probe:
        port = probe.getsockname()[1]
    play = watched(WorkerPlan("a", lambda: run_program(start)))
    play.supervisor.start("a")
    play.until("up", "a")
    with socket.create_connection((HERE, port), timeout=10) as viewer:
        viewer.sendall(b"GET /impossible HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            said = b"".join(iter(lambda: viewer.recv(1000), b""))
        except ConnectionResetError:
            assert application is asserts_midway
        else:
            assert said.startswith(b"HTTP/1.1 500") != (application is asserts_midway)
    assert play.until("waiting", "a").sentence.startswith("ended by itself with code 70")
    play.until("up", "a", times=2)
    assert "state is wrong" in capfd.readouterr().err


def test_workers_share_a_port(watched) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind((HERE, 0))
        port = probe.getsockname()[1]
    play = watched(*[WorkerPlan(str(number), echo(port)) for number in range(3)])
    for name in play.supervisor.names:
        play.supervisor.start(name)
    while not play.supervisor.all_up:
        play.supervisor.turn()
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.sendto(b"hello", (HERE, port))
        assert client.recv(99) == b"hello"


# --- whole processes: signals, and what is left behind -------------------------------------------

PLAY = """
import asyncio, os, sys

def say(*words):  # in one piece: several processes share the pipe
    os.write(1, (' '.join(map(str, words)) + '\\n').encode())

from nearcast.serve.http_server import Exchange, listen_http
from nearcast.serve.supervisor import WorkerPlan, supervise
from nearcast.serve.worker import restarts, run_program

class Nothing:
    def __init__(self): self.aborted = asyncio.Event()
    async def drain(self, seconds):
        say("draining")
        if sys.argv[1] == "stubborn": await self.aborted.wait()
    def abort(self): self.aborted.set()

async def start():
    if sys.argv[1] == "slow":
        say("starting", os.getpid())
        await asyncio.Event().wait()
    say("up", os.getpid())
    return Nothing()

def refuses(): raise OSError(98, "taken")

def work(): run_program(start)

if sys.argv[2] == "alone":
    work()
else:
    plans = [WorkerPlan(name, work) for name in ("a", "b")]
    if sys.argv[1] == "refused": plans.append(WorkerPlan("c", refuses))
    say(repr(supervise(plans, all_up=lambda: say("all up"))))
"""


def played(how: str, who: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PLAY, how, who], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def read_pids(process: subprocess.Popen[str], count: int) -> list[int]:
    assert process.stdout is not None
    pids: list[int] = []
    while len(pids) < count:
        line = process.stdout.readline()
        assert line, "ended early"
        if (pid := line.split()[-1]).isdigit():
            pids.append(int(pid))
    return pids


def read_until(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    assert process.stderr is not None
    said = []
    while (found := process.stdout.readline()).strip() != line:
        said.append(found)
        assert found, f"ended before it said {line!r}; it said {said} and {process.stderr.read()}"


def all_gone(pids: list[int]) -> None:
    while not all(map(is_gone, pids)):
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("who", ["alone", "supervised"])
def test_a_signal_drains_and_leaves_nothing(who: str, number: signal.Signals) -> None:
    process = played("willing", who)
    pids = read_pids(process, 1 if who == "alone" else 2)
    if who == "supervised":
        read_until(process, "all up")
    process.send_signal(number)
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert output.count("draining") == len(pids)
    all_gone(pids)


@pytest.mark.parametrize("who", ["alone", "supervised"])
def test_a_second_signal_ends_a_drain_that_takes_long(who: str) -> None:
    process = played("stubborn", who)
    pids = read_pids(process, 1 if who == "alone" else 2)
    if who == "supervised":
        read_until(process, "all up")
    process.send_signal(signal.SIGTERM)
    read_until(process, "draining")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=8)  # less than the grace
    assert process.returncode == 0
    all_gone(pids)


@pytest.mark.parametrize("who", ["alone", "supervised"])
def test_a_signal_while_starting_ends_it(who: str) -> None:
    process = played("slow", who)
    pids = read_pids(process, 1 if who == "alone" else 2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=8)
    assert process.returncode == 0
    all_gone(pids)


def test_workers_die_with_a_supervisor_that_is_killed() -> None:
    process = played("willing", "supervised")
    pids = read_pids(process, 2)
    process.kill()
    process.communicate(timeout=20)
    all_gone(pids)


def test_one_that_cannot_start_ends_all_and_the_sentence_is_returned() -> None:
    process = played("refused", "supervised")
    output, errors = process.communicate(timeout=20)
    assert "'[Errno 98] taken'" in output
    assert "all up" not in output
    assert "Traceback" not in errors
    all_gone([int(line.split()[1]) for line in output.splitlines() if line.startswith("up")])


def test_the_supervisor_says_that_a_worker_died() -> None:
    process = played("willing", "supervised")
    first, _ = read_pids(process, 2)
    read_until(process, "all up")
    os.kill(first, signal.SIGKILL)
    read_pids(process, 1)
    process.terminate()
    _, errors = process.communicate(timeout=20)
    assert f"({first}) died by SIGKILL; starting it again in 0.1 s" in errors
