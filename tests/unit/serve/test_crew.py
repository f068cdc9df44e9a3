"""A crew: a supervisor in its own process, driven by one that runs an event loop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nearcast.serve.crew import Crew, WorkerFailed
from nearcast.serve.supervisor import Notice, WorkerPlan
from nearcast.serve.udp import listen_udp
from nearcast.serve.worker import run_program

HERE = "127.0.0.1"


def echo() -> None:
    async def start():
        return await listen_udp(lambda octets, peer: octets, HERE, 0)

    run_program(start)


def refuses() -> None:
    raise OSError(98, "taken")


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def heard() -> list[Notice]:
    return []


@pytest.fixture
def crew(heard: list[Notice]):
    plans = [WorkerPlan("a", echo), WorkerPlan("b", echo), WorkerPlan("c", refuses)]
    with Crew(plans, heard=heard.append, grace_seconds=5) as crew:
        yield crew


def test_start_kill_and_start_again_without_a_loop(crew: Crew) -> None:
    crew.start("a", "b")
    crew.wait("up", "a", "b")
    first = crew.pids["a"]
    crew.kill("a")
    crew.wait("down", "a")
    assert is_gone(first)
    assert crew.states == {"a": "down", "b": "up", "c": "down"}
    crew.start("a")
    crew.wait("up", "a")
    assert crew.pids["a"] != first


def test_the_same_from_a_running_loop_which_never_blocks(crew: Crew, run_on) -> None:
    async def main() -> None:
        crew.start("a", "b")
        await asyncio.gather(crew.reach("up", "a"), crew.reach("up", "b"))
        crew.kill("a")
        await crew.reach("down", "a")
        crew.start("a")
        await crew.reach("up", "a")
        crew.drain("a")
        await crew.reach("down", "a")

    run_on(main())
    crew.stop()
    assert set(crew.states.values()) == {"down"}


def test_one_that_cannot_start_is_named_with_its_reason(crew: Crew, run_on) -> None:
    crew.start("c")
    with pytest.raises(WorkerFailed, match=r"c cannot start: .*taken"):
        crew.wait("up", "c")
    crew.start("c")
    with pytest.raises(WorkerFailed, match="taken"):
        run_on(crew.reach("up", "c"))


def test_a_death_is_heard_and_the_worker_comes_back(crew: Crew, heard: list[Notice], run_on) -> None:
    async def main() -> None:
        crew.start("a")
        await crew.reach("up", "a")
        os.kill(crew.pids["a"], signal.SIGKILL)
        await crew.reach("waiting", "a")
        await crew.reach("up", "a")

    run_on(main())
    assert any("died by SIGKILL" in notice.sentence for notice in heard)


def test_waiting_has_an_end(crew: Crew) -> None:
    with pytest.raises(TimeoutError, match="not up within 0 s: a"):
        crew.wait("up", "a", seconds=0)


def test_a_supervisor_that_is_killed_takes_its_workers_along_and_is_missed(crew: Crew) -> None:
    crew.start("a")
    crew.wait("up", "a")
    worker = crew.pids["a"]
    os.kill(crew.pid, signal.SIGKILL)
    with pytest.raises(WorkerFailed, match="supervisor of the workers has ended"):
        crew.wait("up", "b")
    while not is_gone(worker):
        time.sleep(0.01)
    crew.start("a")  # harmless
    crew.stop()


def test_after_stop_neither_workers_nor_supervisor_are_left(crew: Crew) -> None:
    crew.start("a", "b")
    crew.wait("up", "a", "b")
    pids = [crew.pid, crew.pids["a"], crew.pids["b"]]
    crew.stop()
    assert all(map(is_gone, pids))


def test_a_crew_whose_driver_is_killed_dies_with_it() -> None:
    play = """if True:
        import asyncio, time
        from nearcast.serve.crew import Crew
        from nearcast.serve.supervisor import WorkerPlan
        from nearcast.serve.udp import listen_udp
        from nearcast.serve.worker import run_program
        async def start():
            return await listen_udp(lambda octets, peer: octets, "127.0.0.1", 0)
        crew = Crew([WorkerPlan("a", lambda: run_program(start))])
        crew.start()
        crew.wait("up")
        print(crew.pid, crew.pids["a"], flush=True)
        time.sleep(60)
    """
    driver = subprocess.Popen([sys.executable, "-c", play], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    pids = [int(word) for word in driver.stdout.readline().split()]
    assert len(pids) == 2
    driver.kill()
    driver.communicate()
    while not all(map(is_gone, pids)):
        time.sleep(0.01)


def test_workers_do_not_hold_the_drivers_socket(crew: Crew) -> None:
    crew.start("a")
    crew.wait("up", "a")
    theirs = [str(entry.readlink()) for entry in Path(f"/proc/{crew.pids['a']}/fd").iterdir()]
    seqpackets = [link for link in theirs if link.startswith("socket:") and _is_seqpacket(link)]
    assert not seqpackets


def _is_seqpacket(link: str) -> bool:
    inode = link[8:-1]
    rows = [row.split() for row in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return any(row[6] == inode and int(row[4], 16) == socket.SOCK_SEQPACKET for row in rows)
