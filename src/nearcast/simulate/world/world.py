"""A world: hosts on a network in virtual time, all from one seed.

    world = World(7)
    edge = world.host("edge", ["192.0.2.1"])
    viewer = world.host("viewer", ["198.51.100.9"])
    world.link(edge, viewer, latency_seconds=0.02, loss=0.01)

    async def main() -> bytes:
        edge.start(serve)
        return await viewer.spawn(watch())

    world.run(main())

What is not on a host of its own runs on `world.here`, which has the loopback addresses only, as a laptop
has. A world runs once. The same seed, hosts, links, programs and faults give the same history.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from nearcast.simulate.world.disk import DiskShape
from nearcast.simulate.world.history import History
from nearcast.simulate.world.host import Host
from nearcast.simulate.world.incarnation import CURRENT
from nearcast.simulate.world.link import LinkShape
from nearcast.simulate.world.network import Network
from nearcast.simulate.world.networked_loop import NetworkedLoop
from nearcast.simulate.world.stream import TcpRules

T = TypeVar("T")


class Strikes(Protocol):
    """What `schedule` takes: something that happens to the world at a time."""

    @property
    def at(self) -> float: ...
    def strike(self, world: World) -> None: ...


class World:
    """Everything of one simulated run.

    `shape` is the link between any two hosts that `link` does not name; `tcp` how TCP behaves; `disk` the
    disk of a host that does not say; `permute` lets the seed order what asyncio leaves open (see `loop`);
    `history` where events go; `executor_seconds` how long a function in an executor takes.
    """

    def __init__(
        self,
        seed: int,
        *,
        shape: LinkShape | None = None,
        tcp: TcpRules | None = None,
        disk: DiskShape | None = None,
        permute: bool = False,
        history: History | None = None,
        executor_seconds: float = 0.0,
    ) -> None:
        self.seed = seed
        self.history = history or History()
        self.unhandled: list[dict[str, Any]] = []  # what programs let fall: contexts as asyncio reports them
        self.hosts: dict[str, Host] = {}
        self.loop = NetworkedLoop(
            permute=self.random("order") if permute else None, executor_seconds=executor_seconds
        )
        self.network = Network(seed, self.loop, self.history, shape or LinkShape(), tcp or TcpRules())
        self._disk = disk or DiskShape()
        self.loop.network = self.network
        self.loop.set_exception_handler(self._unhandled)
        self.here = self.host("here")
        self.loop.home = self.here.incarnation

    def random(self, name: str) -> random.Random:
        """Dice for one purpose, from the world's seed and the purpose's name."""
        return random.Random(f"{self.seed}/{name}")

    def host(self, name: str, addresses: Sequence[str] = (), *, disk: DiskShape | None = None) -> Host:
        """Add a host. Names and addresses are unique."""
        if name in self.hosts:
            raise ValueError(f"there is already a host {name!r}")
        host = Host(self.seed, self.network, name, tuple(addresses), disk or self._disk)
        self.network.attach(host)
        self.hosts[name] = host
        return host

    def named(self, host: Host | str) -> Host:
        """A host by its name; an unknown one raises ValueError with the names there are."""
        if isinstance(host, Host):
            return host
        if host not in self.hosts:
            raise ValueError(f"there is no host {host!r}; there are {', '.join(sorted(self.hosts))}")
        return self.hosts[host]

    def link(
        self, one: Host | str, other: Host | str, *, back: LinkShape | None = None, **shape: Any
    ) -> None:
        """Shape the link between two hosts with the fields of `LinkShape`; `back` is the other way."""
        self.network.link(self.named(one), self.named(other), LinkShape(**shape), back)

    def note(self, text: str) -> None:
        """Write a line into the history."""
        self.history.add((self.loop.time(), "note", "world", text))

    def schedule(self, faults: Iterable[Strikes]) -> None:
        """Let faults strike at their times."""
        for fault in faults:
            self.loop.world_at(fault.at, fault.strike, self)

    def run(self, main: Coroutine[Any, Any, T], *, until: float | None = None) -> T | None:
        """Run `main` to its end, or to the virtual second `until` (then None); then end all that runs.

        Raises what `main` raises, and `Deadlock` when `main` waits for what cannot come.
        """
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            return runner.run(self._bounded(main, until))

    async def _bounded(self, main: Coroutine[Any, Any, T], until: float | None) -> T | None:
        try:
            if until is None:
                return await main
            task = self.loop.create_task(main, name="main")
            done, _ = await asyncio.wait([task], timeout=until - self.loop.time())
            return task.result() if done else None
        finally:
            self.history.close()

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.unhandled.append(context)
        owner = context.pop("owner", None) or CURRENT.get(self.loop.home)
        loop.default_exception_handler(context)
        fault, machine = context.get("exception"), owner.host
        if isinstance(fault, AssertionError) and isinstance(machine, Host):  # as `serve.worker` does
            self.loop.world_at(self.loop.time(), machine.fail, fault)
