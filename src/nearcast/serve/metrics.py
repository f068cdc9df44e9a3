"""The metrics page that every program offers: plain integers in, Prometheus' text format out.

Counting costs one addition where it happens; a page is made when somebody asks for it. Nothing is
registered anywhere: a page shows what its program hands over, so that several programs can live on one
loop. Names begin with `nearcast_`, end in base units, and in `_total` where they count; no URL and no
session is ever a label.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nearcast.serve.dns_server import DnsListener
from nearcast.serve.http_server import HttpListener
from nearcast.serve.tcp import Listener
from nearcast.serve.udp import DatagramListener
from nearcast.serve.worker import restarts

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

Values = float | Mapping[tuple[str, ...], float]
"""A number, or one for each combination of label values (in the order of the labels)."""


def counter(name: str, sentence: str, values: Values, labels: tuple[str, ...] = ()) -> Metric:
    """What has been counted since the program began; `name` ends in `_total`."""
    return _filled(CounterMetricFamily(name, sentence, labels=labels), values)


def gauge(name: str, sentence: str, values: Values, labels: tuple[str, ...] = ()) -> Metric:
    """What is so at this moment."""
    return _filled(GaugeMetricFamily(name, sentence, labels=labels), values)


def exposition(families: Iterable[Metric]) -> str:
    """The page that shows `families`, of the type CONTENT_TYPE."""
    return generate_latest(_Collected(families)).decode()


def program_families(listeners: Mapping[str, Iterable[Listener | DnsListener]]) -> Iterator[Metric]:
    """What every program tells of itself. `listeners` by what they serve, one for each address of theirs;
    what is counted is their sum."""
    streams: dict[str, list[Listener]] = defaultdict(list)
    datagrams: dict[str, list[DatagramListener]] = defaultdict(list)
    webs: dict[str, list[HttpListener]] = defaultdict(list)
    for name, those in listeners.items():
        for each in those:
            if isinstance(each, DnsListener):
                streams[name].append(each.tcp)
                datagrams[name].append(each.udp)
                continue
            streams[name].append(each)
            if isinstance(each, HttpListener):
                webs[name].append(each)
    yield counter("nearcast_process_restarts_total", "Deaths of this worker before this life.", restarts())
    yield from _families(_OF_STREAMS, streams)
    yield from _families(_OF_DATAGRAMS, datagrams)
    yield from _families(_OF_HTTP, webs)
    yield counter(
        "nearcast_http_responses_total",
        "Complete answers over HTTP, by the class of their status.",
        {
            (name, f"{digit}xx" if digit else "other"): sum(
                each.counters.requests_total[digit] for each in those
            )
            for name, those in webs.items()
            for digit in range(6)
        },
        ("listener", "status"),
    )


Family = Callable[[str, str, Values, tuple[str, ...]], Metric]
_Row = tuple[str, Family, str, Callable[[Any], float]]

_OF_STREAMS: tuple[_Row, ...] = (
    ("nearcast_tcp_connections", gauge, "Connections that are open.", lambda each: len(each.connections)),
    (
        "nearcast_tcp_accepted_total",
        counter,
        "Connections that were taken in.",
        lambda each: each.counters.accepted_total,
    ),
    (
        "nearcast_tcp_refused_total",
        counter,
        "Connections closed at once: no room for them, or during the drain.",
        lambda each: each.counters.turned_away_total,
    ),
    (
        "nearcast_tcp_given_up_total",
        counter,
        "Connections closed to make room for newcomers.",
        lambda each: each.counters.given_up_total,
    ),
    (
        "nearcast_tcp_expired_total",
        counter,
        "Connections closed because they were idle for too long.",
        lambda each: each.counters.expired_total,
    ),
)
_OF_DATAGRAMS: tuple[_Row, ...] = (
    (
        "nearcast_udp_received_total",
        counter,
        "Datagrams that came in.",
        lambda each: each.counters.received_total,
    ),
    (
        "nearcast_udp_dropped_total",
        counter,
        "Datagrams that got no answer because too much was under way.",
        lambda each: each.counters.dropped_total,
    ),
)
_OF_HTTP: tuple[_Row, ...] = (
    (
        "nearcast_http_sent_bytes_total",
        counter,
        "Bytes of bodies in complete answers.",
        lambda each: each.counters.bytes_sent_total,
    ),
    (
        "nearcast_http_refused_total",
        counter,
        "Requests that no application saw: malformed, too large, too slow.",
        lambda each: each.counters.refused_total,
    ),
    (
        "nearcast_http_broken_off_total",
        counter,
        "Answers that ended before their end.",
        lambda each: each.counters.broken_off_total,
    ),
    (
        "nearcast_http_crashes_total",
        counter,
        "Requests answered with a fault of our own.",
        lambda each: each.counters.crashes_total,
    ),
)


def _families(rows: Iterable[_Row], listeners: Mapping[str, Iterable[Any]]) -> Iterator[Metric]:
    for name, family, sentence, read in rows:
        values: Values = {(called,): sum(map(read, those)) for called, those in listeners.items()}
        yield family(name, sentence, values, ("listener",))


def _filled(family: CounterMetricFamily | GaugeMetricFamily, values: Values) -> Metric:
    each: Mapping[tuple[str, ...], float] = values if isinstance(values, Mapping) else {(): values}
    for labels, value in each.items():
        family.add_metric(labels, value)
    return family


class _Collected(Collector):
    """Stands where prometheus_client has its global registry."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families
