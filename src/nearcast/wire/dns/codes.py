"""The numbers of DNS that this house uses, under the names of the IANA registries."""

from __future__ import annotations

from enum import IntEnum

IN = 1  # the only class served


class Rcode(IntEnum):
    """Response codes; those above 15 need an OPT record to carry their upper bits (RFC 6891 6.1.3)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


class Type(IntEnum):
    """Record types."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    AAAA = 28
    OPT = 41
    DS = 43
    IXFR = 251
    AXFR = 252
    ANY = 255


# Bits of the second header word (RFC 1035 4.1.1, RFC 4035 3.1.6).
QR = 0x8000
OPCODE = 0x7800
AA = 0x0400
TC = 0x0200
RD = 0x0100
RA = 0x0080
CD = 0x0010

OPTION_CLIENT_SUBNET = 8  # RFC 7871
OPTION_EXTENDED_ERROR = 15  # RFC 8914
