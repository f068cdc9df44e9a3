"""What a scenario file says of an enemy: what it is, how many there are, when they do their worst."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nearcast.model.config import Noun

SECONDS_MAX = 7 * 86_400.0

EnemyKind = Literal["viewer", "origin", "name_server"]


class Enemy(Noun):
    """An enemy. Hostile viewers have hosts of their own, enemy-1 …; a hostile origin stands in the place of
    the second distribution's origin, a lying name server in that of its provider's."""

    enemy: EnemyKind
    """What it is."""
    count: int = Field(1, ge=1, le=1_000)
    """How many hostile viewers, each with one address."""
    tricks: tuple[str, ...] = ()
    """What it does; by default all that every program withstands (`simulate/play/enemies` names them)."""
    per_second: float = Field(1.0, gt=0, le=1_000)
    """How many tricks a hostile viewer begins per second."""
    honest: float = Field(0.4, ge=0, le=1)
    """How probable it is that a hostile origin or name server does its duty for once."""
    from_seconds: float = Field(0.0, ge=0, le=SECONDS_MAX)
    """When it begins."""
    until_seconds: float = Field(90.0, gt=0, le=SECONDS_MAX)
    """When it has had enough, and leaves or does its duty."""
