"""The CDN at one moment for the metrics page: what the programs told the control program of themselves.

What a program could not be asked is absent, not zero; `nearcast_server_up` says which those are.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from nearcast.control.schemas import PopStatus, ServerStatus, StatusSchema
from nearcast.serve.metrics import counter, gauge

# field of Statistics → metric name, type, one sentence
_OF_STATISTICS = {
    "requests": ("nearcast_server_requests_total", counter, "Requests answered."),
    "hits": ("nearcast_server_hits_total", counter, "Requests answered from the cache."),
    "misses": ("nearcast_server_misses_total", counter, "Requests that had to be fetched from upstream."),
    "stale": ("nearcast_server_stale_total", counter, "Requests answered with a stale object."),
    "collapsed": ("nearcast_server_collapsed_total", counter, "Misses that waited for a fill under way."),
    "errors": ("nearcast_server_errors_total", counter, "Requests answered with 5xx."),
    "fills": ("nearcast_server_fills_total", counter, "Requests sent upstream."),
    "bytes_sent": ("nearcast_server_sent_bytes_total", counter, "Body bytes sent to viewers."),
    "bytes_filled": ("nearcast_server_filled_bytes_total", counter, "Body bytes fetched from upstream."),
    "cached_bytes": ("nearcast_server_cached_bytes", gauge, "Bytes in the store."),
    "cache_bytes_max": ("nearcast_server_cache_bytes_max", gauge, "Bytes the store may take."),
    "objects": ("nearcast_server_objects", gauge, "Objects in the store."),
    "load": ("nearcast_server_load_ratio", gauge, "Fraction of capacity in use."),
}
_LABELS = ("server", "pop")


def families(status: StatusSchema) -> Iterator[Metric]:
    """`status` as families of metrics."""
    servers = [(pop, server) for pop in status.pops for server in pop.servers]
    yield gauge(
        "nearcast_router_up", "1 when the router answers on its admin port.", status.router.trouble is None
    )
    yield gauge(
        "nearcast_server_up",
        "1 when the content server answers on its admin port.",
        {_of(pop, server): server.statistics is not None for pop, server in servers},
        _LABELS,
    )
    yield gauge(
        "nearcast_server_healthy",
        "1 when the router may name the content server.",
        {_of(pop, server): server.healthy for pop, server in servers if server.healthy is not None},
        _LABELS,
    )
    for field, (name, family, sentence) in _OF_STATISTICS.items():
        values = {
            _of(pop, server): getattr(server.statistics, field)
            for pop, server in servers
            if server.statistics is not None
        }
        yield family(name, sentence, values, _LABELS)


def _of(pop: PopStatus, server: ServerStatus) -> tuple[str, ...]:
    return server.name, pop.name
