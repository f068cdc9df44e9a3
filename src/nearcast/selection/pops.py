"""The PoPs of one Snapshot under numbers of their own, and the rules by which one of them is chosen."""

from __future__ import annotations

from dataclasses import dataclass

from nearcast.model.snapshot import PopSite, Snapshot


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


def pops_of(snapshot: Snapshot) -> Pops:
    cdn = snapshot.config.cdn
    return Pops(
        snapshot=snapshot.number,
        sites=tuple(snapshot.pops.values()),
        spill_load=cdn.spill_load,
        answer_addresses_max=cdn.answer_addresses_max,
        answer_ttl_seconds=cdn.answer_ttl_seconds,
    )
