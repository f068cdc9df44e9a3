"""What the store's index knows of an object."""

from __future__ import annotations

from nearcast.cache.entry import ObjectHead, StoredObject
from nearcast.cache.object_file import Found


class IndexEntry:
    """One object: its head, where in its file the body is, and the body itself while it is at hand."""

    __slots__ = ("at_hand", "checked", "found", "head")

    def __init__(self, found: Found, *, checked: bool) -> None:
        self.head: ObjectHead = found.head  # renewed by confirmations, which do not change the file
        self.found = found
        self.checked = checked  # the body is known to be what was written
        self.at_hand: StoredObject | None = None

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return self.found.length
