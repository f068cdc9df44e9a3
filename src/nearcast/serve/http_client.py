"""HTTP/1.1 requests over kept-alive connections, on the running loop.

The client connects to an address it is given: names are the business of whoever asks (the player asks
a resolver, the edge is configured). The Host field therefore is an argument of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from nearcast.wire.http.message import Fields, ResponseHead


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Bounds of one client. Seconds without progress, not in total: a film takes hours."""

    connect_seconds: float = 3.0
    head_seconds: float = 10.0
    stall_seconds: float = 10.0
    head_bytes_max: int = 32 * 1024
    buffer_bytes: int = 1024 * 1024
    kept_per_address_max: int = 8
    kept_seconds: float = 15.0


class Incoming:
    """A response whose head is here and whose body arrives."""

    head: ResponseHead
    length: int | None  # of the body, when announced
    address: tuple[str, int]
    reused: bool  # came over a connection that had served before

    def pieces(self) -> AsyncIterator[bytes]:
        """The body, piece by piece. Raises UpstreamFault when it breaks off or stalls."""
        raise NotImplementedError

    async def read(self, bytes_max: int) -> bytes:
        """The whole body; UpstreamFault when it is longer than `bytes_max`."""
        raise NotImplementedError


class HttpClient:
    """A pool of kept-alive connections."""

    def __init__(self, limits: ClientLimits | None = None, *, local_address: str | None = None) -> None:
        """`local_address`: connect from this address of ours (the lab gives each viewer one)."""
        raise NotImplementedError

    def request(
        self,
        method: str,
        address: tuple[str, int],
        target: str,
        fields: Fields,
        body: bytes = b"",
    ) -> AbstractAsyncContextManager[Incoming]:
        """`async with client.request("GET", ("127.0.51.1", 8080), "/a", {"host": "a.test"}) as incoming:`

        A kept connection that turns out to be closed before any byte of the answer is replaced once.
        Raises UpstreamFault (`retry_safe` says whether another address may be tried). Leaving the
        block before the body's end closes the connection.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Close the kept connections."""
        raise NotImplementedError
