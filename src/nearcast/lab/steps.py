"""The five steps of one viewing, told from what really happened.

Nothing here is assumed: the look-up and the flow come from the viewer's own trace, the questions in
between from the resolver's, the reasons from the router's ring of decisions. Where a program has nothing
to tell (the resolver knew the answer already), the step says that.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from nearcast.lab.config import Internet, LabViewer
from nearcast.player.viewing import Viewing

NAMES = ("DNS lookup", "CDN handover", "server selection", "DNS response", "content flow")


@dataclass(frozen=True, slots=True)
class StepTold:
    """Who asked whom, what came back, how long it took."""

    number: int
    asker: str
    asked: str
    server: str
    """Address of who was asked."""
    question: str
    answer: str
    ms: float | None
    """None: nobody had to be asked, because the answer was still known."""
    why: tuple[dict[str, Any], ...] = field(default=())
    """StepTold 3: the candidates, the rejected ones too, with their reasons."""

    @property
    def name(self) -> str:
        return NAMES[self.number - 1]

    def to_json(self) -> dict[str, Any]:
        return {"step": self.number, "name": self.name, **asdict(self), "why": list(self.why)}


def five_steps(
    internet: Internet,
    viewer: LabViewer,
    viewing: Viewing,
    resolution: dict[str, Any] | None,
    decision: dict[str, Any] | None,
) -> tuple[StepTold, ...]:
    """The steps of `viewing`. `resolution` is the resolver's record of its look-up, `decision` the
    router's record of its choice; either may be missing (another resolver, a name from a cache)."""
    if not viewing.lookups:
        return ()
    lookup = viewing.lookups[0]
    zone = internet.config.cdn.zone
    resolver = lookup.resolver or "the system's resolver"
    steps = [] if resolution is None else resolution["steps"]
    upstream = [step for step in steps if step["server"] != "cache"]
    cdn_steps = [step for step in upstream if step["zone"].rstrip(".") == zone]
    providers = [step for step in upstream if _is_handover(step, zone)]
    handed = " → ".join(lookup.chain) or "(no alias)"
    known = "already known to the resolver"
    host_of = {
        str(address): f"{server.name}.{zone}"
        for server in internet.config.content_servers
        for address in server.addresses
    }
    addresses = ", ".join(f"{host_of.get(each, each)} {each}" for each in lookup.addresses) or lookup.rcode
    served = viewing.fetched[0] if viewing.fetched else None
    return (
        StepTold(1, viewer.name, "resolver", resolver, f"{lookup.name} A?", f"{len(upstream)} questions"
             " upstream" if upstream else known, lookup.ms),
        StepTold(
            2,
            "resolver",
            providers[-1]["zone"].rstrip(".") if providers else "cache",
            providers[-1]["server"] if providers else resolver,
            providers[-1]["question"] if providers else lookup.name,
            f"CNAME {handed}",
            providers[-1]["ms"] if providers else None,
        ),
        StepTold(
            3,
            "resolver",
            zone if cdn_steps else "cache",
            cdn_steps[-1]["server"] if cdn_steps else resolver,
            f"{lookup.chain[-1] if lookup.chain else lookup.name} A?, client subnet "
            + (decision["client"] if decision else str(viewer.client)),
            cdn_steps[-1]["answer"] if cdn_steps else known,
            cdn_steps[-1]["ms"] if cdn_steps else None,
            tuple(decision["candidates"]) if decision else (),
        ),
        StepTold(4, "resolver", viewer.name, str(viewer.address), lookup.name,
             f"{addresses} TTL {lookup.ttl_seconds}", lookup.ms),
        StepTold(
            5,
            viewer.name,
            (served.server_host or served.server_address) if served else "nobody",
            served.server_address if served else "",
            f"GET {viewing.url} on TCP port {internet.config.ports.http}",
            f"{len(viewing.fetched)} objects, {viewing.bytes} bytes",
            round(viewing.seconds * 1000, 1),
        ),
    )  # fmt: skip


def _is_handover(step: dict[str, Any], cdn_zone: str) -> bool:
    return "CNAME" in step["answer"] and step["zone"].rstrip(".") != cdn_zone
