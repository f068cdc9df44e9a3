"""Warm and purge: an order is checked whole, then passed to the content servers all at once."""

from __future__ import annotations

from typing import Any, Literal

from nearcast.control.administration import AdminReply, at_once
from nearcast.control.catalogue import Catalogue
from nearcast.control.cdn import ManagedCdn
from nearcast.control.schemas import Command, CommandDone, PurgeCommand, ServerDone
from nearcast.model.snapshot import ControlSnapshot, Server


class CommandFault(Exception):
    """The order cannot be carried out as written; the text says what to write instead."""


def resolve(order: Command, snapshot: ControlSnapshot, catalogue: Catalogue) -> tuple[str, list[str] | None]:
    """The distribution and the paths an order means (None: everything). Raises CommandFault."""
    everything = isinstance(order, PurgeCommand) and order.all
    if sum((order.title is not None, order.targets is not None, everything)) != 1:
        more = ", or all=true" if isinstance(order, PurgeCommand) else ""
        raise CommandFault(f"name one of: a title, or targets{more}")
    if order.title is not None:
        entry = catalogue.find(order.title)
        if entry is None:
            keys = ", ".join(each.key for each in catalogue.entries) or "none yet"
            raise CommandFault(f'there is no title "{order.title}"; the catalogue has: {keys}')
        return entry.site, list(entry.targets())
    for target in order.targets or ():
        if not target.startswith("/"):
            raise CommandFault(f'a target is a path that begins with "/", not "{target}"')
    return _site(order, snapshot), order.targets


def _site(order: Command, snapshot: ControlSnapshot) -> str:
    sole = snapshot.sole_site.name if snapshot.sole_site else None
    site = order.site or sole
    if site is None or site not in snapshot.sites:
        raise CommandFault(f"name a site: {', '.join(snapshot.sites)}")
    return site


def _servers(order: Command, snapshot: ControlSnapshot) -> list[Server]:
    wanted = list(snapshot.servers) if order.servers is None else order.servers
    for name in wanted:
        if name not in snapshot.servers:
            raise CommandFault(
                f'there is no content server "{name}"; there are: {", ".join(snapshot.servers)}'
            )
    return [snapshot.servers[name] for name in wanted]


async def carry_out(
    verb: Literal["warm", "purge"],
    order: Command,
    cdn: ManagedCdn,
) -> CommandDone:
    """Pass a command on; what each server made of it. Raises CommandFault before anything is done."""
    site, targets = resolve(order, cdn.snapshot, cdn.catalogue)
    servers = _servers(order, cdn.snapshot)
    words: dict[str, Any] = {"site": site, **({"all": True} if targets is None else {"targets": targets})}
    replies = await at_once(*(cdn.administration.order(server, f"/{verb}", words) for server in servers))
    done = [_done(server, reply) for server, reply in zip(servers, replies, strict=True)]
    return CommandDone(
        site=site,
        targets=len(targets or ()),
        complete=all(each.done for each in done),
        servers=done,
    )


def _done(server: Server, reply: AdminReply) -> ServerDone:
    report = reply.document if isinstance(reply.document, dict) else None
    return ServerDone(server=server.name, done=reply.ok, report=report, trouble=reply.why_not)
