"""The tricks of each kind of enemy, by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from nearcast.simulate.play.enemies import floods, heads, questions
from nearcast.simulate.play.enemies.answers import ANSWERS
from nearcast.simulate.play.enemies.lies import LIES
from nearcast.simulate.play.enemies.prey import Hand
from nearcast.simulate.play.script import EnemyKind

Trick = Callable[[Hand], Awaitable[None]]

VIEWER_TRICKS: Mapping[str, Trick] = {
    each.__name__: each
    for each in (
        *(heads.odd_heads, heads.loops, heads.great_fields, heads.half_heads, heads.trickled_heads),
        *(heads.garbage, floods.connection_flood, floods.request_flood, floods.slow_reading),
        *(floods.random_queries, floods.ranges, floods.leaving, floods.dns_streams, questions.questions),
    )
}


def tricks_of(kind: EnemyKind) -> list[str]:
    """The names of what an enemy of this kind can do."""
    return list({"viewer": VIEWER_TRICKS, "origin": ANSWERS, "name_server": LIES}[kind])
