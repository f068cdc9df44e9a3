"""The CDN at one moment in Prometheus' text format (version 0.0.4): base units, no URL or session labels.

What a program could not be asked is absent, not zero; `nearcast_server_up` says which those are.
"""

from __future__ import annotations

from collections.abc import Iterator

from nearcast.control.schemas import PopStatus, ServerStatus, StatusSchema

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# field of Statistics → metric name, type, one sentence
_OF_STATISTICS = {
    "requests": ("nearcast_server_requests_total", "counter", "Requests answered."),
    "hits": ("nearcast_server_hits_total", "counter", "Requests answered from the cache."),
    "misses": ("nearcast_server_misses_total", "counter", "Requests that had to be fetched from upstream."),
    "stale": ("nearcast_server_stale_total", "counter", "Requests answered with a stale object."),
    "collapsed": ("nearcast_server_collapsed_total", "counter", "Misses that waited for a fill under way."),
    "errors": ("nearcast_server_errors_total", "counter", "Requests answered with 5xx."),
    "fills": ("nearcast_server_fills_total", "counter", "Requests sent upstream."),
    "bytes_sent": ("nearcast_server_sent_bytes_total", "counter", "Body bytes sent to viewers."),
    "bytes_filled": ("nearcast_server_filled_bytes_total", "counter", "Body bytes fetched from upstream."),
    "cached_bytes": ("nearcast_server_cached_bytes", "gauge", "Bytes in the store."),
    "cache_bytes_max": ("nearcast_server_cache_bytes_max", "gauge", "Bytes the store may take."),
    "objects": ("nearcast_server_objects", "gauge", "Objects in the store."),
    "load": ("nearcast_server_load_ratio", "gauge", "Fraction of capacity in use."),
}


def exposition(status: StatusSchema) -> str:
    """`status` as a scrape."""
    return "\n".join([*_lines(status), ""])


def _lines(status: StatusSchema) -> Iterator[str]:
    servers = [(pop, server) for pop in status.pops for server in pop.servers]
    yield from _head("nearcast_router_up", "gauge", "1 when the router answers on its admin port.")
    yield f"nearcast_router_up {int(status.router.trouble is None)}"
    yield from _head("nearcast_server_up", "gauge", "1 when the content server answers on its admin port.")
    for pop, server in servers:
        yield f"nearcast_server_up{_labels(pop, server)} {int(server.statistics is not None)}"
    yield from _head("nearcast_server_healthy", "gauge", "1 when the router may name the content server.")
    for pop, server in servers:
        if server.healthy is not None:
            yield f"nearcast_server_healthy{_labels(pop, server)} {int(server.healthy)}"
    for field, (name, kind, sentence) in _OF_STATISTICS.items():
        yield from _head(name, kind, sentence)
        for pop, server in servers:
            if server.statistics is not None:
                yield f"{name}{_labels(pop, server)} {getattr(server.statistics, field)}"


def _head(name: str, kind: str, sentence: str) -> Iterator[str]:
    yield f"# HELP {name} {sentence}"
    yield f"# TYPE {name} {kind}"


def _labels(pop: PopStatus, server: ServerStatus) -> str:
    return f'{{server="{server.name}",pop="{pop.name}"}}'  # both are DNS labels: nothing to escape
