"""The virtual loop: time, order, deadlock, executors, and what is declined."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from nearcast.simulate.world.declined import DECLINED, NotSimulated
from nearcast.simulate.world.loop import Deadlock, VirtualLoop
from nearcast.simulate.world.world import World


def run(main: Any, **options: Any) -> Any:
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(**options)) as runner:
        return runner.run(main)


def test_a_year_passes_at_once() -> None:
    async def main() -> float:
        await asyncio.sleep(365 * 86400)
        return asyncio.get_running_loop().time()

    assert run(main()) == 365 * 86400


def test_timers_of_equal_time_keep_their_order() -> None:
    async def main() -> list[int]:
        loop, ran = asyncio.get_running_loop(), []
        for number in range(200):
            loop.call_at(1.0, ran.append, number)
        await asyncio.sleep(2)
        return ran

    assert run(main()) == list(range(200))


async def _mixed_order() -> list[str]:
    loop, ran = asyncio.get_running_loop(), []
    for number in range(8):
        loop.call_at(1.0, ran.append, f"timer {number}")
    await asyncio.sleep(2)
    for number in range(8):
        loop.call_soon(ran.append, f"soon {number}")
    await asyncio.sleep(1)
    return ran


def test_permuted_order_is_the_seeds_and_leaves_call_soon_alone() -> None:
    runs = [run(_mixed_order(), permute=random.Random(seed)) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    assert sorted(runs[0][:8]) == sorted(runs[2][:8])
    assert runs[0][8:] == [f"soon {number}" for number in range(8)]


def test_permuting_interleaves_hosts_but_keeps_each_ones_order() -> None:
    def order(seed: int) -> list[str]:
        ran: list[str] = []

        async def main() -> None:
            for name in ("a", "b"):
                with world.hosts[name]:
                    for number in range(6):
                        world.loop.call_soon(ran.append, f"{name}{number}")
            await asyncio.sleep(1)

        world = World(seed, permute=True)
        world.host("a")
        world.host("b")
        world.run(main())
        return ran

    orders = [order(seed) for seed in range(4)]
    assert len({tuple(each) for each in orders}) > 1
    for each in orders:
        for name in ("a", "b"):
            assert [ran for ran in each if ran[0] == name] == [f"{name}{number}" for number in range(6)]


def test_cancelled_timers_never_run_and_are_swept() -> None:
    async def main() -> tuple[list[int], int]:
        loop, ran = asyncio.get_running_loop(), []
        assert isinstance(loop, VirtualLoop)
        timers = [loop.call_later(1 + number, ran.append, number) for number in range(1000)]
        for timer in timers[1:]:
            timer.cancel()
            timer.cancel()
        kept = len(loop._timers)
        await asyncio.sleep(2000)
        assert timers[1].cancelled()
        assert not timers[0].cancelled()
        return ran, kept

    ran, kept = run(main())
    assert ran == [0]
    assert kept < 250


def test_a_deadlock_says_who_waits_and_where() -> None:
    async def forgetful() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        await asyncio.create_task(forgetful(), name="the forgetful one")

    with pytest.raises(Deadlock) as raised:
        run(main())
    assert "the forgetful one waits in Event.wait" in str(raised.value)
    assert "main (" in str(raised.value)
    assert "test_virtual_loop.py" in str(raised.value)


def test_a_deadlock_in_a_world_is_raised_by_run() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock):
        World(1).run(main())


def test_an_executors_result_takes_its_simulated_time() -> None:
    async def main() -> tuple[float, int]:
        loop = asyncio.get_running_loop()
        three = await loop.run_in_executor(None, lambda: 3)
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 / 0)
        return loop.time(), three

    assert run(main(), executor_seconds=0.5) == (1.0, 3)


def test_what_blocks_in_an_executor_delays_only_its_result() -> None:
    async def main() -> list[Any]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        ticks: list[Any] = []
        loop.call_later(1, lambda: ticks.append(("tick", loop.time())))
        await loop.run_in_executor(None, loop.block, 5.0)
        return [*ticks, loop.time()]

    assert run(main()) == [("tick", 1.0), 5.0]


def test_a_blocking_call_stops_its_host_and_no_other() -> None:
    async def main() -> list[Any]:
        seen: list[Any] = []
        for name in ("blocked", "free"):
            with world.hosts[name]:
                world.loop.call_later(2, lambda name=name: seen.append((name, world.loop.time())))
        with world.hosts["blocked"]:
            world.loop.call_later(1, block)
        await asyncio.sleep(10)
        return seen

    def block() -> None:
        before = world.loop.time()
        world.loop.block(4.0)
        assert world.loop.time() == before + 4.0

    world = World(1)
    world.host("blocked")
    world.host("free")
    assert world.run(main()) == [("free", 2.0), ("blocked", 5.0)]


def test_sets_of_tasks_have_the_same_order_everywhere() -> None:
    async def main() -> list[str]:
        tasks = {asyncio.create_task(asyncio.sleep(0), name=str(number)) for number in range(50)}
        done, _ = await asyncio.wait(tasks)
        return [task.get_name() for task in done]

    assert run(main()) == [str(number) for number in range(50)]


def test_exceptions_in_callbacks_reach_the_exception_handler_and_the_loop_goes_on() -> None:
    async def main() -> float:
        world.loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(1)
        return world.loop.time()

    world = World(1)
    assert world.run(main()) == 1.0
    assert isinstance(world.unhandled[0]["exception"], ZeroDivisionError)


def test_async_generators_are_closed_at_the_end() -> None:
    closed: list[bool] = []

    async def numbers() -> Any:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    async def main() -> None:
        async for _ in numbers():
            break
        await asyncio.sleep(1)

    run(main())
    assert closed == [True]


@pytest.mark.parametrize("name", DECLINED)
def test_declined_calls_name_themselves(name: str) -> None:
    loop = VirtualLoop()
    with pytest.raises(NotSimulated, match=rf"loop\.{name} is not simulated"):
        getattr(loop, name)()
    loop.close()


def test_every_call_of_asyncios_loops_is_simulated_or_declined() -> None:
    from_base = {  # what BaseEventLoop does without a selector, and we keep
        *("run_until_complete", "stop", "is_running", "is_closed", "shutdown_asyncgens"),
        *("shutdown_default_executor", "create_future", "set_task_factory", "get_task_factory"),
        *("set_exception_handler", "get_exception_handler", "default_exception_handler"),
        *("call_exception_handler", "get_debug", "set_debug"),
    }
    public = {name for name in dir(asyncio.AbstractEventLoop) if not name.startswith("_")}
    ours = {name for each in VirtualLoop.__mro__[:2] for name in vars(each)}
    assert public - ours - from_base == set()


def test_tls_sockets_names_and_threads_are_declined_by_name() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(NotSimulated, match=r"create_connection\(ssl"):
            await asyncio.open_connection("127.0.0.1", 443, ssl=True)
        with pytest.raises(NotSimulated, match=r"create_server\(sock"):
            await loop.create_server(asyncio.Protocol, sock=object())  # type: ignore[call-overload]
        with pytest.raises(NotSimulated, match=r"host name 'cdn\.test'"):
            await asyncio.open_connection("cdn.test", 80)
        with pytest.raises(NotSimulated, match="service name 'http'"):
            await loop.getaddrinfo("127.0.0.1", "http")
        assert (await loop.getaddrinfo("2001:DB8::1", 80))[0][4] == ("2001:db8::1", 80, 0, 0)

    World(1).run(main())


def test_a_loop_without_a_world_has_no_network() -> None:
    async def main() -> None:
        with pytest.raises(NotSimulated, match="without a World"):
            await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)

    run(main())


def test_until_ends_a_world_that_would_go_on() -> None:
    async def main() -> None:
        while True:  # noqa: ASYNC110
            await asyncio.sleep(1)

    world = World(1)
    assert world.run(main(), until=90.0) is None
    assert world.loop.time() == 90.0
