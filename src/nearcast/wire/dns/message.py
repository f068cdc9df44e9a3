"""Queries in, replies out: the codec of the answer path.

Hot file: `parse_query` and `build_reply` run for every question, so they unroll the common shape (one
question, at most one OPT record behind it), use no objects per record, and copy bytes that were
compiled before.

What comes from the peer and is wrong raises `DnsFault` with the rcode to answer; what is not even a
query (shorter than a header, or itself a reply: answering those would let two servers talk for ever)
is `None`, that is, silence.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_network
from struct import Struct, error
from typing import NamedTuple

from nearcast.wire.addresses import IpAddress, IpNetwork
from nearcast.wire.dns.codes import (
    AA,
    CD,
    OPCODE,
    OPTION_CLIENT_SUBNET,
    OPTION_EXTENDED_ERROR,
    QR,
    RA,
    RD,
    TC,
    Rcode,
    Type,
)
from nearcast.wire.dns.names import LABEL_BYTES_MAX, NAME_BYTES_MAX, ROOT, NameFault, skip_name
from nearcast.wire.dns.rrset import Piece

UDP_BYTES_PLAIN = 512  # RFC 1035 4.2.1
UDP_BYTES_MAX = 1232  # what crosses every IPv6 path unfragmented (DNS flag day 2020; RFC 9715)
STREAM_BYTES_MAX = 65535

_HEADER = Struct("!6H")
_PAIR = Struct("!HH")
_FIXED = Struct("!HHIH")
_DO = 0x8000


class DnsFault(Exception):
    """The peer's fault in DNS: answered with `rcode`, then counted. `question` is echoed when known."""

    def __init__(self, rcode: Rcode, sentence: str, question: bytes = b"") -> None:
        self.rcode = rcode
        self.sentence = sentence
        self.question = question
        super().__init__(f"{rcode.name}: {sentence}")


class ClientSubnet(NamedTuple):
    """Where the resolver's client is, as far as it says so (RFC 7871 6).

    `address` holds only the octets that `source` (prefix length in bits) needs. A `source` of 0 means
    that the client does not want to be located.
    """

    family: int  # 1 IPv4, 2 IPv6, 0 with a source of 0 only
    source: int
    address: bytes

    @property
    def first(self) -> IpAddress:
        """The first address of the subnet."""
        if self.family == 2:
            return IPv6Address(self.address.ljust(16, b"\0"))
        return IPv4Address(self.address.ljust(4, b"\0"))

    @property
    def network(self) -> IpNetwork:
        return ip_network((self.first, self.source))

    def option(self, scope: int) -> bytes:
        """The EDNS option that echoes this subnet with `scope`, the prefix length the answer holds for."""
        body = _FAMILY.pack(self.family, self.source, scope) + self.address
        return _PAIR.pack(OPTION_CLIENT_SUBNET, len(body)) + body


_FAMILY = Struct("!HBB")


class Edns(NamedTuple):
    """What the OPT record of a query says (RFC 6891)."""

    udp_bytes: int
    dnssec_ok: bool
    subnet: ClientSubnet | None


class Query(NamedTuple):
    """One question as it came in."""

    id: int
    flags: int
    question: bytes  # the question section as sent: its case is echoed
    name: bytes  # lower-case wire form
    rdtype: int
    rdclass: int
    edns: Edns | None

    @property
    def recursion_desired(self) -> bool:
        return bool(self.flags & RD)

    def reply_bytes_max(self, stream: bool) -> int:
        """How long the reply may be, by transport and by what the client announced."""
        if stream:
            return STREAM_BYTES_MAX
        if self.edns is None:
            return UDP_BYTES_PLAIN
        return max(UDP_BYTES_PLAIN, min(self.edns.udp_bytes, UDP_BYTES_MAX))


def parse_query(octets: bytes) -> Query | None:
    """The query in `octets`; None when the only right answer is silence. Raises DnsFault."""
    if len(octets) < 12:
        return None
    id_, flags, questions, answers, authorities, additionals = _HEADER.unpack_from(octets)
    if flags & QR:
        return None
    if flags & OPCODE:
        raise DnsFault(Rcode.NOTIMP, f"opcode {(flags & OPCODE) >> 11}")
    if questions != 1:
        raise DnsFault(Rcode.FORMERR, f"{questions} questions")
    at = 12
    try:
        while length := octets[at]:
            if length > LABEL_BYTES_MAX:  # nothing stands before the first name to point to
                raise DnsFault(Rcode.FORMERR, "a compressed question")
            at += length + 1
        rdtype, rdclass = _PAIR.unpack_from(octets, at + 1)
    except (IndexError, error):
        raise DnsFault(Rcode.FORMERR, "the message ends within its question") from None
    name = octets[12 : at + 1].lower()
    if len(name) > NAME_BYTES_MAX:
        raise DnsFault(Rcode.FORMERR, "a name longer than 255 bytes")
    at += 5
    question = octets[12:at]
    edns = None
    if answers or authorities or additionals:
        edns = _read_edns(octets, at, answers + authorities, additionals, question)
    elif at != len(octets):
        raise DnsFault(Rcode.FORMERR, "bytes behind the message", question)
    return Query(id_, flags, question, name, rdtype, rdclass, edns)


def _read_edns(octets: bytes, at: int, before: int, additionals: int, question: bytes) -> Edns | None:
    """Walk all records behind the question; the OPT record, if there is one, is the only one read."""
    found: tuple[int, int, int, int] | None = None
    try:
        for position in range(before + additionals):
            owner = at
            at = at + 1 if octets[at] == 0 else skip_name(octets, at)
            rdtype, rdclass, ttl, length = _FIXED.unpack_from(octets, at)
            at += 10
            if rdtype == Type.OPT:
                if found or position < before or octets[owner]:  # RFC 6891 6.1.1
                    raise DnsFault(Rcode.FORMERR, "a misplaced OPT record", question)
                found = rdclass, ttl, at, at + length
            at += length
    except (IndexError, error):
        raise DnsFault(Rcode.FORMERR, "the message ends within a record", question) from None
    except NameFault as fault:
        raise DnsFault(Rcode.FORMERR, str(fault), question) from None
    if at != len(octets):
        raise DnsFault(Rcode.FORMERR, "records and message end at different places", question)
    if found is None:
        return None
    udp_bytes, ttl, start, end = found
    if ttl >> 16 & 0xFF:  # RFC 6891 6.1.3
        raise DnsFault(Rcode.BADVERS, f"EDNS version {ttl >> 16 & 0xFF}", question)
    subnet = _read_options(octets, start, end, question) if end > start else None
    return Edns(udp_bytes, bool(ttl & _DO), subnet)


def _read_options(octets: bytes, at: int, end: int, question: bytes) -> ClientSubnet | None:
    """The client subnet among the options; all others (cookies, padding …) are ignored."""
    subnet = None
    while at < end:
        if at + 4 > end:
            raise DnsFault(Rcode.FORMERR, "the OPT record ends within an option", question)
        code, length = _PAIR.unpack_from(octets, at)
        at += 4 + length
        if at > end:
            raise DnsFault(Rcode.FORMERR, "an option longer than its record", question)
        if code == OPTION_CLIENT_SUBNET and subnet is None:
            subnet = _read_subnet(octets[at - length : at], question)
    return subnet


_FAMILY_BITS = {0: 0, 1: 32, 2: 128}


def _read_subnet(option: bytes, question: bytes) -> ClientSubnet:
    """RFC 7871 6: the address has exactly the octets that the prefix needs, and zeros behind it."""
    if len(option) < 4:
        raise DnsFault(Rcode.FORMERR, "a client subnet without its fixed part", question)
    family, source, scope = _FAMILY.unpack_from(option)
    address = option[4:]
    if source > _FAMILY_BITS.get(family, -1) or scope or len(address) != (source + 7) // 8:
        raise DnsFault(Rcode.FORMERR, "a client subnet of impossible length", question)
    if source % 8 and address[-1] & (0xFF >> source % 8):
        raise DnsFault(Rcode.FORMERR, "a client subnet with bits beyond its prefix", question)
    return ClientSubnet(family, source, address)


def build_reply(
    query: Query,
    bytes_max: int,
    rcode: int,
    *,
    authoritative: bool = False,
    recursion_available: bool = False,
    answer: Iterable[Piece] = (),
    authority: Iterable[Piece] = (),
    additional: Iterable[Piece] = (),
    scope: int = 0,
    why: str = "",
) -> bytes:
    """The reply to `query`, at most `bytes_max` long.

    An RRset goes in whole or not at all (RFC 2181 9). The first that does not fit ends the reply and
    sets TC: all we ever add is needed by the client, glue included (RFC 9471 3.1). A client subnet is
    echoed with `scope`; `why` is told as extended error "other" (RFC 8914) to clients that can hear it.
    """
    flags = QR | (query.flags & (RD | CD)) | rcode
    if authoritative:
        flags |= AA
    if recursion_available:
        flags |= RA
    opt = b"" if query.edns is None else _opt(query.edns, scope, why)
    room = bytes_max - 12 - len(query.question) - len(opt)
    counts = [0, 0, 0]
    octets = [b"", query.question]
    for section, pieces in enumerate((answer, authority, additional)):
        for count, wire in pieces:
            room -= len(wire)
            if room < 0:
                flags |= TC
                break
            counts[section] += count
            octets.append(wire)
        if room < 0:
            break
    if opt:
        counts[2] += 1
        octets.append(opt)
    octets[0] = _HEADER.pack(query.id, flags, 1, *counts)
    return b"".join(octets)


def _opt(edns: Edns, scope: int, why: str = "") -> bytes:
    options = b"" if edns.subnet is None else edns.subnet.option(scope)
    if why:
        text = why.encode()
        options += _PAIR.pack(OPTION_EXTENDED_ERROR, len(text) + 2) + b"\0\0" + text
    return ROOT + _FIXED.pack(Type.OPT, UDP_BYTES_MAX, _DO if edns.dnssec_ok else 0, len(options)) + options


def fault_reply(octets: bytes, fault: DnsFault) -> bytes:
    """The reply to a query that could not be read: its ID, opcode and RD, and why not."""
    id_, flags = _PAIR.unpack_from(octets)
    opt = b""
    if fault.rcode > 15:
        opt = ROOT + _FIXED.pack(Type.OPT, UDP_BYTES_MAX, fault.rcode >> 4 << 24, 0)
    questions, additionals = (1 if fault.question else 0), (1 if opt else 0)
    header = _HEADER.pack(
        id_, QR | (flags & (OPCODE | RD)) | (fault.rcode & 15), questions, 0, 0, additionals
    )
    return header + fault.question + opt
