"""HTTP/1.1 on a listener: requests come in, an application answers each through its `Exchange`.

An application is a plain callable. When it has answered before it returns (a cache hit), no task is
made; when it returns a coroutine, that runs as a task of the connection and is cancelled when the
peer goes away. Requests of one connection are answered one after the other, in their order.

An application may raise `HttpFault` (answered with its status) or `UpstreamFault` (answered with 502);
anything else it raises is our fault: logged, counted, answered with 500, and the connection ends.
Once an answer has begun, any of them breaks the connection instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from nearcast.serve.http_connection import HttpConnection
from nearcast.serve.http_exchange import Application, Exchange
from nearcast.serve.limits import HttpLimits, StreamLimits
from nearcast.serve.parsed_heads import ParsedHeads
from nearcast.serve.tcp import Listener, listen_tcp
from nearcast.wire.http.dates import encode_date
from nearcast.wire.http.head import parse_request_head
from nearcast.wire.http.message import RequestHead

__all__ = ["Application", "Exchange", "HttpCounters", "HttpListener", "listen_http"]


@dataclass(slots=True)
class HttpCounters:
    """What happened on one listener since it began; shown on the metrics page."""

    requests_total: list[int] = field(default_factory=lambda: [0] * 6)  # by the status' first digit
    bytes_sent_total: int = 0  # of bodies
    refused_total: int = 0  # requests that no application saw: malformed, too large, too slow
    broken_off_total: int = 0  # answers that ended before their end
    crashes_total: int = 0  # exceptions of the application that were our fault

    def add(self, status: int, body_bytes: int) -> None:
        """Count one complete answer."""
        self.requests_total[status // 100] += 1
        self.bytes_sent_total += body_bytes


class HttpListener(Listener):
    """A listening address that speaks HTTP, and what its connections share."""

    def __init__(
        self,
        application: Application,
        clock: Callable[[], float],
        http_limits: HttpLimits,
        stream_limits: StreamLimits,
    ) -> None:
        super().__init__(stream_limits)
        self.application = application
        self.http_limits = http_limits
        self.counters = HttpCounters()
        self.on_answered: Callable[[Exchange], None] | None = None  # an access log may listen here
        self.parse_head: Callable[[bytes], RequestHead] = ParsedHeads(parse_request_head)
        self._clock = clock
        self._date_second = -1
        self._date_line = ""

    def date_line(self) -> str:
        """The Date field's line, made once a second."""
        now = int(self._clock())
        if now != self._date_second:
            self._date_second = now
            self._date_line = f"date: {encode_date(now)}\r\n"
        return self._date_line


async def listen_http(
    application: Application,
    address: str,
    port: int,
    *,
    clock: Callable[[], float],
    limits: HttpLimits | None = None,
    stream_limits: StreamLimits | None = None,
    share_port: bool = False,
) -> HttpListener:
    """Serve `application` on `address`:`port`; `clock` gives the wall time of Date fields (Unix seconds).

    An address that cannot be bound raises OSError.
    """
    listener = HttpListener(application, clock, limits or HttpLimits(), stream_limits or StreamLimits())
    await listen_tcp(
        lambda _: HttpConnection(listener), address, port, share_port=share_port, listener=listener
    )
    return listener
