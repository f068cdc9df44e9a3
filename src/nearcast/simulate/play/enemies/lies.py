"""Lies of a name server: replies that no resolver may believe, each with the address of the lure in it.

A server may say of its own names what it likes; that is no lie. These replies are no answers to what was
asked (RFC 5452 9.1, RFC 7871 7.3), contradict themselves, or speak of names that are not the server's to
speak of (RFC 2181 5.4.1). Where the question deserves an answer, the honest one follows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

TTL_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Question:
    """What a lie is made of: the query, the honest reply to it, and where the lie wants people to go.

    `others` are names that belong to somebody else, `zones` such zones. `stream`: it came over TCP.
    """

    query: dns.message.Message
    honest: bytes
    lure: str
    others: Sequence[str]
    zones: Sequence[str]
    dice: random.Random
    stream: bool

    @property
    def name(self) -> dns.name.Name:
        return self.query.question[0].name

    def reply(self) -> dns.message.Message:
        """The honest reply, to be spoilt."""
        return dns.message.from_wire(self.honest)

    def lured(self) -> dns.message.Message:
        """A reply that fits the question and leads to the lure."""
        reply = self.reply()
        reply.flags |= dns.flags.AA
        reply.set_rcode(dns.rcode.NOERROR)
        reply.answer = [_address(self.name, self.lure)]
        reply.authority, reply.additional = [], []
        return reply


Lie = Callable[[Question], list[bytes]]


def _address(name: dns.name.Name | str, address: str) -> dns.rrset.RRset:
    owner = dns.name.from_text(name) if isinstance(name, str) else name
    return dns.rrset.from_text(owner, TTL_SECONDS, dns.rdataclass.IN, dns.rdatatype.A, address)


def no_question(asked: Question) -> list[bytes]:
    """An answer to no question at all; some resolvers look at the rcode only."""
    reply = asked.lured()
    reply.question = []
    reply.set_rcode(asked.dice.choice([dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN]))
    return [reply.to_wire(), asked.honest]


def another_question(asked: Question) -> list[bytes]:
    """An answer to another question: other name, other type, other class."""
    reply = asked.lured()
    name, kind, rdclass = asked.name, asked.query.question[0].rdtype, dns.rdataclass.IN
    match asked.dice.randrange(3):
        case 0:
            name = dns.name.from_text(asked.dice.choice(asked.others))
        case 1:
            kind = dns.rdatatype.TXT
        case _:
            rdclass = dns.rdataclass.CH
    reply.question = [dns.rrset.RRset(name, rdclass, kind)]
    return [reply.to_wire(), asked.honest]


def wrong_number(asked: Question) -> list[bytes]:
    """An answer under another ID."""
    reply = asked.lured()
    reply.id ^= 1 << asked.dice.randrange(16)
    return [reply.to_wire(), asked.honest]


def wrong_case(asked: Question) -> list[bytes]:
    """An answer that does not know in which case the name was asked for."""
    reply = asked.lured()
    swapped = dns.name.from_text(asked.name.to_text().swapcase())
    reply.question = [dns.rrset.RRset(swapped, dns.rdataclass.IN, asked.query.question[0].rdtype)]
    return [reply.to_wire(), asked.honest]


def no_reply(asked: Question) -> list[bytes]:
    """A query that comes back, with records."""
    reply = asked.lured()
    reply.flags &= ~dns.flags.QR
    return [reply.to_wire(), asked.honest]


def nxdomain_with_records(asked: Question) -> list[bytes]:
    """A name that does not exist, and its address."""
    reply = asked.lured()
    reply.set_rcode(dns.rcode.NXDOMAIN)
    return [reply.to_wire()]


def another_subnet(asked: Question) -> list[bytes]:
    """An answer for clients of another network (RFC 7871 7.3: to be dropped)."""
    subnet = next((each for each in asked.query.options if isinstance(each, dns.edns.ECSOption)), None)
    if subnet is None:
        return [asked.honest]
    reply = asked.lured()
    length = asked.dice.choice([subnet.srclen, max(1, subnet.srclen - 8)])
    other = dns.edns.ECSOption("100.64.0.0" if subnet.family == 1 else "2001:db8:ffff::", length, length)
    reply.use_edns(0, options=[other])
    return [reply.to_wire(), asked.honest]


def foreign_records(asked: Question) -> list[bytes]:
    """The honest answer, and beside it what is not the server's to say: others' addresses and zones."""
    reply = asked.reply()
    stranger, zone = asked.dice.choice(asked.others), asked.dice.choice(asked.zones)
    poison = _address(stranger, asked.lure)
    host = f"ns.evil.{zone}".rstrip(".") + "."
    ns = dns.rrset.from_text(dns.name.from_text(zone), TTL_SECONDS, dns.rdataclass.IN, dns.rdatatype.NS, host)
    section = asked.dice.choice([reply.answer, reply.authority, reply.additional])
    section.append(poison)
    reply.authority.append(ns)
    reply.additional.append(_address(host, asked.lure))
    return [reply.to_wire()]


def foreign_records_only(asked: Question) -> list[bytes]:
    """An answer that is about other names than the one asked for."""
    reply = asked.lured()
    reply.answer = [_address(name, asked.lure) for name in asked.others]
    return [reply.to_wire()]


def truncated(asked: Question) -> list[bytes]:
    """Too long for a datagram, and over TCP still too long."""
    reply = asked.lured()
    reply.flags |= dns.flags.TC
    if asked.dice.random() < 0.5:
        reply.answer = []
    return [reply.to_wire()]


def no_sense(asked: Question) -> list[bytes]:
    """Bytes that are no message, or half of one."""
    wire = asked.lured().to_wire()
    return [
        asked.dice.choice([asked.dice.randbytes(40), wire[: len(wire) // 2], b"", wire[:2]]),
        asked.honest,
    ]


def refusals(asked: Question) -> list[bytes]:
    """Errors, with an answer all the same."""
    reply = asked.lured()
    reply.set_rcode(asked.dice.choice([dns.rcode.REFUSED, dns.rcode.SERVFAIL, dns.rcode.FORMERR]))
    return [reply.to_wire()]


def silence(asked: Question) -> list[bytes]:
    """Nothing."""
    return []


LIES: Mapping[str, Lie] = {
    each.__name__: each
    for each in (
        *(no_question, another_question, wrong_number, wrong_case, no_reply, nxdomain_with_records),
        *(another_subnet, foreign_records, foreign_records_only, truncated, no_sense, refusals, silence),
    )
}
