"""The request router as a program: DNS, redirects and administration around one current Selector.

A Selector is replaced whole, by a swap of one reference: when a new Snapshot comes (`swap`) and when
the probes have learnt something. Queries and connections under way are not touched.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from nearcast.model.snapshot import RouterSnapshot
from nearcast.router.authority import Authority
from nearcast.router.decisions import conditions_json, decided_json
from nearcast.router.health import Prober
from nearcast.router.metrics import SILENCE, RouterCounters, families
from nearcast.router.redirect import client_address, decide_for, redirect
from nearcast.router.selected import Decided, Ring, SelectedNames, decision_ring, selected_names
from nearcast.router.zones import cdn_zone
from nearcast.selection.conditions import Conditions
from nearcast.selection.decide import Selector
from nearcast.serve.admin import administration
from nearcast.serve.dns_server import AnswerQuery, DnsListener, listen_dns
from nearcast.serve.http_listeners import HttpListeners
from nearcast.serve.http_server import Application, listen_http
from nearcast.serve.listeners import Listeners, at_port, listen_at
from nearcast.serve.metrics import exposition, program_families
from nearcast.serve.program import Group
from nearcast.serve.tcp import Listener
from nearcast.wire.dns.zone import Zone
from nearcast.wire.http.message import HttpFault


class Router:
    """A running request router. Satisfies `serve.program.Running`."""

    selector: Selector
    decisions: Ring

    def __init__(self, snapshot: RouterSnapshot, clock: Callable[[], float], rng: random.Random) -> None:
        self.decisions = decision_ring()
        self.counters = RouterCounters()
        self._clock = clock
        self._rng = rng
        self._dns: Listeners[DnsListener] = Listeners(partial(listen_dns, self.answer))
        redirects = redirect(lambda: self.selector, self.decisions, clock)
        self._redirects = HttpListeners(redirects, snapshot.serving, clock)
        self._admins = Listeners(partial(listen_http, self._administration(), clock=clock))
        self._retired: set[asyncio.Task[None]] = set()
        self._serve(snapshot, Conditions())

    async def swap(self, snapshot: RouterSnapshot) -> None:
        """Serve `snapshot` from now on.

        Where it names other addresses or ports, those are opened before the old ones are closed. OSError
        when one cannot be bound: then everything stays as it was.
        """
        await self.listen(snapshot)
        self._redirects.grant(snapshot.serving)
        self._prober.abort()
        retired = asyncio.ensure_future(self._prober.stop())
        self._retired.add(retired)
        retired.add_done_callback(self._retired.discard)
        self._serve(snapshot, self.selector.conditions)

    def answer(self, octets: bytes, peer: tuple[str, int], stream: bool) -> bytes | None:
        """The DNS reply to a query, counted."""
        reply = self._answer(octets, peer, stream)
        self.counters.queries[stream, SILENCE if reply is None else reply[3] & 15] += 1
        return reply

    async def drain(self, seconds: float) -> None:
        await self._listeners().drain(seconds)
        await self._prober.stop()

    def abort(self) -> None:
        self._listeners().abort()
        self._prober.abort()

    def _listeners(self) -> Group:
        return Group(self._dns, self._redirects, self._admins)

    def _serve(self, snapshot: RouterSnapshot, conditions: Conditions) -> None:
        self._zones = (cdn_zone(snapshot),)
        selector = Selector(snapshot, conditions)
        names = selected_names(snapshot)
        self._select(selector, SelectedNames(selector, names, self.decisions, self._clock))
        self._prober = Prober(snapshot, conditions, self._learnt, rng=self._rng, probes=self.counters.probes)

    def _learnt(self, conditions: Conditions) -> None:
        selector = self.selector.with_conditions(conditions)
        self._select(selector, self._selected.under(selector))

    def _select(self, selector: Selector, selected: SelectedNames) -> None:
        """Everything that depends on the Selector changes with it."""
        self.selector, self._selected = selector, selected
        # The place of the lane: AnswerLane(Authority(…).answer, …), born and dying with this Selector.
        self._answer = Authority(self._zones, selected).answer

    async def listen(self, snapshot: RouterSnapshot) -> None:
        """Listen where `snapshot` says. OSError when an address cannot be bound."""
        router = snapshot.router
        await listen_at(
            (self._dns, at_port(router.listen, router.dns_port)),
            (self._redirects, at_port(router.listen, router.http_port)),
            (self._admins, at_port(router.listen, router.admin_port)),
        )

    def _administration(self) -> Application:
        return administration(
            {
                "/health": self._health_page,
                "/conditions": lambda _: conditions_json(self.selector.conditions),
                "/decisions": lambda _: [decided_json(each) for each in reversed(self.decisions)],
                "/explain": self._explain_page,
                "/metrics": self._metrics_page,
            }
        )

    def _health_page(self, _: Mapping[str, str]) -> Any:
        conditions = self.selector.conditions
        return {
            "name": self.selector.snapshot.router.name,
            "snapshot": self.selector.snapshot.number,
            "conditions": conditions.number,
            "draining": False,
        }

    def _explain_page(self, parameters: Mapping[str, str]) -> Any:
        """`?name=movie.cdn.test&client=203.0.113.7`: the decision that would be made now, not recorded."""
        name = parameters.get("name", "").lower().rstrip(".")
        site = self.selector.snapshot.site_for(name)
        if site is None:
            raise HttpFault(404, f"{name[:255]!a} is no host name of a distribution")
        client = client_address(parameters.get("client", ""))
        decision = decide_for(self.selector, site, name, client)
        return decided_json(Decided(self._clock(), name, str(client), decision))

    def _metrics_page(self, _: Mapping[str, str]) -> str:
        counted = families(self.counters, self.selector.conditions, self.selector.snapshot.number)
        listeners: Mapping[str, Iterable[Listener | DnsListener]] = {
            "dns": self._dns,
            "http": self._redirects,
            "admin": self._admins,
        }
        return exposition([*counted, *program_families(listeners)])


async def start_router(
    snapshot: RouterSnapshot, *, clock: Callable[[], float], rng: random.Random | None = None
) -> Router:
    """Start the request router of `snapshot` on its addresses: DNS over UDP and TCP, redirects,
    administration. `clock` gives Unix seconds; `rng` spreads the probes. Raises OSError when an address
    cannot be bound."""
    router = Router(snapshot, clock, rng or random.Random(snapshot.number))
    try:
        await router.listen(snapshot)
    except OSError:
        router.abort()
        raise
    return router


async def start_authority(zones: Iterable[Zone], address: str, dns_port: int) -> DnsListener:
    """Start a name server for `zones`: the root, a top-level domain, a provider. Raises OSError."""
    authority = Authority(zones)
    answer: AnswerQuery = authority.answer
    return await listen_dns(answer, address, dns_port)
