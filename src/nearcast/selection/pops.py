"""The PoPs of one Snapshot under numbers of their own, and the rules by which one of them is chosen."""

from __future__ import annotations

from dataclasses import dataclass

from nearcast.model.snapshot import PopSite, RouterSnapshot


@dataclass(frozen=True, slots=True)
class Pops:
    """What a decision goes by that only a new Snapshot changes. A PoP's number is its place in `sites`.

    Decisions that are kept keep this, and not the whole Snapshot with its prefixes.
    """

    snapshot: int
    sites: tuple[PopSite, ...]
    spill_load: float  # mean load (0 … 1) of a PoP's healthy servers from which it gives way
    answer_addresses_max: int
    answer_ttl_seconds: int


def pops_of(snapshot: RouterSnapshot) -> Pops:
    return Pops(
        snapshot=snapshot.number,
        sites=tuple(snapshot.pops.values()),
        spill_load=snapshot.spill_load,
        answer_addresses_max=snapshot.answer_addresses_max,
        answer_ttl_seconds=snapshot.answer_ttl_seconds,
    )
