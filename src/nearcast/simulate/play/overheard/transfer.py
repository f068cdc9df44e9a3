"""A transfer: one request and what came of it, as heard on the wire between two hosts."""

from __future__ import annotations

from dataclasses import dataclass, field

from nearcast.simulate.play.oracle import Edition

UNDER_WAY, WHOLE, BROKEN_OFF, LEFT = "under way", "whole", "broken off", "left"


@dataclass(slots=True, eq=False)
class Transfer:
    """Times are virtual seconds; a request counts from when it reached the server's program, its answer from
    when it reached the client's."""

    number: int
    """Of the connection."""
    client: str
    server: str
    """Names of the hosts."""
    method: str
    target: str
    wanted: dict[str, str]
    """Fields of the request."""
    asked: float
    moved: float
    """When the last of it was heard."""
    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    answered: float | None = None
    announced: int | None = None
    """Bytes of body that the head promises."""
    first: int = 0
    """Where in the content the body begins."""
    size: int = 0
    """Bytes of body that came."""
    editions: tuple[Edition, ...] | None = None
    """The versions of which all that came is a part, oldest first; None: nothing is known of such content."""
    ended: float | None = None
    outcome: str = UNDER_WAY
    """WHOLE, BROKEN_OFF (by server or network), or LEFT (the client wants no more, or died)."""
    turn: bool = False
    """No earlier answer on its connection is outstanding."""
    dropped: bool = False
    """The server's end is gone."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def gives(self) -> bool:
        """It is content: all of it, or a part."""
        return self.status in (200, 206)
