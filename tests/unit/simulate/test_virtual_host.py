"""Hosts: where code runs, crash, kill, hang, restart, clocks, dice."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from nearcast.simulate.world.disk import DirectoryEntry, DiskShape
from nearcast.simulate.world.host import EPOCH, Host
from nearcast.simulate.world.incarnation import CURRENT
from nearcast.simulate.world.world import World


def test_tasks_and_callbacks_inherit_their_host() -> None:
    where: list[str] = []

    def tell() -> None:
        incarnation = CURRENT.get(world.loop.home)
        where.append(incarnation.host.name if incarnation.host else "nowhere")

    async def deeper() -> None:
        await asyncio.sleep(1)
        tell()
        world.loop.call_later(1, tell)

    async def main() -> None:
        with world.hosts["a"]:
            tell()
            with world.hosts["b"]:
                task = asyncio.create_task(deeper())
            tell()
        tell()
        await task
        await world.hosts["a"].spawn(deeper())
        await asyncio.sleep(5)

    world = World(1)
    world.host("a")
    world.host("b")
    world.run(main())
    assert where == ["a", "a", "here", "b", "b", "a", "a"]


def program_with_cleanup(said: list[str]) -> Any:
    async def program(host: Host) -> None:
        said.append(f"start {host.disk.entries('')}")
        host.disk.create("written").close()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(1000))
                await asyncio.sleep(1000)
        finally:
            said.append("cleanup")
            host.disk.remove("written")

    return program


def test_a_crash_runs_no_cleanup_and_what_python_cleans_up_at_the_end_reaches_nothing() -> None:
    said: list[str] = []
    left: list[DirectoryEntry] = []

    async def main() -> None:
        host.disk.create("synced").sync()
        host.disk.sync_directory("")
        host.start(program_with_cleanup(said))
        await asyncio.sleep(1)
        host.crash()
        host.crash()  # once is enough
        gc.collect()
        await asyncio.sleep(2000)
        assert said == ["start [DirectoryEntry(name='synced', size=0)]"]
        left.extend(host.disk.entries(""))
        assert not host.up
        with pytest.raises(RuntimeError, match="is down"):
            host.spawn(asyncio.sleep(0))

    for seed in range(4):  # in some of them the un-synced file survives the crash
        said.clear()
        left.clear()
        world = World(seed)
        host = world.host("a")
        world.run(main())
        assert host.disk.entries("") == left
        assert left[0].name == "synced"


def test_a_restart_runs_the_program_again_on_what_the_disk_kept() -> None:
    said: list[str] = []

    async def main() -> None:
        host.start(program_with_cleanup(said))
        await asyncio.sleep(1)
        host.kill()
        await asyncio.sleep(1)
        host.disk.rename("written", "found")
        host.restart()
        await asyncio.sleep(1)
        assert [text for text in said if text != "cleanup"] == [
            "start []",
            "start [DirectoryEntry(name='found', size=0)]",
        ]
        assert "cleanup" not in said

    world = World(1)
    host = world.host("a")
    world.run(main())


def test_a_program_may_end_its_own_host() -> None:
    async def suicide(host: Host) -> None:
        host.crash()
        with pytest.raises(OSError, match="Input/output error"):
            host.disk.create("after death")
        with pytest.raises(OSError, match="down"):
            await asyncio.open_connection("127.0.0.1", 80)
        reached.append(True)
        await asyncio.sleep(0)
        reached.append(False)

    async def main() -> None:
        host.start(suicide)
        await asyncio.sleep(1)

    reached: list[bool] = []
    world = World(1)
    host = world.host("a")
    world.run(main())
    assert reached == [True]


def _order_after(standstill: str) -> list[str]:
    """What a host does in which order when it goes on: bytes came first, then a timer was due."""
    order: list[str] = []

    class Asking(asyncio.Protocol):
        def data_received(self, octets: bytes) -> None:
            order.append(octets.decode())

    def late() -> None:
        order.append("timer")
        world.loop.call_soon(order.append, "what the timer wanted")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1)
        writer.write(b"bytes")

    async def serve(host: Host) -> None:
        async with await asyncio.start_server(answer, "192.0.2.97", 80) as server:
            await server.serve_forever()

    async def ask() -> None:
        await world.loop.create_connection(Asking, "192.0.2.97", 80)
        world.loop.call_later(2, late)

    async def main() -> None:
        world.hosts["a"].start(serve)
        await asyncio.sleep(0.1)
        await world.hosts["b"].spawn(ask())
        getattr(world.hosts["b"], standstill)(5.0)
        await asyncio.sleep(10)
        world.hosts["a"].crash()

    world = World(1)
    world.host("a", ["192.0.2.97"])
    world.host("b", ["192.0.2.98"])
    world.run(main())
    return order


def test_a_host_that_hung_goes_on_in_the_order_of_time() -> None:
    assert _order_after("hang") == ["bytes", "timer", "what the timer wanted"]


def test_a_host_that_was_paused_runs_its_late_timers_before_it_reads_what_waits_in_the_socket() -> None:
    assert _order_after("pause") == ["timer", "what the timer wanted", "bytes"]


def test_a_failed_assertion_ends_the_program_and_is_told() -> None:
    """As `serve.worker` and its supervisor do on a real machine."""
    lives = 0

    async def program(host: Host) -> None:
        nonlocal lives
        lives += 1
        life = lives

        def look() -> None:
            told.append((life, host.clock()))
            assert life > 1, "state is wrong"

        asyncio.get_running_loop().call_later(1, look)
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        host.start(program)
        await asyncio.sleep(10)

    told: list[tuple[int, float]] = []
    world = World(1)
    host = world.host("a")
    world.run(main())
    assert [life for life, _ in told] == [1, 2]
    assert str(host.fallen()).startswith("state is wrong")


def test_a_hang_delays_everything_of_its_host_and_keeps_the_order() -> None:
    async def main() -> list[Any]:
        ran: list[Any] = []
        with host:
            for number in range(3):
                world.loop.call_later(
                    number + 1, lambda number=number: ran.append((number, world.loop.time()))
                )
        host.hang(2.5)
        host.hang(1.0)  # a shorter one changes nothing
        await asyncio.sleep(10)
        return ran

    world = World(1)
    host = world.host("a")
    assert world.run(main()) == [(0, 2.5), (1, 2.5), (2, 3.0)]


def test_a_slow_disk_stalls_its_host_and_time_passes_for_the_caller() -> None:
    async def write(host: Host) -> list[float]:
        times = [world.loop.time()]
        file = host.disk.create("x")
        times.append(world.loop.time())
        file.write(bytes(1000))
        times.append(world.loop.time())
        await asyncio.sleep(0)
        times.append(world.loop.time())
        return times

    async def main() -> Any:
        return await host.spawn(write(host))

    world = World(1)
    host = world.host("a", disk=DiskShape(latency_seconds=0.5, bytes_per_second=1000))
    assert world.run(main()) == [0.0, 0.5, 2.0, 2.0]


def test_wall_clocks_skew_and_drift() -> None:
    async def main() -> None:
        assert host.clock() == EPOCH
        await asyncio.sleep(10)
        host.skew_clock(-100)
        assert host.clock() == EPOCH - 90
        host.drift_clock(1.5)
        await asyncio.sleep(10)
        assert host.clock() == EPOCH - 75
        assert world.here.clock() == EPOCH + 20

    world = World(1)
    host = world.host("a")
    world.run(main())


def test_dice_are_the_seeds_and_the_hosts() -> None:
    def throws(seed: int, name: str) -> float:
        return World(seed).host(name).random.random()

    assert throws(1, "a") == throws(1, "a")
    assert len({throws(1, "a"), throws(2, "a"), throws(1, "b")}) == 3


def test_names_and_addresses_are_unique() -> None:
    world = World(1)
    world.host("a", ["192.0.2.1"])
    with pytest.raises(ValueError, match="already a host"):
        world.host("a")
    with pytest.raises(ValueError, match="belongs to a"):
        world.host("b", ["192.0.2.1"])
    with pytest.raises(ValueError, match="there are a, here"):
        world.named("c")
