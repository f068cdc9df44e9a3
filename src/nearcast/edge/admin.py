"""The administration of an edge: pages for operators and the router's probes, and orders.

GET  /health   name, load, draining, full (a newcomer would cost somebody his place), number of the Snapshot
GET  /stats    what was counted, as JSON
GET  /metrics  the same for Prometheus
POST /warm     {"site": "movie", "targets": ["/clock/manifest.mpd"]}
POST /purge    the same, or {"site": "movie", "all": true}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.metrics_core import Metric

from nearcast.edge.application import EdgeApplication
from nearcast.edge.commands import purge, warm
from nearcast.serve.admin import administration
from nearcast.serve.http_server import Exchange
from nearcast.serve.metrics import counter, exposition, gauge, program_families
from nearcast.serve.tcp import Listener
from nearcast.wire.http.message import HttpFault
from nearcast.wire.json_text import read_json

# Name below nearcast_edge_, kind, sentence; keys as in /stats.
_METRICS = {
    "requests": ("requests_total", counter, "Requests for content."),
    "hits": ("hits_total", counter, "Requests answered from the store, fresh."),
    "misses": ("misses_total", counter, "Requests that began a fill and waited for it."),
    "stale": ("stale_total", counter, "Requests answered from the store beyond its lifetime."),
    "collapsed": ("collapsed_total", counter, "Requests that shared a fill already under way."),
    "bypasses": ("bypasses_total", counter, "Requests passed to the origin for one viewer alone."),
    "refused": ("refused_total", counter, "Requests refused for a fault of their own."),
    "errors": ("errors_total", counter, "Requests that failed, or broke off, for another's fault."),
    "revalidations": ("revalidations_total", counter, "Misses that asked the origin about a stale copy."),
    "left": ("left_total", counter, "Requests whose viewer went before the end of the answer."),
    "crashed": ("crashed_total", counter, "Requests that failed by a mistake of this program."),
    "fills": ("fills_total", counter, "Fetches from the origin."),
    "fills_running": ("fills_running", gauge, "Fetches from the origin under way."),
    "fills_refused": ("fills_refused_total", counter, "Fetches refused: too many were under way."),
    "passing": ("passing", gauge, "Bodies passed on without being stored, under way."),
    "passing_refused": ("passing_refused_total", counter, "Such bodies refused: too many were under way."),
    "log_lines_dropped": ("log_lines_dropped_total", counter, "Lines of the access log that were lost."),
    "bytes_sent": ("sent_bytes_total", counter, "Bytes of bodies sent."),
    "bytes_filled": ("filled_bytes_total", counter, "Bytes of bodies fetched."),
    "dropped": ("dropped_total", counter, "Files of the store that were no whole objects."),
    "evicted": ("evicted_total", counter, "Objects that made room for others."),
    "disk_faults": ("disk_faults_total", counter, "Operations of the store's disk that failed."),
    "cached_bytes": ("cached_bytes", gauge, "Bytes in the store."),
    "cache_bytes_max": ("cache_bytes_max", gauge, "Bytes the store may take."),
    "objects": ("objects", gauge, "Objects in the store."),
    "load": ("load_ratio", gauge, "Part of the capacity in use, 0 to 1."),
}


def statistics(application: EdgeApplication) -> dict[str, Any]:
    """What /stats shows."""
    edge = application.context
    counters, store, kinds = edge.counters, edge.store, edge.counters.kinds
    return {
        "name": edge.snapshot.server.name,
        "requests": counters.requests,
        "hits": kinds["hit"],
        "misses": kinds["miss"],
        "stale": kinds["stale"],
        "collapsed": kinds["collapsed"],
        "bypasses": kinds["bypass"],
        "refused": kinds["refused"],
        "errors": counters.errors,
        "revalidations": counters.revalidations,
        "left": counters.left,
        "crashed": kinds["crashed"],
        "fills": edge.fills.started_total,
        "fills_running": edge.fills.shares.taken,
        "fills_refused": edge.fills.shares.refused_total,
        "passing": edge.passing.taken,
        "passing_refused": edge.passing.refused_total,
        "log_lines_dropped": 0 if edge.access_log is None else edge.access_log.dropped_total,
        "bytes_sent": counters.bytes_sent,
        "bytes_filled": counters.bytes_filled,
        "evicted": store.evicted_total,
        "dropped": store.dropped_total,
        "disk_faults": store.faults_total,
        "cached_bytes": store.bytes_stored,
        "cache_bytes_max": store.bytes_max,
        "objects": len(store),
        "load": round(application.context.load, 6),
    }


def families(application: EdgeApplication) -> Iterator[Metric]:
    """The same as families of metrics."""
    statistics_now = statistics(application)
    for key, (name, family, sentence) in _METRICS.items():
        yield family(f"nearcast_edge_{name}", sentence, statistics_now[key])


class Admin:
    """The application on an edge's admin port.

    `current` gives the application of the present Snapshot; `full` says whether the viewers' listeners are;
    `listeners` are the edge's own by name.
    """

    def __init__(
        self,
        current: Callable[[], EdgeApplication],
        draining: Callable[[], bool],
        full: Callable[[], bool],
        listeners: Callable[[], Mapping[str, Iterable[Listener]]],
    ) -> None:
        self._current = current
        self._draining = draining
        self._full = full
        self._show = administration(
            {
                "/health": self._health,
                "/stats": lambda _: statistics(current()),
                "/metrics": lambda _: exposition([*families(current()), *program_families(listeners())]),
            }
        )

    def __call__(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """Answer one request."""
        path = exchange.request.path
        if path not in ("/warm", "/purge"):
            return self._show(exchange)
        return self._order(exchange, path)

    def _health(self, query: Mapping[str, str]) -> dict[str, Any]:
        application = self._current()
        return {
            "name": application.context.snapshot.server.name,
            "load": round(application.context.load, 6),
            "draining": self._draining(),
            "full": self._full(),
            "snapshot": application.context.snapshot.number,
        }

    async def _order(self, exchange: Exchange, path: str) -> None:
        status = 200
        report: dict[str, Any]
        try:
            if exchange.request.method != "POST":
                raise HttpFault(405, "orders are given by POST")
            order = _json(exchange.body)
            application = self._current()
            report = await warm(application, order) if path == "/warm" else purge(application, order)
        except HttpFault as fault:
            status, report = fault.status, {"error": fault.sentence}
        fields = {"content-type": "application/json", "cache-control": "no-store"}
        exchange.respond(status, fields, (json.dumps(report) + "\n").encode())


def _json(octets: bytes) -> Any:
    try:
        return read_json(octets)
    except ValueError as fault:
        raise HttpFault(400, f"an order is JSON: {fault}") from None
