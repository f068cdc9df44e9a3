"""What the resolver knows and until when: a bounded cache of answers and denials.

One `Kept` is what one (name, type) had to say: records, or a denial with its SOA. Whom it holds for is
its `audience` (RFC 7871 7.3): everyone, one client network, or those who named no subnet. The last is
our own care: an authority that tells clients apart answers a question without subnet by the resolver's
address, and that answer must not be given to clients that do name a subnet.

TTLs are seconds of the clock handed in (`now`); what has run out is never found again.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from nearcast.wire.addresses import IpNetwork
from nearcast.wire.dns.codes import Type
from nearcast.wire.dns.rrset import RRset

KEPT_MAX = 20_000
PER_QUESTION_MAX = 512  # client networks remembered for one question
TTL_SECONDS_MAX = 86_400
DENIAL_SECONDS_MAX = 900  # RFC 2308 5 allows up to three hours
ALL_TYPES = -1  # where NXDOMAIN is kept: it denies the name, whatever the type


class Unlocated(Enum):
    """Audiences that are no network."""

    EVERYONE = "an answer that does not depend on the client"
    UNNAMED = "an answer to a question that carried no client subnet"


Clients = Unlocated | IpNetwork
EVERYONE, UNNAMED = Unlocated.EVERYONE, Unlocated.UNNAMED


class Kept(NamedTuple):
    """An answer (`records`) or a denial (`records` None, `soa` where it was given)."""

    rcode: int
    records: RRset | None
    soa: RRset | None
    audience: Clients
    until: float
    text: str

    def scope(self) -> int:
        """The ECS scope to tell whoever asks (RFC 7871 7.2.1)."""
        return self.audience.prefixlen if isinstance(self.audience, IpNetwork) else 0

    def ttl(self, now: float) -> int:
        return max(0, round(self.until - now))


def audience_of(subnet: IpNetwork | None, scope: int | None) -> Clients:
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
    """Bounded; the question that was stored longest ago gives way."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self._kept_max = kept_max
        self._kept: dict[tuple[bytes, int], dict[Clients, Kept]] = {}
        self._count = 0

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
        self._count -= len(audiences)
        audiences = {each: other for each, other in audiences.items() if other.until > now}
        if len(audiences) >= PER_QUESTION_MAX:
            audiences.clear()
        audiences[kept.audience] = kept
        self._kept[key] = audiences
        self._count += len(audiences)
        while self._count > self._kept_max and len(self._kept) > 1:
            oldest = next(iter(self._kept))
            self._count -= len(self._kept.pop(oldest))


def _for(audiences: dict[Clients, Kept], subnet: IpNetwork | None, now: float) -> Kept | None:
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
