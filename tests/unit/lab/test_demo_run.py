"""What the demo's audience waits for before the first viewer watches."""

from __future__ import annotations

import asyncio

from tests.stages import VirtualStage


async def named_for_frankfurt(stage: VirtualStage) -> list[str]:
    target = "/explain?name=www.movie.test&client=198.51.100.9"
    told = await stage.on("iowa", stage.audience.admin(stage.audience.router_admin, target))
    return [server["name"] for server in told["servers"]]


def test_viewers_wait_until_a_late_content_server_is_named() -> None:
    stage = VirtualStage(seed=1)

    async def story() -> None:
        usual = await named_for_frankfurt(stage)
        stage.kill(usual[0])
        await asyncio.sleep(3)
        assert usual[0] not in await named_for_frankfurt(stage)
        waiting = asyncio.create_task(stage.on("iowa", stage.audience.all_named()))
        await stage.revive(usual[0])
        assert await waiting
        assert await named_for_frankfurt(stage) == usual

    stage.play(story)


def test_they_do_not_wait_for_ever() -> None:
    stage = VirtualStage(seed=1)

    async def story() -> None:
        stage.kill("fra1")
        await asyncio.sleep(3)
        assert not await stage.on("iowa", stage.audience.all_named())
        stage.kill("router")
        assert not await stage.on("iowa", stage.audience.all_named())

    stage.play(story)
