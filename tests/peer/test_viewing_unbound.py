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
        async with unbound(stage.internet):
            await story()

    stage.play(whole)


def test_two_viewers_are_served_near_themselves_and_true_to_the_origin(
    packaged: RealStage, unbound: Unbound
) -> None:
    async def story() -> None:
        for name, pop in (("iowa", "ia"), ("frankfurt", "fra")):
            # unbound turns the addresses of an answer round, so two viewings may meet two servers.
            viewings = [await packaged.watch(name) for _ in range(3)]
            seen: set[tuple[str, str]] = set()
            for viewing in viewings:
                assert viewing.complete and matches_origin(viewing, packaged.truth), viewing.problem
                assert packaged.audience.pop_of(viewing) == pop
                for each in viewing.fetched:
                    wanted = "hit" if (each.url, each.server_address) in seen else "miss"
                    assert each.cache_status == wanted, each
                seen |= {(each.url, each.server_address) for each in viewing.fetched}
            assert set(statuses(viewings[0])) == {"miss"}
            assert viewings[0].lookups[0].chain == ("movie.cdn.test",)

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
        viewing = await packaged.watch("iowa", observer=kill_the_server)
        assert killed and viewing.complete, viewing.problem
        assert matches_origin(viewing, packaged.truth)
        servers = [host.partition(".")[0] for host in viewing.servers]
        assert servers[0] == killed[0] and set(servers) > {killed[0]}
        assert any(event.kind == "failed" for event in viewing.events), viewing.events

    play(packaged, unbound, story)
