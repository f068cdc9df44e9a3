"""What the resolver knows and until when: a bounded cache of answers and denials.

One `Kept` is what one (name, type) had to say: records, or a denial with its SOA. Whom it holds for is
its `audience` (RFC 7871 7.3): everyone, one client network, or those who named no subnet. The last is
our own care: an authority that tells clients apart answers a question without subnet by the resolver's
address, and that answer must not be given to clients that do name a subnet.

TTLs are seconds of the clock handed in (`now`); what has run out is never found again.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from nearcast.wire.addresses import IpNetwork
from nearcast.wire.dns.codes import Type
from nearcast.wire.dns.rrset import RRset

KEPT_MAX = 20_000
BYTES_MAX = 64 * 1024 * 1024  # as `Kept.bytes` counts them
PER_QUESTION_MAX = 512  # client networks remembered for one question
TTL_SECONDS_MAX = 86_400
DENIAL_SECONDS_MAX = 900  # RFC 2308 5 allows up to three hours
ALL_TYPES = -1  # where NXDOMAIN is kept: it denies the name, whatever the type


class Unlocated(Enum):
    """Audiences that are no network."""

    EVERYONE = "an answer that does not depend on the client"
    UNNAMED = "an answer to a question that carried no client subnet"


ClientGroup = Unlocated | IpNetwork
EVERYONE, UNNAMED = Unlocated.EVERYONE, Unlocated.UNNAMED


class Kept(NamedTuple):
    """An answer (`records`) or a denial (`records` None, `soa` where it was given)."""

    rcode: int
    records: RRset | None
    soa: RRset | None
    audience: ClientGroup
    until: float
    text: str

    def scope(self) -> int:
        """The ECS scope to tell whoever asks (RFC 7871 7.2.1)."""
        return self.audience.prefixlen if isinstance(self.audience, IpNetwork) else 0

    def ttl(self, now: float) -> int:
        return max(0, round(self.until - now))

    @property
    def bytes(self) -> int:
        """What this takes in memory, near enough: octets, and Python's own for each object."""
        count = _ENTRY_BYTES + len(self.text)
        for rrset in (self.records, self.soa):
            if rrset is not None:
                rdatas = sum(len(rdata) + _OBJECT_BYTES for rdata in rrset.rdatas)
                count += len(rrset.owner) + rdatas + len(rrset.in_full[1]) + len(rrset.at_question[1])
        return count


_ENTRY_BYTES = 1000
_OBJECT_BYTES = 41  # a `bytes` object and the reference to it


def audience_of(subnet: IpNetwork | None, scope: int | None) -> ClientGroup:
    """Whom an answer holds for that was asked with `subnet` and came back with ECS `scope`.

    `scope` is None when the answer had no client subnet: that authority does not look at clients. A
    scope longer than what was asked cannot be trusted further than the question went (RFC 7871 7.3.1).
    """
    if subnet is None:
        return UNNAMED
    if not scope:
        return EVERYONE
    return subnet.supernet(new_prefix=min(scope, subnet.prefixlen))


class RRsetCache:
    """Bounded in answers and in bytes; the question that was stored longest ago gives way."""

    def __init__(self, kept_max: int = KEPT_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._kept_max = kept_max
        self._bytes_max = bytes_max
        self._kept: dict[tuple[bytes, int], dict[ClientGroup, Kept]] = {}
        self._count = 0
        self.bytes = 0  # of all that is kept

    def __len__(self) -> int:
        return self._count

    def find(self, name: bytes, rdtype: int, subnet: IpNetwork | None, now: float) -> Kept | None:
        """What is known about `name` for clients in `subnet`: its records, its CNAME, or its denial."""
        for each in (rdtype, Type.CNAME, ALL_TYPES):
            audiences = self._kept.get((name, each))
            kept = audiences and _for(audiences, subnet, now)
            if kept and (kept.records is not None or each != Type.CNAME or rdtype == Type.CNAME):
                return kept
        return None

    def keep(self, name: bytes, rdtype: int, kept: Kept, now: float) -> None:
        """Remember `kept` until its time is over; what is over already is not remembered."""
        if kept.until <= now:
            return
        key = name, rdtype
        audiences = self._kept.pop(key, {})
        if kept.audience in audiences:
            self._drop(audiences, [kept.audience])
        elif len(audiences) >= PER_QUESTION_MAX:
            over = [each for each, other in audiences.items() if other.until <= now]
            self._drop(audiences, over or [next(iter(audiences))])
        audiences[kept.audience] = kept
        self._kept[key] = audiences
        self._count += 1
        self.bytes += kept.bytes
        while self._count > self._kept_max or self.bytes > self._bytes_max:
            oldest = self._kept.pop(next(iter(self._kept)))
            self._drop(oldest, list(oldest))

    def _drop(self, audiences: dict[ClientGroup, Kept], which: Iterable[ClientGroup]) -> None:
        for each in which:
            self._count -= 1
            self.bytes -= audiences.pop(each).bytes


def _for(audiences: dict[ClientGroup, Kept], subnet: IpNetwork | None, now: float) -> Kept | None:
    """The entry for clients in `subnet`; the longest prefix knows best, then what is for everyone."""
    if subnet is None:
        kept = audiences.get(UNNAMED)
        if kept is not None and kept.until > now:
            return kept
    else:
        for length in range(subnet.prefixlen, 0, -1):
            kept = audiences.get(subnet.supernet(new_prefix=length))
            if kept is not None and kept.until > now:
                return kept
    kept = audiences.get(EVERYONE)
    return kept if kept is not None and kept.until > now else None
