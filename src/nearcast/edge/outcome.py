"""What became of one request: set on its way, counted and logged once, at its end."""

from __future__ import annotations

from typing import Literal

Kind = Literal["hit", "miss", "stale", "collapsed", "bypass", "refused", "preflight", "crashed"]
End = Literal["whole", "error", "broken off", "left"]


class Outcome:
    """One request's outcome.

    `kind`: how it was dealt with.

        hit        answered from the store, fresh
        miss       began a fill and waited for it
        stale      answered from the store beyond its lifetime
        collapsed  shared a fill that was under way
        bypass     passed to the origin for one viewer alone
        refused    for a fault of its own
        preflight  answered without an object (OPTIONS)
        crashed    our mistake

    `end`: whole; error (an answer of our own with 5xx, for another's fault or ours); broken off (by us,
    because the rest could not be had); left (the viewer went before the end).
    """

    __slots__ = ("bytes_sent", "end", "fill_seconds", "kind", "revalidated", "site", "status")

    def __init__(
        self, kind: Kind = "crashed", status: int = 0, bytes_sent: int = 0, site: str | None = None
    ) -> None:
        self.kind: Kind = kind  # crashed until somebody knows better
        self.end: End = "whole"
        self.status = status  # of the answer; 0: none was begun
        self.bytes_sent = bytes_sent  # of the body
        self.site = site
        self.fill_seconds: float | None = None  # how long the origin took for its head, where it was asked
        self.revalidated = False  # the origin was asked about a stale copy
