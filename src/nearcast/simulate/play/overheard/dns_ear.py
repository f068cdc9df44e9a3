"""DNS as an eavesdropper reads it: with dnspython, which no program of ours answers with."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rdatatype

Network = IPv4Network | IPv6Network


class Records(NamedTuple):
    """The records of one owner and type, and for how long they may be kept."""

    owner: str
    rdtype: str
    texts: tuple[str, ...]
    """In the order in which they were given."""
    ttl: int


class Reply(NamedTuple):
    """What a DNS message answers."""

    name: str
    rdtype: str
    rcode: int
    subnet: Network | None
    """The client subnet that the question named."""
    scope: int | None
    """For how much of it the answer holds; None when the answer does not say."""
    answer: tuple[Records, ...]
    denial_seconds: int | None
    """How long a denial may be kept (RFC 2308 5), when it has an SOA."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address in the answer, in order."""
        return tuple(text for each in self.answer if each.rdtype in ("A", "AAAA") for text in each.texts)


class Told(NamedTuple):
    """A reply on its way: `by` has sent it to the host at `to` (or the host called so has got it)."""

    at: float
    by: str
    to: str
    reply: Reply


def understood(octets: bytes) -> Reply | None:
    """The reply in a message; None for questions, and for what cannot be understood."""
    return _understood(octets[2:]) if len(octets) > 12 and octets[2] & 0x80 else None


@lru_cache(maxsize=65536)
def _understood(rest: bytes) -> Reply | None:
    try:
        message = dns.message.from_wire(b"\0\0" + rest)
    except (dns.exception.DNSException, ValueError):
        return None
    if not message.question:
        return None
    question = message.question[0]
    subnet, scope = None, None
    for option in message.options:
        if isinstance(option, dns.edns.ECSOption):
            subnet = ip_network((option.address, option.srclen), strict=False) if option.srclen else None
            scope = option.scopelen
    answer = tuple(
        Records(
            rrset.name.to_text().lower(),
            dns.rdatatype.to_text(rrset.rdtype),
            tuple(each.to_text().lower() for each in rrset),
            rrset.ttl,
        )
        for rrset in message.answer
    )
    soa = next((each for each in message.authority if each.rdtype == dns.rdatatype.SOA), None)
    return Reply(
        question.name.to_text().lower(),
        dns.rdatatype.to_text(question.rdtype),
        int(message.rcode()),
        subnet,
        scope,
        answer,
        None if soa is None else min(soa.ttl, soa[0].minimum),
    )
