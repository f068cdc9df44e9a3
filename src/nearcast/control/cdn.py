"""The CDN as the control program has it before it: replaced whole when a new Snapshot comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nearcast.control.administration import Administration
from nearcast.control.catalogue import Catalogue
from nearcast.control.schemas import ViewerPlace
from nearcast.model.snapshot import ControlSnapshot


@dataclass(frozen=True, slots=True)
class ManagedCdn:
    """A Snapshot, the way to its programs, the titles, and viewers to show on the map (the lab's)."""

    snapshot: ControlSnapshot
    administration: Administration
    catalogue: Catalogue
    viewers: Sequence[ViewerPlace] = ()
