"""Orders to an edge: warm (push: fetch what will be asked for), purge (drop what must not be served)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from nearcast.cache.key import cache_key, normal_target
from nearcast.edge.application import EdgeApplication
from nearcast.edge.fill import FillRequest
from nearcast.model.snapshot import Site
from nearcast.wire.http.message import HttpFault

TARGETS_MAX = 10_000


async def warm(application: EdgeApplication, order: Any) -> dict[str, Any]:
    """Fetch the targets of `{"site", "targets"}` on the path of every miss. HttpFault when it is no order."""
    site = _site(application, order)
    waiting = iter(dict.fromkeys(_targets(order)))
    report: dict[str, Any] = {"warmed": 0, "already": 0, "failed": []}
    async with asyncio.TaskGroup() as group:
        for _ in range(application.context.snapshot.serving.warm_at_once):
            group.create_task(_warm_in_turn(application, site, waiting, report))
    return report


async def _warm_in_turn(
    application: EdgeApplication, site: Site, waiting: Iterator[str], report: dict[str, Any]
) -> None:
    for target in waiting:
        outcome = await _warm_one(application, site, target)
        if outcome in ("warmed", "already"):
            report[outcome] += 1
        else:
            report["failed"].append({"target": target, "why": outcome})


async def _warm_one(application: EdgeApplication, site: Site, target: str) -> str:
    """`warmed`, `already`, or why not."""
    try:
        target = normal_target(target)
    except ValueError as fault:
        return str(fault)
    edge = application.context
    key = cache_key(site.name, target)
    held = edge.store.get(key)
    if held is not None and held.head.ttl(edge.clock()) > 0:
        return "already" if held.head.status == 200 else f"the origin answered {held.head.status}"
    fill = edge.fills.running(key)
    if fill is None:
        fill = edge.fills.start(FillRequest(key, site, target, edge.upstream.forwarded({}), held))
    if fill is None:
        return "too much is being fetched at the moment"
    await fill.finished.wait()
    if fill.confirmed is not None:
        return "warmed"
    if fill.origin_status not in (200, None):
        return f"the origin answered {fill.origin_status}"
    return "warmed" if fill.stored else fill.why_not_stored or "not stored"


def purge(application: EdgeApplication, order: Any) -> dict[str, Any]:
    """Drop the targets of `{"site", "targets"}` or, with `"all": true`, all of the site.

    Once this returns they are served no more, not even after a crash; what is being fetched under them
    is not stored. HttpFault when it is no order, or when the disk cannot keep the promise.
    """
    site = _site(application, order)
    everything = order.get("all") is True
    try:
        removed = application.purge(site, None if everything else _storable(_targets(order)))
    except OSError as fault:
        raise HttpFault(500, f"dropped, but a crash may bring it back: {fault}") from fault
    return {"removed": removed}


def _storable(targets: list[str]) -> Iterator[str]:
    """The targets as they are stored, without those that cannot be."""
    for target in targets:
        try:
            yield normal_target(target)
        except ValueError:
            continue


def _site(application: EdgeApplication, order: Any) -> Site:
    if not isinstance(order, dict):
        raise HttpFault(400, "an order is a JSON object")
    site = application.context.snapshot.sites.get(str(order.get("site")))
    if site is None:
        raise HttpFault(404, f"name a site: {', '.join(application.context.snapshot.sites)}")
    return site


def _targets(order: Any) -> list[str]:
    targets = order.get("targets")
    if not isinstance(targets, list) or not all(isinstance(target, str) for target in targets):
        raise HttpFault(400, 'name targets, such as ["/clock/manifest.mpd"]')
    if len(targets) > TARGETS_MAX:
        raise HttpFault(413, f"an order has at most {TARGETS_MAX} targets")
    return targets
