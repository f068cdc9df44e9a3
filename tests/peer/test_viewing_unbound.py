"""The viewing of the demo with unbound as the viewers' local resolver in place of ours."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from tests.stages import RealStage

from nearcast.lab.report import matches_origin, statuses
from nearcast.model.config import Config
from nearcast.player.viewing import Fetched, Happening

pytestmark = pytest.mark.peer("unbound")
Unbound = Callable[[Config], AbstractAsyncContextManager[None]]


def play(stage: RealStage, unbound: Unbound, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Play `story` with unbound on the resolver's address."""

    async def whole() -> None:
        await stage.running["resolver"].drain(1)
        async with unbound(stage.config):
            await story()

    stage.play(whole)


def test_two_viewers_are_served_near_themselves_and_true_to_the_origin(
    packaged: RealStage, unbound: Unbound
) -> None:
    async def story() -> None:
        for name, pop in (("iowa", "ia"), ("frankfurt", "fra")):
            first, second = await packaged.watch(name), await packaged.watch(name)
            assert first.complete and second.complete, (first.problem, second.problem)
            assert matches_origin(first, packaged.truth) and matches_origin(second, packaged.truth)
            assert packaged.audience.pop_of(first) == packaged.audience.pop_of(second) == pop
            assert set(statuses(first)) == {"miss"}
            assert set(statuses(second)) == {"hit"}
            assert first.lookups[0].chain == ("movie.cdn.test",)

    play(packaged, unbound, story)


def test_a_progressive_film_arrives_whole(packaged: RealStage, unbound: Unbound) -> None:
    async def story() -> None:
        viewing = await packaged.watch("frankfurt", quality="240p")
        assert viewing.complete and viewing.mode == "progressive", viewing.problem
        assert matches_origin(viewing, packaged.truth)
        assert packaged.audience.pop_of(viewing) == "fra"

    play(packaged, unbound, story)


def test_a_server_dies_in_the_middle_and_the_viewing_ends_complete_from_another(
    packaged: RealStage, unbound: Unbound
) -> None:
    killed: list[str] = []

    def kill_the_server(happening: Happening) -> None:
        if isinstance(happening, Fetched) and happening.kind == "video" and not killed:
            killed.append((happening.server_host or "").partition(".")[0])
            packaged.kill(killed[0])

    async def story() -> None:
        viewing = await packaged.watch("iowa", listener=kill_the_server)
        assert killed and viewing.complete, viewing.problem
        assert matches_origin(viewing, packaged.truth)
        servers = [host.partition(".")[0] for host in viewing.servers]
        assert servers[0] == killed[0] and set(servers) > {killed[0]}
        assert any(event.kind == "failed" for event in viewing.events), viewing.events

    play(packaged, unbound, story)
