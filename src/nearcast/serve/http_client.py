"""HTTP/1.1 requests over kept-alive connections, on the running loop.

The client connects to an address it is given: names are the business of whoever asks (the player asks
a resolver, the edge is configured). The Host field therefore is an argument of its own.

Connections are kept for the next request once a response is complete, and closed otherwise: a
connection that was left early, broke a rule or said `close` is never used again. Only requests that
may be repeated (RFC 9110 9.2.2) go over a kept connection, because only they can be put again when it
turns out to be closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nearcast.model.faults import UpstreamFault
from nearcast.serve.deadline import Within
from nearcast.serve.http_upstream import UpstreamConnection
from nearcast.serve.limits import ClientLimits
from nearcast.wire.addresses import endpoint_text
from nearcast.wire.http.body import announced_length
from nearcast.wire.http.head import encode_request_head
from nearcast.wire.http.message import Fields, ResponseHead

__all__ = ["ClientLimits", "HttpClient", "Incoming"]

_NOT_REPEATABLE = ("POST", "PATCH")
_ALWAYS_WITH_LENGTH = ("POST", "PATCH", "PUT")


class Incoming:
    """A response whose head is here and whose body arrives."""

    head: ResponseHead
    length: int | None  # Content-Length: of the body, or for HEAD of what a GET would bring
    address: tuple[str, int]
    reused: bool  # came over a connection that had served before

    def __init__(self, connection: UpstreamConnection, head: ResponseHead, *, reused: bool) -> None:
        self._connection = connection
        self.head = head
        self.length = announced_length(head.fields)
        self.address = connection.address
        self.reused = reused

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body, piece by piece. Raises UpstreamFault when it breaks off or stalls."""
        while (piece := await self._connection.piece()) is not None:
            yield piece

    async def read(self, bytes_max: int) -> bytes:
        """The whole body; UpstreamFault when it is longer than `bytes_max`."""
        source = endpoint_text(*self.address)
        if self.length is not None and self.length > bytes_max and not self._connection.complete:
            raise UpstreamFault(source, f"a body of {self.length} bytes, more than {bytes_max}")
        pieces: list[bytes] = []
        size = 0
        async for piece in self.pieces():
            size += len(piece)
            if size > bytes_max:
                raise UpstreamFault(source, f"a body of more than {bytes_max} bytes")
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class HttpClient:
    """A pool of kept-alive connections."""

    def __init__(self, limits: ClientLimits | None = None, *, local_address: str | None = None) -> None:
        """`local_address`: connect from this address of ours (the lab gives each viewer one)."""
        self.limits = limits or ClientLimits()
        self._local_address = local_address
        self._kept: dict[tuple[str, int], list[UpstreamConnection]] = {}
        self._closed = False

    @asynccontextmanager
    async def request(
        self,
        method: str,
        address: tuple[str, int],
        target: str,
        fields: Fields,
        body: bytes = b"",
    ) -> AsyncIterator[Incoming]:
        """`async with client.request("GET", ("127.0.51.1", 8080), "/a", {"host": "a.test"}) as incoming:`

        A kept connection that turns out to be closed before any byte of the answer is replaced once.
        Raises UpstreamFault (`retry_safe` says whether another address may be tried). Leaving the
        block before the body's end closes the connection.
        """
        if body or method in _ALWAYS_WITH_LENGTH:
            fields = {**fields, "content-length": str(len(body))}
        octets = encode_request_head(method, target, fields) + body
        connection, incoming = await self._ask(method, address, octets)
        try:
            yield incoming
        finally:
            self._keep(connection)

    async def close(self) -> None:
        """Close the kept connections."""
        self._closed = True
        while self._kept:
            _, connections = self._kept.popitem()
            for connection in connections:
                connection.close()

    async def _ask(
        self, method: str, address: tuple[str, int], octets: bytes
    ) -> tuple[UpstreamConnection, Incoming]:
        repeatable = method not in _NOT_REPEATABLE
        kept = self._take_kept(address) if repeatable else None
        if kept is not None:
            try:
                return kept, await self._exchange(kept, method, octets, reused=True)
            except UpstreamFault:
                if not kept.stale:
                    raise
        fresh = await self._connect(address)
        try:
            return fresh, await self._exchange(fresh, method, octets, reused=False)
        except UpstreamFault as fault:
            fault.retry_safe = repeatable
            raise

    async def _exchange(
        self, connection: UpstreamConnection, method: str, octets: bytes, *, reused: bool
    ) -> Incoming:
        try:
            return Incoming(connection, await connection.ask(method, octets), reused=reused)
        except BaseException:  # also when we are cancelled
            connection.close()
            raise

    async def _connect(self, address: tuple[str, int]) -> UpstreamConnection:
        loop = asyncio.get_running_loop()
        limits = self.limits
        local = None if self._local_address is None else (self._local_address, 0)
        try:
            async with Within(limits.connect_seconds):
                _, connection = await loop.create_connection(
                    lambda: UpstreamConnection(address, limits), *address, local_addr=local
                )
        except TimeoutError:
            sentence = f"no connection within {limits.connect_seconds:g} s"
            raise UpstreamFault(endpoint_text(*address), sentence, timed_out=True) from None
        except OSError as fault:
            sentence = (fault.strerror or str(fault)).lower()
            raise UpstreamFault(endpoint_text(*address), f"no connection: {sentence}") from fault
        return connection

    def _take_kept(self, address: tuple[str, int]) -> UpstreamConnection | None:
        """The connection used last: the others may then grow old and close."""
        kept = self._kept.get(address)
        while kept:
            connection = kept.pop()
            if not kept:
                del self._kept[address]
            if connection.take_up():
                return connection
        return None

    def _keep(self, connection: UpstreamConnection) -> None:
        """Keep a connection whose response is complete; close it otherwise."""
        kept = self._kept.get(connection.address, [])
        if self._closed or not connection.reusable or len(kept) >= self.limits.kept_per_address_max:
            connection.close()
            return
        self._kept.setdefault(connection.address, kept).append(connection)
        connection.lay_down(self._forget)

    def _forget(self, connection: UpstreamConnection) -> None:
        """A kept connection has ended by itself."""
        kept = self._kept.get(connection.address, [])
        if connection in kept:
            kept.remove(connection)
            if not kept:
                del self._kept[connection.address]
