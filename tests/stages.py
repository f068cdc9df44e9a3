"""The worlds in which stories play: real sockets on this machine, and virtual time under a seed.

A story is a coroutine that gets a `Stage` and nothing else; it must not care which world it is in.
"""

from __future__ import annotations

import asyncio
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from nearcast.assembly.roles import RoleDependencies
from nearcast.cache.disk import PosixDisk
from nearcast.lab.config import Internet, LabViewer, read_internet
from nearcast.lab.demo_run import DemoRun, DemoViewers
from nearcast.lab.ports import find_ports, with_ports
from nearcast.lab.roles import internet_roles
from nearcast.model.snapshot import Revision, control_snapshot
from nearcast.origin.content import ContentSource, MemorySource
from nearcast.player.viewing import Viewing
from nearcast.serve import loop as serve_loop
from nearcast.serve.program import Running
from nearcast.simulate.play.placement import off_loopback, place
from nearcast.simulate.play.synthetic import film
from nearcast.simulate.world.world import World

EXAMPLES = Path(__file__).parents[1] / "examples"
T = TypeVar("T")


class Stage(ABC):
    """A running internet: the demo's, with a film called `clock` on its origin."""

    internet: Internet
    files: dict[str, bytes]

    def __init__(self, example: str = "demo.toml") -> None:
        self.files = dict(film("clock", seconds=12, scale=0.1)[1])
        self.pages: ContentSource | None = None
        self.internet = self.adapt(read_internet(EXAMPLES / example))
        self.fleet = control_snapshot(Revision(1, self.internet.config))

    @property
    def url(self) -> str:
        config = self.internet.config
        return f"http://{config.distributions[0].hosts[0]}:{config.ports.http}/clock"

    @property
    def who(self) -> dict[str, LabViewer]:
        return {viewer.name: viewer for viewer in self.internet.lab.viewers}

    def truth(self, path: str) -> bytes | None:
        """What the origin has at a URL path."""
        return self.files.get(path.lstrip("/"))

    async def show(self, viewer: str) -> DemoRun:
        """Let a viewer watch twice, from the viewer's own host."""
        return await self.on(viewer, self.audience.show(self.who[viewer], self.url))

    async def watch(self, viewer: str, url: str = "", **options: Any) -> Viewing:
        """Let a viewer watch once, from the viewer's own host."""
        watching = self.audience.viewer(self.who[viewer]).watch(url or self.url, **options)
        return await self.on(viewer, watching)

    audience: DemoViewers

    @abstractmethod
    def adapt(self, internet: Internet) -> Internet:
        """Where this world wants the programs."""

    @abstractmethod
    def play(self, story: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Start everything, let the story play, end everything."""

    @abstractmethod
    async def on(self, host: str, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` where `host` is."""

    @abstractmethod
    def kill(self, name: str) -> None:
        """End a program suddenly."""

    @abstractmethod
    async def revive(self, name: str) -> None:
        """Start a killed program again, on the disk that it had."""


class RealStage(Stage):
    """All programs on one uvloop, on loopback addresses."""

    def __init__(self, folder: Path, example: str = "demo.toml") -> None:
        self.folder = folder
        self.running: dict[str, Running] = {}
        super().__init__(example)

    def adapt(self, internet: Internet) -> Internet:
        return with_ports(internet, find_ports(internet, fixed=False))

    def play(self, story: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async def whole() -> T:
            self.audience = DemoViewers(self.internet, time.time, random.Random(1))
            try:
                for role in internet_roles(self.internet):
                    await self.revive(role.name)
                return await story()
            finally:
                for program in reversed(self.running.values()):
                    await program.drain(1.0)

        return serve_loop.run(whole())

    async def on(self, host: str, work: Coroutine[Any, Any, T]) -> T:
        return await work

    def kill(self, name: str) -> None:
        self.running[name].abort()

    async def revive(self, name: str) -> None:
        role = next(each for each in internet_roles(self.internet) if each.name == name)
        disk = self.folder / name
        titles = MemorySource(self.files)
        means = RoleDependencies(time.time, random.Random(name), lambda: PosixDisk(disk), titles, self.pages)
        self.running[name] = await role.start(means)


class VirtualStage(Stage):
    """Every program on a host of its own, in virtual time."""

    def __init__(self, seed: int, example: str = "demo.toml") -> None:
        self.world = World(seed)
        super().__init__(example)

    def adapt(self, internet: Internet) -> Internet:
        return off_loopback(internet)

    def play(self, story: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async def whole() -> T:
            self.audience = DemoViewers(self.internet, self.world.here.clock, self.world.random("audience"))
            place(self.world, self.internet, MemorySource(self.files))
            await asyncio.sleep(0.5)  # virtual
            return await story()

        told = self.world.run(whole(), until=3600)
        assert self.world.unhandled == []
        assert told is not None or self.world.loop.time() < 3600, "the story did not end within an hour"
        return told  # type: ignore[return-value]

    async def on(self, host: str, work: Coroutine[Any, Any, T]) -> T:
        return await self.world.hosts[host].spawn(work)

    def kill(self, name: str) -> None:
        self.world.hosts[name].kill()

    async def revive(self, name: str) -> None:
        self.world.hosts[name].restart()
        await asyncio.sleep(0.1)  # virtual
