"""The viewers' local resolver as a program: it answers their questions by really recursing.

A question whose whole answer is known is answered at once; others wait for the recursion, and questions
that are the same share it. ClientGroup on foreign networks are refused: an open resolver is a weapon
(RFC 5358). A failure is remembered for a second (RFC 9520), so that a storm of retries costs little.

Subnets: one that the client names is used (RFC 7871); a prefix of 0 means "do not locate me" and is
obeyed. Where a client names none, the resolver may know where its client is: the lab's viewers sit on
loopback addresses and stand for networks elsewhere (`ResolverSettings.subnets`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from nearcast.resolver.expiring import Expiring
from nearcast.resolver.recursion import Failed, Recursion, Resolved, Work, type_text
from nearcast.resolver.trace import Resolution, Traces, TraceStep
from nearcast.serve.admin import administration
from nearcast.serve.dns_client import DnsClient
from nearcast.serve.dns_server import DnsListener, listen_dns
from nearcast.serve.http_server import listen_http
from nearcast.serve.metrics import exposition, gauge, program_families
from nearcast.serve.program import Group
from nearcast.serve.tcp import Listener
from nearcast.wire.addresses import IpNetwork, client_subnet
from nearcast.wire.dns.codes import IN, Rcode, Type
from nearcast.wire.dns.message import ClientSubnet, DnsFault, Query, build_reply, fault_reply, parse_query
from nearcast.wire.dns.names import name_text
from nearcast.wire.dns.rrset import Piece, RRset, compile_rrset
from nearcast.wire.http.message import HttpFault

RESOLVE_SECONDS_MAX = 8.0  # clients give up before
UNDER_WAY_MAX = 1000
FAILURE_SECONDS = 1.0
FAILURES_KEPT_MAX = 10_000

_Key = tuple[bytes, int, IpNetwork | None]


@dataclass(frozen=True, slots=True)
class ResolverSettings:
    """Where a resolver stands: the address and ports it listens on, the root servers (every name server is
    asked on `dns_port`), and for whom clients stand that name no subnet: networks by client address."""

    address: str
    dns_port: int
    admin_port: int
    roots: tuple[str, ...]
    subnets: Mapping[str, IpNetwork] = field(default_factory=dict)


@dataclass(slots=True)
class _Found:
    """What a recursion came to; shared by all who asked the same."""

    outcome: Resolved | None
    why: str = ""
    steps: list[TraceStep] = field(default_factory=list)


class Resolver:
    """A running local resolver. Satisfies `serve.program.Running`."""

    def __init__(self, settings: ResolverSettings, clock: Callable[[], float], rng: random.Random) -> None:
        self.traces = Traces()
        self._settings = settings
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self.recursion = Recursion(
            settings.roots,
            settings.dns_port,
            DnsClient(settings.address, rng=rng, mixed_case=True),
            now=self._loop.time,
            clock=clock,
            rng=rng,
        )
        self._under_way: dict[_Key, asyncio.Task[_Found]] = {}
        self._failures: Expiring[_Key, str] = Expiring(FAILURES_KEPT_MAX)
        self._listeners = Group()
        self._named: dict[str, list[Listener | DnsListener]] = {}  # the same, for the metrics

    def answer(
        self, octets: bytes, peer: tuple[str, int], stream: bool
    ) -> bytes | Coroutine[Any, Any, bytes | None] | None:
        """The reply to a client's query; a coroutine when somebody has to be asked."""
        try:
            query = parse_query(octets)
        except DnsFault as fault:
            return fault_reply(octets, fault)
        if query is None:
            return None
        bytes_max = query.reply_bytes_max(stream)
        if not serves(peer[0]) or not query.recursion_desired or query.rdclass != IN:
            return build_reply(query, bytes_max, Rcode.REFUSED, recursion_available=True)
        if query.rdtype == Type.OPT or query.rdtype in range(249, 255):
            return build_reply(query, bytes_max, Rcode.NOTIMP, recursion_available=True)
        subnet = self._subnet(query, peer[0])
        resolution = Resolution(
            self._clock(),
            name_text(query.name),
            type_text(query.rdtype),
            peer[0],
            None if subnet is None else str(subnet),
        )
        work = Work()
        outcome = self.recursion.known(query.name, query.rdtype, subnet, work)
        if outcome is None:
            return self._answer_later(query, bytes_max, subnet, resolution)
        return self._reply(query, bytes_max, _Found(outcome, "", work.steps), resolution)

    async def drain(self, seconds: float) -> None:
        await self._listeners.drain(seconds)
        self._give_up()

    def abort(self) -> None:
        self._listeners.abort()
        self._give_up()

    async def listen(self) -> None:
        settings = self._settings
        pages = {"/health": self._health_page, "/trace": self._trace_page, "/metrics": self._metrics_page}
        try:
            self._add("dns", await listen_dns(self.answer, settings.address, settings.dns_port))
            admin = administration(pages)
            self._add(
                "admin", await listen_http(admin, settings.address, settings.admin_port, clock=self._clock)
            )
        except OSError:
            self.abort()
            raise

    def _subnet(self, query: Query, client: str) -> IpNetwork | None:
        """Where the client is, as far as the authorities are to know."""
        named = query.edns and query.edns.subnet
        if named is None:
            return self._settings.subnets.get(client)
        if named.source == 0:
            return None
        return client_subnet(named.network)

    async def _answer_later(
        self, query: Query, bytes_max: int, subnet: IpNetwork | None, resolution: Resolution
    ) -> bytes | None:
        found = await self._find((query.name, query.rdtype, subnet))
        return self._reply(query, bytes_max, found, resolution)

    async def _find(self, key: _Key) -> _Found:
        """Recurse, or join whoever recurses for the same question already."""
        why = self._failures.get(key, self._loop.time())
        if why is not None:
            return _Found(None, why)
        task = self._under_way.get(key)
        if task is None:
            if len(self._under_way) >= UNDER_WAY_MAX:
                return _Found(None, "too many questions are under way")
            task = self._under_way[key] = self._loop.create_task(self._recurse(key))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _recurse(self, key: _Key) -> _Found:
        work = Work()
        try:
            async with asyncio.timeout(RESOLVE_SECONDS_MAX):
                return _Found(await self.recursion.resolve(*key, work), "", work.steps)
        except Failed as fault:
            why = str(fault)
        except TimeoutError:
            why = f"no answer within {RESOLVE_SECONDS_MAX:g} s"
        self._failures.keep(key, why, self._loop.time() + FAILURE_SECONDS)
        return _Found(None, why, work.steps)

    def _reply(self, query: Query, bytes_max: int, found: _Found, resolution: Resolution) -> bytes:
        outcome = found.outcome
        resolution.steps = found.steps
        resolution.ms = round((self._clock() - resolution.at) * 1000, 3)
        self.traces.add(resolution)
        if outcome is None:
            resolution.rcode = Rcode.SERVFAIL.name
            resolution.answer = (found.why,)
            return build_reply(
                query, bytes_max, Rcode.SERVFAIL, recursion_available=True, why=found.why[:200]
            )
        resolution.rcode = Rcode(outcome.rcode).name
        resolution.answer = tuple(kept.text for kept in outcome.kept)
        resolution.scope = outcome.scope
        now = self._loop.time()
        last = outcome.kept[-1]
        return build_reply(
            query,
            bytes_max,
            outcome.rcode,
            recursion_available=True,
            answer=[
                _aged(each.records, each.ttl(now), query) for each in outcome.kept if each.records is not None
            ],
            authority=[] if last.soa is None else [_aged(last.soa, last.ttl(now), query)],
            scope=_scope_for(query.edns and query.edns.subnet, outcome.scope),
        )

    def _give_up(self) -> None:
        for task in self._under_way.values():
            task.cancel()

    def _add(self, name: str, listener: Listener | DnsListener) -> None:
        self._named[name] = [listener]
        self._listeners.add(listener)

    def _metrics_page(self, _: Mapping[str, str]) -> str:
        kept = gauge("nearcast_resolver_kept", "Answers and denials remembered.", len(self.recursion.cache))
        asking = gauge("nearcast_resolver_under_way", "Questions being recursed for.", len(self._under_way))
        return exposition([kept, asking, *program_families(self._named)])

    def _health_page(self, _: Mapping[str, str]) -> Any:
        return {"name": "resolver", "kept": len(self.recursion.cache), "draining": False}

    def _trace_page(self, parameters: Mapping[str, str]) -> Any:
        """`?name=www.movie.test&last=1`: the most recent resolutions, newest first."""
        try:
            last = int(parameters.get("last", "1"))
        except ValueError:
            raise HttpFault(400, "last is the number of resolutions to show") from None
        name = parameters.get("name", "").lower().rstrip(".")
        return [each.as_json() for each in self.traces.last(name, last)]


def serves(client: str) -> bool:
    """Loopback, private and documentation networks: everybody whom a resolver without a list may serve."""
    address = ip_address(client)
    return address.is_private or address.is_loopback or address.is_link_local


def _aged(rrset: RRset, ttl: int, query: Query) -> Piece:
    """`rrset` with what is left of its TTL."""
    compiled = compile_rrset(rrset.owner, rrset.rdtype, ttl, rrset.rdatas)
    return compiled.at_question if rrset.owner == query.name else compiled.in_full


def _scope_for(named: ClientSubnet | None, scope: int) -> int:
    """A client that does not want to be located is told no scope (RFC 7871 7.2.1)."""
    return scope if named is not None and named.source else 0


async def start_resolver(
    settings: ResolverSettings, *, clock: Callable[[], float], rng: random.Random
) -> Resolver:
    """Start a local resolver at `settings`: DNS over UDP and TCP, administration.

    `clock` gives Unix seconds, `rng` draws query IDs. Raises OSError when an address cannot be bound.
    """
    resolver = Resolver(settings, clock, rng)
    await resolver.listen()
    return resolver
