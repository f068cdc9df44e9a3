"""Recursion: from the root down along referrals to the servers that know, and on along CNAMEs.

Bounds keep one question from becoming many (NXNSAttack, loops of CNAMEs or of servers named in each
other's zones): `QUERIES_MAX` questions to authorities in all, `CHAIN_MAX` CNAMEs, `DEPTH_MAX` name
servers whose own address must be found first.

A client's subnet goes to the authorities as it came (RFC 7871), except to the root, which treats all
clients alike and need not know any of them (RFC 7871 11.1).
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import dns.name
import dns.rdatatype

from nearcast.model.faults import UpstreamFault
from nearcast.resolver.expiring import Expiring
from nearcast.resolver.replies import (
    CHAIN_MAX,
    Answer,
    Denial,
    Lame,
    Meaning,
    Referral,
    addresses,
    ecs_scope,
    meaning,
    rrset_text,
)
from nearcast.resolver.rrset_cache import (
    ALL_TYPES,
    DENIAL_SECONDS_MAX,
    EVERYONE,
    TTL_SECONDS_MAX,
    ClientGroup,
    Kept,
    RRsetCache,
    audience_of,
)
from nearcast.resolver.trace import TraceStep
from nearcast.serve.dns_client import DnsClient
from nearcast.wire.addresses import IpNetwork
from nearcast.wire.dns.codes import Rcode, Type
from nearcast.wire.dns.names import ROOT, lineage, name_text, parent, read_name
from nearcast.wire.dns.rrset import RRset

QUERIES_MAX = 48
DEPTH_MAX = 4
REFERRALS_MAX = 24
HOSTS_TRIED_MAX = 3  # name servers without glue whose addresses are looked for, per zone
ZONES_KEPT_MAX = 10_000
AVOIDED_MAX = 10_000
TRY_SECONDS = 1.0
TRIES = 2
AVOID_SECONDS = 5.0  # a server that failed is asked last for so long


class Failed(Exception):
    """The question could not be answered: SERVFAIL, and why."""


@dataclass(slots=True)
class Work:
    """What one client question has cost so far."""

    steps: list[TraceStep] = field(default_factory=list)
    queries: int = 0
    depth: int = 0


class Resolved(NamedTuple):
    """Everything known about a question: CNAMEs and records in order, or how far they led and no further."""

    rcode: int
    kept: tuple[Kept, ...]

    @property
    def scope(self) -> int:
        return max((each.scope() for each in self.kept), default=0)


class Servers(NamedTuple):
    """The name servers of a zone, as its parent gave them."""

    zone: bytes
    hosts: tuple[bytes, ...]  # those without a known address
    addresses: tuple[str, ...]


class Recursion:
    """Finds answers, starting at the name servers `roots`; `port` is where all name servers listen.

    `now` gives the seconds by which TTLs run, `clock` those by which the steps of a trace are measured
    (a loop may count its own time in whole milliseconds); `rng` spreads the load over a zone's servers.
    """

    def __init__(
        self,
        roots: Sequence[str],
        port: int,
        client: DnsClient,
        *,
        now: Callable[[], float],
        clock: Callable[[], float],
        rng: random.Random,
        cache: RRsetCache | None = None,
    ) -> None:
        self.cache = RRsetCache() if cache is None else cache
        self._roots = Servers(ROOT, (), tuple(roots))
        self._port = port
        self._client = client
        self._now = now
        self._clock = clock
        self._rng = rng
        self._zones: Expiring[bytes, Servers] = Expiring(ZONES_KEPT_MAX)
        self._avoid: Expiring[str, bool] = Expiring(AVOIDED_MAX)

    def known(self, name: bytes, rdtype: int, subnet: IpNetwork | None, work: Work) -> Resolved | None:
        """The outcome when the cache alone holds all of it; nothing happens when it does not."""
        chain: list[Kept] = []
        steps: list[TraceStep] = []
        while len(chain) < CHAIN_MAX:
            kept = self.cache.find(name, rdtype, subnet, self._now())
            if kept is None:
                return None
            chain.append(kept)
            steps.append(_remembered(name, rdtype, subnet, kept))
            target = _alias(kept, rdtype)
            if target is None:
                work.steps += steps
                return Resolved(kept.rcode, tuple(chain))
            name = target
        return None

    async def resolve(self, name: bytes, rdtype: int, subnet: IpNetwork | None, work: Work) -> Resolved:
        """Find the answer. Raises Failed."""
        chain: list[Kept] = []
        for _ in range(CHAIN_MAX):
            kept = self.cache.find(name, rdtype, subnet, self._now())
            if kept is not None:
                chain.append(kept)
                if not work.depth:
                    work.steps.append(_remembered(name, rdtype, subnet, kept))
            else:
                chain += await self._descend(name, rdtype, subnet, work)
            target = _alias(chain[-1], rdtype)
            if target is None:
                return Resolved(chain[-1].rcode, tuple(chain))
            name = target
        raise Failed(f"more than {CHAIN_MAX} CNAMEs in a row")

    async def _descend(self, name: bytes, rdtype: int, subnet: IpNetwork | None, work: Work) -> list[Kept]:
        """Ask from the nearest zone that is known on downward until one answers or denies."""
        # DS is the only type that the parent knows and the child does not (RFC 4035 4.2).
        servers = self._nearest(parent(name) if rdtype == Type.DS and name != ROOT else name)
        for _ in range(REFERRALS_MAX):
            told, asked_for = await self._ask_zone(servers, name, rdtype, subnet, work)
            if isinstance(told, Referral):
                servers = self._keep_servers(told)
            else:
                return self._keep(told, asked_for, name, rdtype)
        raise Failed(f"more than {REFERRALS_MAX} referrals")

    def _nearest(self, name: bytes) -> Servers:
        for ancestor in lineage(name):
            servers = self._zones.get(ancestor, self._now())
            if servers is not None:
                return servers
        return self._roots

    async def _ask_zone(
        self, servers: Servers, name: bytes, rdtype: int, subnet: IpNetwork | None, work: Work
    ) -> tuple[Answer | Denial | Referral, ClientGroup]:
        """Put the question to one server of the zone after the other until one helps."""
        if servers.zone == ROOT:
            subnet = None
        why = "it has no name server with an address"
        async for address in self._addresses(servers, work):
            told, scope = await self._ask(servers.zone, address, name, rdtype, subnet, work)
            if not isinstance(told, Lame):
                denied_by_root = servers.zone == ROOT and isinstance(told, Denial)
                return told, EVERYONE if denied_by_root else audience_of(subnet, scope)
            why = told.text
            self._avoid.keep(address, True, self._now() + AVOID_SECONDS)
        self._zones.forget(servers.zone)  # its servers may have moved: next time ask the parent
        raise Failed(f"no name server of {name_text(servers.zone)} helped: {why}")

    async def _addresses(self, servers: Servers, work: Work) -> AsyncIterator[str]:
        """Known addresses first, those that failed lately last; then those that must be looked for."""
        known = list(servers.addresses)
        self._rng.shuffle(known)
        known.sort(key=lambda address: self._avoid.get(address, self._now()) is True)
        for address in known:
            yield address
        for host in servers.hosts[:HOSTS_TRIED_MAX]:
            for address in await self._addresses_of(host, work):
                yield address

    async def _addresses_of(self, host: bytes, work: Work) -> list[str]:
        """The addresses of a name server that came without glue."""
        if work.depth >= DEPTH_MAX:
            return []
        work.depth += 1
        found = []
        try:
            for rdtype in (Type.A, Type.AAAA):
                outcome = await self.resolve(host, rdtype, None, work)
                for kept in outcome.kept:
                    if kept.records is not None:
                        found += addresses(kept.records)
        except Failed:
            pass  # another name server may still have an address
        finally:
            work.depth -= 1
        return found

    async def _ask(
        self, zone: bytes, address: str, name: bytes, rdtype: int, subnet: IpNetwork | None, work: Work
    ) -> tuple[Meaning, int | None]:
        """One question to one server, as a step of the trace."""
        if work.queries >= QUERIES_MAX:
            raise Failed(f"more than {QUERIES_MAX} questions to name servers")
        work.queries += 1
        start = self._clock()
        told: Meaning
        scope = None
        try:
            reply = await self._client.ask(
                (address, self._port),
                dns.name.from_wire(name, 0)[0],
                rdtype,
                client_subnet=subnet,
                recursion=False,
                try_seconds=TRY_SECONDS,
                tries=TRIES,
            )
            told, scope = meaning(reply, zone, name, rdtype), ecs_scope(reply)
        except UpstreamFault as fault:
            told = Lame(fault.sentence)
        ms = round((self._clock() - start) * 1000, 3)
        work.steps.append(
            TraceStep(name_text(zone), address, _asked(name, rdtype), _shown(subnet), told.text, ms)
        )
        return told, scope

    def _keep_servers(self, referral: Referral) -> Servers:
        with_glue = {host for host, _ in referral.glue}
        servers = Servers(
            referral.zone,
            tuple(host for host in referral.hosts if host not in with_glue),
            tuple(address for _, address in referral.glue),
        )
        self._zones.keep(referral.zone, servers, self._now() + min(referral.seconds, TTL_SECONDS_MAX))
        return servers

    def _keep(self, told: Answer | Denial, audience: ClientGroup, name: bytes, rdtype: int) -> list[Kept]:
        now = self._now()
        if isinstance(told, Denial):
            until = now + min(told.seconds, DENIAL_SECONDS_MAX)
            kept = Kept(told.rcode, None, told.soa, audience, until, told.text)
            self.cache.keep(name, ALL_TYPES if told.rcode == Rcode.NXDOMAIN else rdtype, kept, now)
            return [kept]
        chain = [self._kept(rrset, audience, now) for rrset in told.rrsets]
        for kept, rrset in zip(chain, told.rrsets, strict=True):
            self.cache.keep(rrset.owner, rdtype if rdtype == Type.ANY else rrset.rdtype, kept, now)
        return chain

    def _kept(self, rrset: RRset, audience: ClientGroup, now: float) -> Kept:
        until = now + min(rrset.ttl, TTL_SECONDS_MAX)
        return Kept(Rcode.NOERROR, rrset, None, audience, until, rrset_text(rrset))


def _alias(kept: Kept, rdtype: int) -> bytes | None:
    """The name that the question goes on with, when `kept` is a CNAME and no CNAME was asked for."""
    if kept.records is None or kept.records.rdtype != Type.CNAME or rdtype in (Type.CNAME, Type.ANY):
        return None
    return read_name(kept.records.rdatas[0], 0)[0]


def _remembered(name: bytes, rdtype: int, subnet: IpNetwork | None, kept: Kept) -> TraceStep:
    return TraceStep("", "cache", _asked(name, rdtype), _shown(subnet), kept.text, 0.0)


def _asked(name: bytes, rdtype: int) -> str:
    return f"{name_text(name)} {type_text(rdtype)}"


def type_text(rdtype: int) -> str:
    return dns.rdatatype.to_text(dns.rdatatype.RdataType.make(rdtype))


def _shown(subnet: IpNetwork | None) -> str | None:
    return None if subnet is None else str(subnet)
