"""A hostile viewer: one address, and one trick after the other, several at a time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from nearcast.simulate.play.enemies.prey import Hand, Prey
from nearcast.simulate.play.enemies.tricks import VIEWER_TRICKS
from nearcast.simulate.play.script import Enemy
from nearcast.simulate.world.host import Host

AT_ONCE_MAX = 20


class HostileViewer:
    """Satisfies `Program` when called."""

    def __init__(self, enemy: Enemy, prey: Prey) -> None:
        self._enemy = enemy
        self._prey = prey
        self._ways: Sequence[str] = enemy.tricks or tuple(VIEWER_TRICKS)

    async def __call__(self, host: Host) -> None:
        loop, enemy = asyncio.get_running_loop(), self._enemy
        await asyncio.sleep(max(0.0, enemy.from_seconds - loop.time()))
        under_way: dict[asyncio.Task[None], None] = {}
        while True:
            await asyncio.sleep(host.random.expovariate(enemy.per_second))
            if loop.time() >= enemy.until_seconds:
                break
            if len(under_way) < AT_ONCE_MAX:
                dice = random.Random(host.random.getrandbits(64))
                task = loop.create_task(self._play(host.random.choice(self._ways), dice))
                under_way[task] = None
                task.add_done_callback(lambda done: under_way.pop(done))
        for task in list(under_way):
            task.cancel()

    async def _play(self, way: str, dice: random.Random) -> None:
        hand = Hand(dice, self._prey, [])
        try:
            await VIEWER_TRICKS[way](hand)
        except (OSError, EOFError, TimeoutError):
            pass  # a victim that defends itself
        finally:
            hand.drop()
