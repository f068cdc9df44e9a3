"""What the router counts, in the text format of Prometheus. Counting costs one addition per query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from nearcast.selection.conditions import Conditions
from nearcast.wire.dns.codes import Rcode

_RCODES = {int(rcode): rcode.name for rcode in Rcode}
SILENCE = -1


@dataclass(slots=True)
class Counters:
    """Since the program began."""

    queries: Counter[tuple[bool, int]] = field(default_factory=Counter)  # (over TCP, rcode or SILENCE)
    probes: Counter[tuple[str, str]] = field(default_factory=Counter)  # (server, "good" or "failed")


def exposition(counters: Counters, conditions: Conditions, snapshot: int) -> str:
    """The metrics page."""
    return "\n".join(_lines(counters, conditions, snapshot)) + "\n"


def _lines(counters: Counters, conditions: Conditions, snapshot: int) -> Iterator[str]:
    yield "# HELP nearcast_router_queries_total DNS queries by transport and response code."
    yield "# TYPE nearcast_router_queries_total counter"
    for (stream, rcode), count in sorted(counters.queries.items()):
        transport = "tcp" if stream else "udp"
        called = "silence" if rcode == SILENCE else _RCODES.get(rcode, str(rcode))
        yield f'nearcast_router_queries_total{{transport="{transport}",rcode="{called}"}} {count}'
    yield "# HELP nearcast_router_probes_total Health probes by content server and result."
    yield "# TYPE nearcast_router_probes_total counter"
    for (server, result), count in sorted(counters.probes.items()):
        yield f'nearcast_router_probes_total{{server="{server}",result="{result}"}} {count}'
    yield "# HELP nearcast_router_server_healthy Whether a content server may be named (1) or not (0)."
    yield "# TYPE nearcast_router_server_healthy gauge"
    for name, condition in sorted(conditions.servers.items()):
        yield f'nearcast_router_server_healthy{{server="{name}"}} {int(condition.healthy)}'
    yield "# HELP nearcast_router_server_load_ratio Load of a content server as a fraction of its capacity."
    yield "# TYPE nearcast_router_server_load_ratio gauge"
    for name, condition in sorted(conditions.servers.items()):
        yield f'nearcast_router_server_load_ratio{{server="{name}"}} {condition.load:g}'
    yield "# HELP nearcast_router_snapshot_number The Snapshot that is served."
    yield "# TYPE nearcast_router_snapshot_number gauge"
    yield f"nearcast_router_snapshot_number {snapshot}"
