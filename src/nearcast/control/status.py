"""One look at the whole CDN: what the router and every content server say at this moment."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from pydantic import TypeAdapter, ValidationError

from nearcast.control.administration import AdminReply, at_once
from nearcast.control.catalogue import CatalogueEntry
from nearcast.control.cdn import ManagedCdn
from nearcast.control.schemas import (
    ConditionReport,
    DecisionSchema,
    PlaceSchema,
    PopStatus,
    RenditionSchema,
    RouterStatus,
    ServerStatus,
    Statistics,
    StatusSchema,
    TitleSchema,
    Totals,
)
from nearcast.model.config import Place
from nearcast.model.snapshot import Server
from nearcast.wire.addresses import authority_text

DECISIONS_SHOWN_MAX = 50
_DECISIONS = TypeAdapter(list[DecisionSchema])


async def look(cdn: ManagedCdn, now: float) -> StatusSchema:
    """Ask everybody at the same time; who does not answer is shown as such."""
    snapshot, administration = cdn.snapshot, cdn.administration
    servers = list(snapshot.servers.values())
    conditions, decisions, *replies = await at_once(
        administration.conditions(),
        administration.decisions(),
        *(administration.statistics(server) for server in servers),
    )
    number, known = _conditions(conditions)
    statuses = {
        server.name: _server(server, known.get(server.name), conditions, reply)
        for server, reply in zip(servers, replies, strict=True)
    }
    return StatusSchema(
        at=now,
        zone=snapshot.zone,
        snapshot=snapshot.number,
        router=RouterStatus(
            address=next(iter(snapshot.routers.values())).address,
            conditions=number,
            trouble=conditions.why_not,
        ),
        pops=[
            PopStatus(
                name=pop.name,
                kind=pop.kind,
                place=place_schema(pop.place),
                servers=[statuses[server.name] for server in pop.servers],
            )
            for pop in snapshot.pops.values()
        ],
        viewers=list(cdn.viewers),
        totals=_totals(statuses.values()),
        decisions=_decisions(decisions),
    )


def _conditions(reply: AdminReply) -> tuple[int | None, dict[str, ConditionReport]]:
    """The number of the router's Conditions, and what it knows of each server it knows."""
    document = reply.document if reply.ok and isinstance(reply.document, dict) else {}
    number, servers = document.get("number"), document.get("servers")
    known: dict[str, ConditionReport] = {}
    for name, report in servers.items() if isinstance(servers, dict) else ():
        with suppress(ValidationError):
            known[name] = ConditionReport.model_validate(report)
    return number if isinstance(number, int) else None, known


def _server(
    server: Server, known: ConditionReport | None, conditions: AdminReply, reply: AdminReply
) -> ServerStatus:
    statistics, trouble = None, reply.why_not
    if trouble is None:
        try:
            statistics = Statistics.model_validate(reply.document)
        except ValidationError:
            trouble = "answered something that is not its statistics"
    unknown = "not probed yet" if conditions.ok else "the router cannot be asked"
    return ServerStatus(
        name=server.name,
        host=server.host,
        address=server.address,
        http_port=server.http_port,
        healthy=known.healthy if known else None,
        load=known.load if known else None,
        why=known.why if known else unknown,
        hit_ratio=_ratio(statistics.hits, statistics.requests) if statistics else None,
        statistics=statistics,
        trouble=trouble,
    )


def _ratio(hits: int, requests: int) -> float | None:
    return min(1.0, hits / requests) if requests else None


def _totals(statuses: Iterable[ServerStatus]) -> Totals:
    known = [status.statistics for status in statuses if status.statistics]
    requests, hits = sum(each.requests for each in known), sum(each.hits for each in known)
    return Totals(
        requests=requests,
        hits=hits,
        bytes_sent=sum(each.bytes_sent for each in known),
        bytes_filled=sum(each.bytes_filled for each in known),
        hit_ratio=_ratio(hits, requests),
    )


def _decisions(reply: AdminReply) -> list[DecisionSchema]:
    """Newest first; a router that reports something else is as good as one that reports nothing."""
    try:
        found = _DECISIONS.validate_python(reply.document) if reply.ok else []
    except ValidationError:
        return []
    return sorted(found, key=lambda each: each.at or 0.0, reverse=True)[:DECISIONS_SHOWN_MAX]


def place_schema(place: Place) -> PlaceSchema:
    """A place as the API shows it."""
    return PlaceSchema(name=place.name, latitude=place.latitude, longitude=place.longitude)


def title_schema(cdn: ManagedCdn, entry: CatalogueEntry) -> TitleSchema:
    """A catalogue entry as the API shows it."""
    router = next(iter(cdn.snapshot.routers.values()))
    watch_url = f"http://{authority_text(router.address, router.http_port)}/watch/{entry.key}"
    return TitleSchema(
        key=entry.key,
        name=entry.title.name,
        site=entry.site,
        host=cdn.snapshot.sites[entry.site].hosts[0],
        seconds=entry.title.seconds,
        renditions=[
            RenditionSchema(name=each.name, width=each.width, height=each.height, bandwidth=each.bandwidth)
            for each in entry.title.renditions
        ],
        objects=sum(1 for _ in entry.targets()),
        watch_url=watch_url,
        watch_as={viewer.name: f"{watch_url}?client={viewer.client}" for viewer in cdn.viewers},
    )
