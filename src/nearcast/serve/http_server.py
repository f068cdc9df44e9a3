"""HTTP on a listener: requests come in, an application answers each through its `Exchange`.

An application is a plain callable. When it has answered before it returns (a cache hit), no task is
made; when it returns a coroutine, that runs as a task of the connection and is cancelled when the
peer goes away. Requests of one connection are answered one after the other, in their order.

An application may raise `HttpFault` (answered with its status) or `UpstreamFault` (answered with 502);
anything else it raises is our fault: logged, counted, answered with 500, and the connection ends.
Once an answer has begun, any of them breaks the connection instead. A failed assertion goes on from there
to the loop's exception handler, which ends the worker: state that is wrong must not go on serving.
"""

from __future__ import annotations

from collections.abc import Callable

from nearcast.serve.counters import HttpCounters
from nearcast.serve.http_connection import HttpConnection
from nearcast.serve.http_exchange import Application, Exchange
from nearcast.serve.http_listener import HttpListener
from nearcast.serve.limits import HttpLimits, StreamLimits
from nearcast.serve.tcp import listen_tcp

__all__ = ["Application", "Exchange", "HttpCounters", "HttpListener", "listen_http"]


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
