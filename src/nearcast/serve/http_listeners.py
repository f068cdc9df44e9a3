"""The HTTP listeners of a program for its peers outside, with what a configuration grants them."""

from __future__ import annotations

from collections.abc import Callable

from nearcast.model.config import Serving
from nearcast.serve.http_exchange import Application
from nearcast.serve.http_server import HttpListener, listen_http
from nearcast.serve.limits import http_limits, stream_limits
from nearcast.serve.listeners import Listeners

BODY_BYTES_MAX = 64 * 1024  # of a request: nothing that is answered outside needs a body


class HttpListeners(Listeners[HttpListener]):
    """All serve `application`; `grant` changes their limits while they run."""

    def __init__(self, application: Application, serving: Serving, clock: Callable[[], float]) -> None:
        """`clock` gives the wall time of Date fields (Unix seconds)."""
        super().__init__(self._listen_http, drain_seconds=serving.drain_seconds)
        self._application = application
        self._serving = serving
        self._clock = clock

    def grant(self, serving: Serving) -> None:
        """Other limits and deadlines from now on, for those who come."""
        self._serving = serving
        self.drain_seconds = serving.drain_seconds
        for listener in self:
            listener.grant(stream_limits(serving))
            listener.http_limits = http_limits(serving, body_bytes_max=BODY_BYTES_MAX)

    async def _listen_http(self, address: str, port: int) -> HttpListener:
        return await listen_http(
            self._application,
            address,
            port,
            clock=self._clock,
            limits=http_limits(self._serving, body_bytes_max=BODY_BYTES_MAX),
            stream_limits=stream_limits(self._serving),
        )
