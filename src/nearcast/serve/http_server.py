"""HTTP/1.1 on a listener: requests come in, an application answers each through its `Exchange`.

An application is a plain callable. When it has answered before it returns (a cache hit), no task is
made; when it returns a coroutine, that runs as a task of the connection and is cancelled when the
peer goes away. Requests of one connection are answered one after the other, in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from nearcast.serve.limits import HttpLimits, StreamLimits
from nearcast.serve.tcp import Peer, Room
from nearcast.wire.http.message import Fields, RequestHead


class Exchange:
    """One request and the answer to it."""

    request: RequestHead
    body: bytes  # the request's whole body (bounded by HttpLimits.body_bytes_max)
    peer: Peer
    local: Peer  # our own address of this connection

    def respond(self, status: int, fields: Fields, body: bytes | memoryview = b"") -> None:
        """Answer completely. Content-Length and Date are added; a HEAD request gets no body."""
        raise NotImplementedError

    def begin(self, status: int, fields: Fields, length: int | None) -> None:
        """Begin an answer whose body follows by `write`; chunked when `length` is None."""
        raise NotImplementedError

    async def write(self, octets: bytes | memoryview) -> None:
        """Send a piece of the body; waits while the peer has fallen behind. Raises
        ConnectionResetError when the peer is gone."""
        raise NotImplementedError

    def end(self) -> None:
        """The body is complete."""
        raise NotImplementedError

    def break_off(self) -> None:
        """The rest of the body cannot be had: reset, so that the peer cannot take it for whole."""
        raise NotImplementedError


Application = Callable[[Exchange], Coroutine[Any, Any, None] | None]


async def listen_http(
    application: Application,
    address: str,
    port: int,
    *,
    clock: Callable[[], float],
    limits: HttpLimits | None = None,
    stream_limits: StreamLimits | None = None,
    share_port: bool = False,
) -> Room:
    """Serve `application` on `address`:`port`; `clock` gives the wall time of Date fields (Unix seconds)."""
    raise NotImplementedError
