"""Every zone of a small internet, the CDN's too, by the address of the name server that has it."""

from __future__ import annotations

from collections.abc import Mapping

from nearcast.lab.config import Internet
from nearcast.lab.zones import lab_zones
from nearcast.model.config import Config
from nearcast.model.snapshot import Revision, RouterSnapshot, router_snapshot
from nearcast.router.zones import cdn_zone
from nearcast.wire.dns.zone import Zone


def first_router(config: Config, number: int = 1) -> RouterSnapshot:
    """The Snapshot of the first request router."""
    return router_snapshot(Revision(number, config), config.routers[0].name)


def zones_by_server(internet: Internet) -> Mapping[str, tuple[Zone, ...]]:
    served = dict(lab_zones(internet))
    snapshot = first_router(internet.config)
    for address in snapshot.router.addresses:
        served[address] = (*served.get(address, ()), cdn_zone(snapshot))
    return served
