"""A listening address that speaks HTTP: what its connections share, whatever version they speak."""

from __future__ import annotations

from collections.abc import Callable

from nearcast.serve.counters import HttpCounters
from nearcast.serve.http_exchange import Application, Exchange
from nearcast.serve.limits import HttpLimits, StreamLimits
from nearcast.serve.parsed_heads import ParsedHeads
from nearcast.serve.tcp import Listener
from nearcast.wire.http.dates import encode_date
from nearcast.wire.http.head import ReceivedRequest


class HttpListener(Listener):
    """An application, the limits of its peers, and what happened."""

    counters: HttpCounters

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
        self.parse_head: Callable[[bytes], ReceivedRequest] = ParsedHeads()
        self._clock = clock
        self._date_second = -1
        self._date_line = b""

    def date_line(self) -> bytes:
        """The Date field's line in HTTP/1.1, made once a second."""
        now = int(self._clock())
        if now != self._date_second:
            self._date_second = now
            self._date_line = f"date: {encode_date(now)}\r\n".encode()
        return self._date_line

    def answered(self, exchange: Exchange) -> None:
        """An answer is complete."""
        self.counters.add(exchange.status, exchange.bytes_sent)
        if self.on_answered is not None:
            self.on_answered(exchange)
