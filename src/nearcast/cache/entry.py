"""An object as it is kept: what the origin said about it, and its body."""

from __future__ import annotations

from dataclasses import dataclass, field

from nearcast.cache.body import MappedBody
from nearcast.cache.freshness import Freshness
from nearcast.wire.http.field_block import FieldBlock
from nearcast.wire.http.message import Fields


@dataclass(frozen=True, slots=True)
class ObjectHead:
    """Everything about an object but its bytes. Times are wall time, in seconds since 1970."""

    key: str
    status: int
    fields: Fields  # of the origin's answer, without those of the connection
    stored_at: float  # when the answer came, or was last confirmed by a 304
    freshness: Freshness
    _block: FieldBlock | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def block(self) -> FieldBlock:
        """The fields as they are sent: checked and written out with the first answer, then only looked up.

        ValueError on a field that is none.
        """
        block = self._block
        if block is None:
            block = FieldBlock(self.fields)
            object.__setattr__(self, "_block", block)
        return block

    @property
    def written_out(self) -> bool:
        """`block` has been asked for before."""
        return self._block is not None

    def ttl(self, now: float) -> float:
        """Seconds of freshness left at `now`; negative: stale since."""
        return self.freshness.ttl(now - self.stored_at)

    def age(self, now: float) -> float:
        """The value of Age at `now`."""
        return self.freshness.age(now - self.stored_at)

    def serves_while_revalidating(self, now: float) -> bool:
        """Fresh, or so little stale that it may be served at once (RFC 5861 3)."""
        return self.ttl(now) > -self.freshness.stale_while_revalidate

    def serves_on_error(self, now: float) -> bool:
        """May be served when the origin fails (RFC 5861 4)."""
        return self.ttl(now) > -self.freshness.stale_if_error

    @property
    def etag(self) -> str | None:
        """The entity tag, quotes and all."""
        return self.fields.get("etag")

    @property
    def last_modified(self) -> str | None:
        return self.fields.get("last-modified")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A whole stored object. Its body stays valid after the object was evicted."""

    head: ObjectHead
    body: MappedBody
