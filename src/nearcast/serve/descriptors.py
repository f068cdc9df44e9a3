"""Files and sockets this process may have open, and how many of them are for peers.

The usual soft limit, 1,024, is for programs that call select(2). Ours do not, so they take what the hard
limit grants. Of that a listener takes a quarter at most: two listeners for viewers (IPv4 and IPv6) and one
for administration leave a quarter for fills, files and memory maps.
"""

from __future__ import annotations

import resource
from contextvars import ContextVar

SHARE_OF_A_LISTENER = 4
UNLIMITED = 1024 * 1024  # what we ask for where there is no hard limit; Linux' own default for fs.nr_open

# Set for the programs of a real process. Where it is not (tests, the virtual world) only limits.py counts.
CONNECTIONS_POSSIBLE: ContextVar[int | None] = ContextVar("connections possible", default=None)


def raise_limit() -> int:
    """Raise the soft limit to the hard one; the number of descriptors that we may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = UNLIMITED if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            return soft  # a container's rules
    return wanted


def allow_connections(descriptors: int) -> None:
    """From now on a new listener of this context has at most its share of `descriptors`."""
    CONNECTIONS_POSSIBLE.set(max(1, descriptors // SHARE_OF_A_LISTENER))


def connections_possible(connections_max: int) -> int:
    """How many of `connections_max` connections one listener can really have."""
    possible = CONNECTIONS_POSSIBLE.get()
    return connections_max if possible is None else min(connections_max, possible)
