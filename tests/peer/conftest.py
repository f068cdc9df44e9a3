"""What peer tests share: the DNS of a small internet, unbound as its resolver, and a whole internet."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from tests.stages import RealStage
from tests.zones import first_router

from nearcast.lab.config import Internet
from nearcast.lab.roles import resolver_settings
from nearcast.lab.zones import lab_zones
from nearcast.model.config import Health
from nearcast.packager.ladder import Rung
from nearcast.packager.package import package
from nearcast.packager.test_pattern import DrawnSource
from nearcast.resolver.program import start_resolver
from nearcast.router.program import Router, start_authority, start_router
from nearcast.serve.program import Group

spec = importlib.util.spec_from_file_location("peer_unbound", Path(__file__).with_name("unbound.py"))
assert spec and spec.loader
peer_unbound = sys.modules["peer_unbound"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(peer_unbound)


@pytest.fixture
def unbound(tmp_path: Path) -> Callable[[Internet], AbstractAsyncContextManager[None]]:
    """`async with unbound(internet):` runs unbound on the resolver's address of `internet`."""
    return lambda internet: peer_unbound.running_unbound(internet, tmp_path)  # type: ignore[no-any-return]


@asynccontextmanager
async def _names(internet: Internet, *, resolver: bool = True) -> AsyncIterator[Router]:
    group = Group()
    try:
        for address, zones in lab_zones(internet).items():
            group.add(await start_authority(zones, address, internet.lab.dns_port))
        router = await start_router(first_router(internet.config), clock=lambda: 1000.0)
        group.add(router)
        if resolver:
            group.add(
                await start_resolver(resolver_settings(internet.lab), clock=lambda: 1000.0, rng=Random(2))
            )
        yield router
    finally:
        await group.drain(1)


@pytest.fixture
def names() -> Callable[..., AbstractAsyncContextManager[Router]]:
    """`async with names(internet, resolver=True) as router:` runs every name server of `internet`."""
    return _names


@pytest.fixture
def demo(example: Callable[[str], Internet]) -> Internet:
    """The demo on addresses of this run's own; its content servers, which do not run, stay in the answers."""
    internet, patient = example("demo"), Health(probe_seconds=60, failures_until_down=20)
    return replace(internet, config=internet.config.model_copy(update={"health": patient}))


@pytest.fixture(scope="session")
def clock_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A title that was really packaged: eight seconds in three small renditions, with sound."""
    folder = tmp_path_factory.mktemp("titles")
    ladder = (Rung(256, 144, 120_000), Rung(320, 180, 200_000), Rung(426, 240, 350_000))
    clip = DrawnSource(seconds=8, width=426, height=240)
    package(clip, folder / "clock", name="Moving clock", ladder=ladder, segment_seconds=2)
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture
def packaged(tmp_path: Path, clock_files: dict[str, bytes]) -> RealStage:
    """The demo's internet on real sockets, with that title on its origin."""
    stage = RealStage(tmp_path)
    stage.files = dict(clock_files)
    return stage
