"""The eviction policies by the names that a configuration gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from nearcast.cache.eviction import EvictionPolicy
from nearcast.cache.policies.lru import Lru
from nearcast.cache.policies.s3_fifo import S3Fifo

POLICIES: Final[dict[str, Callable[[], EvictionPolicy]]] = {"lru": Lru, "s3-fifo": S3Fifo}
POLICY_DEFAULT: Final = "lru"


def policy_named(name: str) -> EvictionPolicy:
    """A new policy of that name. ValueError, which says the names there are, when it is none."""
    if name not in POLICIES:
        raise ValueError(f'no eviction policy is called "{name}"; there are {", ".join(sorted(POLICIES))}')
    return POLICIES[name]()
