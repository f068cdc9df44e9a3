"""Warm and purge: an order is checked whole, then passed to the content servers all at once."""

from __future__ import annotations

from typing import Any, Literal

from nearcast.control.administration import Administration, Reply, at_once
from nearcast.control.answers import Order, OrderDone, PurgeOrder, ServerDone
from nearcast.control.catalogue import Catalogue
from nearcast.model.snapshot import Server, Snapshot


class OrderFault(Exception):
    """The order cannot be carried out as written; the text says what to write instead."""


def resolve(order: Order, snapshot: Snapshot, catalogue: Catalogue) -> tuple[str, list[str] | None]:
    """The distribution and the paths an order means (None: everything). Raises OrderFault."""
    everything = isinstance(order, PurgeOrder) and order.all
    if sum((order.title is not None, order.targets is not None, everything)) != 1:
        more = ", or all=true" if isinstance(order, PurgeOrder) else ""
        raise OrderFault(f"name one of: a title, or targets{more}")
    if order.title is not None:
        entry = catalogue.find(order.title)
        if entry is None:
            keys = ", ".join(each.key for each in catalogue.entries) or "none yet"
            raise OrderFault(f'there is no title "{order.title}"; the catalogue has: {keys}')
        return entry.site, list(entry.targets())
    for target in order.targets or ():
        if not target.startswith("/"):
            raise OrderFault(f'a target is a path that begins with "/", not "{target}"')
    return _site(order, snapshot), order.targets


def _site(order: Order, snapshot: Snapshot) -> str:
    sole = snapshot.sole_site.name if snapshot.sole_site else None
    site = order.site or sole
    if site is None or site not in snapshot.sites:
        raise OrderFault(f"name a site: {', '.join(snapshot.sites)}")
    return site


def _servers(order: Order, snapshot: Snapshot) -> list[Server]:
    wanted = list(snapshot.servers) if order.servers is None else order.servers
    for name in wanted:
        if name not in snapshot.servers:
            raise OrderFault(f'there is no content server "{name}"; there are: {", ".join(snapshot.servers)}')
    return [snapshot.servers[name] for name in wanted]


async def carry_out(
    verb: Literal["warm", "purge"],
    order: Order,
    snapshot: Snapshot,
    catalogue: Catalogue,
    administration: Administration,
) -> OrderDone:
    """Pass an order on and report what each server made of it. Raises OrderFault before anything is done."""
    site, targets = resolve(order, snapshot, catalogue)
    servers = _servers(order, snapshot)
    words: dict[str, Any] = {"site": site, **({"all": True} if targets is None else {"targets": targets})}
    replies = await at_once(*(administration.order(server, f"/{verb}", words) for server in servers))
    done = [_done(server, reply) for server, reply in zip(servers, replies, strict=True)]
    return OrderDone(
        site=site,
        targets=len(targets or ()),
        complete=all(each.done for each in done),
        servers=done,
    )


def _done(server: Server, reply: Reply) -> ServerDone:
    report = reply.document if isinstance(reply.document, dict) else None
    return ServerDone(server=server.name, done=reply.ok, report=report, trouble=reply.why_not)
