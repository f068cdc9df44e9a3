"""What an authority's reply means to whoever asked on the way down (RFC 1034 5.3.3, RFC 2308 2).

A reply is an answer, a denial, a referral further down, or *lame*: nothing that helps, so that another
server of the zone is to be asked. Records are believed only where they lie in the zone whose server
sent them: anything else could be put into our cache by anyone. A reply that contradicts itself, by
denying a name and answering for it, is lame too.

What people are shown of a reply is cut to `TEXT_CHARS_MAX`; of a zone's servers no more than
`HOSTS_MAX` and `GLUE_MAX` are remembered. A reply may be 64 KiB, and many are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.SOA
import dns.rrset

from nearcast.wire.dns.codes import Rcode, Type
from nearcast.wire.dns.names import name_text, read_name, within
from nearcast.wire.dns.rrset import RRset, compile_rrset

CHAIN_MAX = 12
HOSTS_MAX = 16
GLUE_MAX = 32
TEXT_CHARS_MAX = 300
_SHOWN_MAX = 16  # records of one RRset that people are shown


class Answer(NamedTuple):
    """Records: of the name itself, or the CNAMEs from it on and what they lead to in the same zone."""

    rrsets: tuple[RRset, ...]
    text: str


class Denial(NamedTuple):
    """The name does not exist (NXDOMAIN), or not with this type (NOERROR). `seconds` is how long."""

    rcode: int
    soa: RRset | None
    seconds: int
    text: str


class Referral(NamedTuple):
    """Ask further down: the child zone, its servers' names, and the addresses given along (glue)."""

    zone: bytes
    hosts: tuple[bytes, ...]
    glue: tuple[tuple[bytes, str], ...]
    seconds: int
    text: str


class Lame(NamedTuple):
    text: str


Meaning = Answer | Denial | Referral | Lame


def meaning(reply: dns.message.Message, zone: bytes, name: bytes, rdtype: int) -> Meaning:
    """What `reply`, sent by a server of `zone`, says to the question `name` `rdtype`."""
    rcode = reply.rcode()
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Lame(_text_of_failure(reply))
    authoritative = bool(reply.flags & dns.flags.AA)
    answers = _chain(_rrsets(reply.answer), zone, name, rdtype)
    if answers:
        if not authoritative:
            return Lame("an answer without authority")
        # CNAMEs may well lead to a name that does not exist (RFC 2308 2.1); what was asked for may not.
        last = answers[-1].rdtype
        if rcode == dns.rcode.NXDOMAIN and (last != Type.CNAME or rdtype in (Type.CNAME, Type.ANY)):
            return Lame("NXDOMAIN and an answer in one reply")
        return Answer(answers, _cut(", ".join(map(rrset_text, answers))))
    if rcode == dns.rcode.NXDOMAIN:
        return _denial(reply, zone, Rcode.NXDOMAIN) if authoritative else Lame("NXDOMAIN without authority")
    referral = _referral(reply, zone, name)
    if referral is not None:
        return referral
    return _denial(reply, zone, Rcode.NOERROR) if authoritative else Lame("neither answer nor referral")


def ecs_scope(reply: dns.message.Message) -> int | None:
    """The scope of the client subnet in `reply`; None without one."""
    for option in reply.options:
        if isinstance(option, dns.edns.ECSOption):
            return option.scopelen
    return None


def rrset_text(rrset: RRset) -> str:
    """ "A 127.0.51.2 127.0.51.1": type and contents, for people."""
    rdtype = dns.rdatatype.to_text(dns.rdatatype.RdataType.make(rrset.rdtype))
    shown = [_rdata_text(rrset.rdtype, rdata) for rdata in rrset.rdatas[:_SHOWN_MAX]]
    return _cut(f"{rdtype} {' '.join(shown)}{' …' if len(rrset.rdatas) > _SHOWN_MAX else ''}")


def addresses(rrset: RRset) -> list[str]:
    """What A and AAAA records say, `GLUE_MAX` at most; nothing for other types."""
    if rrset.rdtype not in (Type.A, Type.AAAA):
        return []
    return [_parsed(rrset.rdtype, rdata) for rdata in rrset.rdatas[:GLUE_MAX]]


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_CHARS_MAX else text[: TEXT_CHARS_MAX - 1] + "…"


def _rdata_text(rdtype: int, rdata: bytes) -> str:
    if rdtype in (Type.CNAME, Type.NS):
        return name_text(read_name(rdata, 0)[0])
    return _parsed(rdtype, rdata)


def _parsed(rdtype: int, rdata: bytes) -> str:
    known = dns.rdatatype.RdataType.make(rdtype)
    return dns.rdata.from_wire(dns.rdataclass.IN, known, rdata, 0, len(rdata)).to_text()


def _compiled(rrset: dns.rrset.RRset) -> RRset:
    owner = rrset.name.canonicalize().to_wire()
    assert owner is not None
    return compile_rrset(owner, int(rrset.rdtype), rrset.ttl, _rdatas(rrset))


def _rrsets(section: Iterable[dns.rrset.RRset]) -> list[RRset]:
    """The RRsets of the Internet; those of other classes are nothing to us."""
    return [_compiled(each) for each in section if each.rdclass == dns.rdataclass.IN]


def _rdatas(rrset: dns.rrset.RRset) -> Iterable[bytes]:
    for rdata in rrset:
        wire = rdata.to_wire()
        assert wire is not None
        yield wire


def _chain(rrsets: list[RRset], zone: bytes, name: bytes, rdtype: int) -> tuple[RRset, ...]:
    """From `name` along CNAMEs to records of `rdtype`, as far as they lie in `zone`."""
    chain: list[RRset] = []
    for _ in range(CHAIN_MAX):
        here = {each.rdtype: each for each in rrsets if each.owner == name}
        found = here.get(rdtype) or here.get(Type.CNAME)
        if found is None and rdtype == Type.ANY and here:
            found = next(iter(here.values()))
        if found is None or not within(name, zone):
            break
        chain.append(found)
        if found.rdtype != Type.CNAME or rdtype in (Type.CNAME, Type.ANY):
            break
        name = read_name(found.rdatas[0], 0)[0]
    return tuple(chain)


def _denial(reply: dns.message.Message, zone: bytes, rcode: Rcode) -> Denial:
    """RFC 2308 5: the SOA says how long, by the lesser of its TTL and its minimum; without, not at all."""
    text = "NXDOMAIN" if rcode == Rcode.NXDOMAIN else "no record of this type"
    for rrset in reply.authority:
        if rrset.rdtype == dns.rdatatype.SOA and rrset.rdclass == dns.rdataclass.IN:
            compiled, rdata = _compiled(rrset), rrset[0]
            if within(compiled.owner, zone) and isinstance(rdata, dns.rdtypes.ANY.SOA.SOA):
                return Denial(rcode, compiled, min(rrset.ttl, rdata.minimum), text)
    return Denial(rcode, None, 0, text)


def _referral(reply: dns.message.Message, zone: bytes, name: bytes) -> Referral | None:
    """NS records of a zone strictly below the one asked, and on the way to `name`."""
    for ns in _rrsets(each for each in reply.authority if each.rdtype == dns.rdatatype.NS):
        if zone == ns.owner or not within(ns.owner, zone) or not within(name, ns.owner):
            continue
        hosts = tuple(read_name(rdata, 0)[0] for rdata in ns.rdatas[:HOSTS_MAX])
        glue = (
            (each.owner, address)
            for each in _rrsets(reply.additional)
            if each.owner in hosts and within(each.owner, zone)
            for address in addresses(each)
        )
        text = _cut(f"ask {name_text(ns.owner)}: {_ns_text(hosts)}")
        return Referral(ns.owner, hosts, tuple(islice(glue, GLUE_MAX)), ns.ttl, text)
    return None


def _ns_text(hosts: Iterable[bytes]) -> str:
    return " ".join(map(name_text, hosts))


def _text_of_failure(reply: dns.message.Message) -> str:
    told = [each.text for each in reply.options if isinstance(each, dns.edns.EDEOption) and each.text]
    return _cut(": ".join([dns.rcode.to_text(reply.rcode()), *told]))
