"""Names to addresses, as a viewer's machine finds them: one question to the local resolver.

The local resolver does the walking; its answer carries the whole chain of CNAMEs, of which the hand-over
from the provider's zone to the CDN's is one. The order of the addresses is the CDN's advice and is kept.
IPv4 is asked for first, IPv6 when there is none. An answer is remembered as long as its TTL says. A name
that does not exist is a result; a resolver that does not answer is a fault.

Without a resolver the system's own is asked (`getaddrinfo`), which tells neither chain nor TTL.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from nearcast.model.faults import UpstreamFault
from nearcast.serve.dns_client import DnsClient
from nearcast.wire.addresses import IpNetwork, endpoint_text

CHAIN_MAX = 16
ADDRESS_TYPES = (dns.rdatatype.A, dns.rdatatype.AAAA)


@dataclass(frozen=True, slots=True)
class Lookup:
    """One question and what came of it."""

    name: str
    chain: tuple[str, ...]
    """The names that `name` is an alias for, in order; the last one has the addresses."""
    addresses: tuple[str, ...]
    ttl_seconds: int | None
    """How long the answer holds: the least TTL in the chain. None: nobody said."""
    ms: float
    rcode: str
    """`NOERROR`, `NXDOMAIN`, `SERVFAIL`, …"""
    resolver: str = ""
    """Who was asked, `address:port`; empty for the system's resolver and for literal addresses."""


class Names:
    """A viewer's view of the DNS. `heard` is told of every look-up that was really made."""

    def __init__(
        self,
        resolver: tuple[str, int] | None,
        client: DnsClient | None,
        client_subnet: IpNetwork | None,
        heard: Callable[[Lookup], None],
        clock: Callable[[], float],
    ) -> None:
        """`resolver` and `client` come together or not at all; `client_subnet` is sent along
        (RFC 7871), for viewers whose address says nothing of where they are; `clock` measures `Lookup.ms`."""
        self._loop = asyncio.get_running_loop()
        self._resolver = resolver
        self._client = client
        self._client_subnet = client_subnet
        self._heard = heard
        self._clock = clock
        self._known: dict[str, tuple[Lookup, float]] = {}  # until when, in loop time

    async def look_up(self, name: str, *, fresh: bool = False) -> Lookup:
        """The addresses of `name`. `fresh` does not content itself with what is remembered.

        Raises UpstreamFault when the resolver does not answer.
        """
        if is_address(name):
            return Lookup(name, (), (name,), None, 0.0, "NOERROR")
        known, until = self._known.get(name, (None, 0.0))
        if known and not fresh and self._loop.time() < until:
            return known
        lookup = await self._ask(name)
        ttl = float("inf") if lookup.ttl_seconds is None else lookup.ttl_seconds
        if lookup.addresses:
            self._known[name] = lookup, self._loop.time() + ttl
        self._heard(lookup)
        return lookup

    async def _ask(self, name: str) -> Lookup:
        began = self._clock()
        if self._resolver is None or self._client is None:
            return await self._ask_system(name, began)
        where = endpoint_text(*self._resolver)
        for rdtype in ADDRESS_TYPES:
            reply = await self._client.ask(self._resolver, name, rdtype, client_subnet=self._client_subnet)
            chain, addresses, ttl = read_answer(reply, name, rdtype)
            if addresses or reply.rcode() != dns.rcode.NOERROR:
                break
        rcode = dns.rcode.to_text(reply.rcode())
        return Lookup(name, chain, addresses, ttl, self._ms_since(began), rcode, where)

    async def _ask_system(self, name: str, began: float) -> Lookup:
        rcode, found = "NOERROR", []
        try:
            found = await self._loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except socket.gaierror as fault:
            if fault.errno not in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None)):
                raise UpstreamFault("the system's resolver", str(fault.strerror)) from None
            rcode = "NXDOMAIN"
        addresses = tuple(dict.fromkeys(str(each[4][0]) for each in found))
        return Lookup(name, (), addresses, None, self._ms_since(began), rcode)

    def _ms_since(self, began: float) -> float:
        return max(0.0, self._clock() - began) * 1000


def read_answer(
    reply: dns.message.Message, name: str, rdtype: dns.rdatatype.RdataType
) -> tuple[tuple[str, ...], tuple[str, ...], int | None]:
    """(chain, addresses, least TTL) of the answer section for `name` (RFC 1034 section 3.6.2)."""
    internet = (rrset for rrset in reply.answer if rrset.rdclass == dns.rdataclass.IN)
    rrsets = {(rrset.name, rrset.rdtype): rrset for rrset in internet}
    at = dns.name.from_text(name)
    chain: list[str] = []
    ttls: list[int] = []
    while (alias := rrsets.get((at, dns.rdatatype.CNAME))) is not None and len(chain) < CHAIN_MAX:
        at = alias[0].target
        chain.append(at.to_text(omit_final_dot=True).lower())
        ttls.append(alias.ttl)
    found = rrsets.get((at, rdtype))
    if found is None:
        return tuple(chain), (), min(ttls, default=None)
    return tuple(chain), tuple(record.address for record in found), min([*ttls, found.ttl])


def is_address(host: str) -> bool:
    """`host` is an IPv4 or IPv6 address, not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
