"""A processes: a supervisor in its own process, driven by one that runs an event loop."""

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

from nearcast.serve.process_group import ProcessGroup, WorkerFailed
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
def processes(heard: list[Notice]):
    plans = [WorkerPlan("a", echo), WorkerPlan("b", echo), WorkerPlan("c", refuses)]
    with ProcessGroup(plans, heard=heard.append, grace_seconds=5) as processes:
        yield processes


def test_start_kill_and_start_again_without_a_loop(processes: ProcessGroup) -> None:
    processes.start("a", "b")
    processes.wait("up", "a", "b")
    first = processes.pids["a"]
    processes.kill("a")
    processes.wait("down", "a")
    assert is_gone(first)
    assert processes.states == {"a": "down", "b": "up", "c": "down"}
    processes.start("a")
    processes.wait("up", "a")
    assert processes.pids["a"] != first


def test_the_same_from_a_running_loop_which_never_blocks(processes: ProcessGroup, run_on) -> None:
    async def main() -> None:
        processes.start("a", "b")
        await asyncio.gather(processes.reach("up", "a"), processes.reach("up", "b"))
        processes.kill("a")
        await processes.reach("down", "a")
        processes.start("a")
        await processes.reach("up", "a")
        processes.drain("a")
        await processes.reach("down", "a")

    run_on(main())
    processes.stop()
    assert set(processes.states.values()) == {"down"}


def test_one_that_cannot_start_is_named_with_its_reason(processes: ProcessGroup, run_on) -> None:
    processes.start("c")
    with pytest.raises(WorkerFailed, match=r"c cannot start: .*taken"):
        processes.wait("up", "c")
    processes.start("c")
    with pytest.raises(WorkerFailed, match="taken"):
        run_on(processes.reach("up", "c"))


def test_a_death_is_heard_and_the_worker_comes_back(
    processes: ProcessGroup, heard: list[Notice], run_on
) -> None:
    async def main() -> None:
        processes.start("a")
        await processes.reach("up", "a")
        os.kill(processes.pids["a"], signal.SIGKILL)
        await processes.reach("waiting", "a")
        await processes.reach("up", "a")

    run_on(main())
    assert any("died by SIGKILL" in notice.sentence for notice in heard)


def test_waiting_has_an_end(processes: ProcessGroup) -> None:
    with pytest.raises(TimeoutError, match="not up within 0 s: a"):
        processes.wait("up", "a", seconds=0)


def test_a_supervisor_that_is_killed_takes_its_workers_along_and_is_missed(processes: ProcessGroup) -> None:
    processes.start("a")
    processes.wait("up", "a")
    worker = processes.pids["a"]
    os.kill(processes.pid, signal.SIGKILL)
    with pytest.raises(WorkerFailed, match="supervisor of the workers has ended"):
        processes.wait("up", "b")
    while not is_gone(worker):
        time.sleep(0.01)
    processes.start("a")  # harmless
    processes.stop()


def test_after_stop_neither_workers_nor_supervisor_are_left(processes: ProcessGroup) -> None:
    processes.start("a", "b")
    processes.wait("up", "a", "b")
    pids = [processes.pid, processes.pids["a"], processes.pids["b"]]
    processes.stop()
    assert all(map(is_gone, pids))


def test_a_crew_whose_driver_is_killed_dies_with_it() -> None:
    play = """if True:
        import asyncio, time
        from nearcast.serve.process_group import ProcessGroup
        from nearcast.serve.supervisor import WorkerPlan
        from nearcast.serve.udp import listen_udp
        from nearcast.serve.worker import run_program
        async def start():
            return await listen_udp(lambda octets, peer: octets, "127.0.0.1", 0)
        processes = ProcessGroup([WorkerPlan("a", lambda: run_program(start))])
        processes.start()
        processes.wait("up")
        print(processes.pid, processes.pids["a"], flush=True)
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


def test_workers_do_not_hold_the_drivers_socket(processes: ProcessGroup) -> None:
    processes.start("a")
    processes.wait("up", "a")
    theirs = [str(entry.readlink()) for entry in Path(f"/proc/{processes.pids['a']}/fd").iterdir()]
    seqpackets = [link for link in theirs if link.startswith("socket:") and _is_seqpacket(link)]
    assert not seqpackets


def _is_seqpacket(link: str) -> bool:
    inode = link[8:-1]
    rows = [row.split() for row in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return any(row[6] == inode and int(row[4], 16) == socket.SOCK_SEQPACKET for row in rows)
