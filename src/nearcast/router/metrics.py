"""What the router counts, for its metrics page. Counting costs one addition per query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client.metrics_core import Metric

from nearcast.selection.conditions import Conditions
from nearcast.serve.metrics import counter, gauge
from nearcast.wire.dns.codes import Rcode

_RCODES = {int(rcode): rcode.name for rcode in Rcode}
SILENCE = -1


@dataclass(slots=True)
class RouterCounters:
    """Since the program began."""

    queries: Counter[tuple[bool, int]] = field(default_factory=Counter)  # (over TCP, rcode or SILENCE)
    probes: Counter[tuple[str, str]] = field(default_factory=Counter)  # (server, "good" or "failed")


def families(counters: RouterCounters, conditions: Conditions, snapshot: int) -> Iterator[Metric]:
    """What the router counted, how it finds the content servers, and the number of its Snapshot."""
    yield counter(
        "nearcast_router_queries_total",
        "DNS queries by transport and response code.",
        {
            ("tcp" if stream else "udp", "silence" if rcode == SILENCE else _RCODES.get(rcode, str(rcode))): n
            for (stream, rcode), n in sorted(counters.queries.items())
        },
        ("transport", "rcode"),
    )
    yield counter(
        "nearcast_router_probes_total",
        "Health probes by content server and result.",
        dict(sorted(counters.probes.items())),
        ("server", "result"),
    )
    servers = sorted(conditions.servers.items())
    yield gauge(
        "nearcast_router_server_healthy",
        "Whether a content server may be named (1) or not (0).",
        {(name,): condition.healthy for name, condition in servers},
        ("server",),
    )
    yield gauge(
        "nearcast_router_server_load_ratio",
        "Load of a content server as a fraction of its capacity.",
        {(name,): condition.load for name, condition in servers},
        ("server",),
    )
    yield gauge("nearcast_router_snapshot_number", "The Snapshot that is served.", snapshot)
