"""Listening for TCP connections: one `VirtualListener` per bound address, one `VirtualServer` over them
for the program.

`wait_closed` waits for the connections too, as asyncio does from 3.12.1 on, on every version of Python:
the same program must behave the same in every interpreter that replays a seed.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

from nearcast.simulate.world.addresses import VirtualSocket, socket_address
from nearcast.simulate.world.incarnation import Incarnation
from nearcast.simulate.world.loop import VirtualLoop
from nearcast.simulate.world.tcp import Endpoint

ProtocolFactory = Callable[[], asyncio.BaseProtocol]


class VirtualListener:
    """One listening address of a server."""

    def __init__(self, server: VirtualServer, address: str, port: int, *, shared: bool) -> None:
        self.server = server
        self.incarnation = server.incarnation
        self.context = server.context
        self.address = address
        try:
            self.port = server.incarnation.ports.tcp.bind(address, port, self, shared=shared)
        except OSError as exc:
            reason = os.strerror(exc.errno or errno.EADDRINUSE).lower()
            raise OSError(
                exc.errno,
                f"error while attempting to bind on address {socket_address(address, port)!r}: {reason}",
            ) from None

    @property
    def open(self) -> bool:
        return self.server.is_serving()

    def accept(self, endpoint: Endpoint) -> None:
        """A handshake is complete; the program takes the connection when its host runs."""
        endpoint.context = self.context.copy()
        self.server.loop.enter(self.incarnation, endpoint.context, self._take, endpoint)

    def _take(self, endpoint: Endpoint) -> None:
        if not self.open:  # closed while the connection waited to be accepted
            endpoint.listener = None
            endpoint.incoming.reset_sender()
            endpoint.vanish()
            return
        self.server.arrived(endpoint)
        try:
            endpoint.open(self.server.factory())
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self.server.loop.call_exception_handler(
                {"message": "Error on transport creation for incoming connection", "exception": exc}
            )
            endpoint.abort()

    def left(self, endpoint: Endpoint) -> None:
        self.server.left(endpoint)

    def close(self) -> None:
        self.incarnation.ports.tcp.release(self.port, self)


class VirtualServer(asyncio.AbstractServer):
    """What `create_server` returns."""

    def __init__(
        self,
        loop: VirtualLoop,
        incarnation: Incarnation,
        context: contextvars.Context,
        factory: ProtocolFactory,
    ) -> None:
        self.loop = loop
        self.incarnation = incarnation
        self.context = context
        self.factory = factory
        self._listeners: list[VirtualListener] = []
        self._connections: dict[int, Endpoint] = {}
        self._serving = False
        self._closed = False
        self._waiters: list[asyncio.Future[None]] = []
        self._forever: asyncio.Future[None] | None = None

    def listen(self, addresses: list[str], port: int, *, shared: bool) -> None:
        """Bind every address or none; port 0 is chosen once for each address."""
        try:
            for address in addresses:
                self._listeners.append(VirtualListener(self, address, port, shared=shared))
        except OSError:
            self.close()
            raise

    @property
    def sockets(self) -> tuple[Any, ...]:
        return tuple(
            VirtualSocket(socket.SOCK_STREAM, socket_address(each.address, each.port))
            for each in self._listeners
        )

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self.loop

    def is_serving(self) -> bool:
        return self._serving and not self.incarnation.dead

    async def start_serving(self) -> None:
        if self._closed:
            raise RuntimeError(f"server {self!r} is closed")
        self._serving = True

    async def serve_forever(self) -> None:
        if self._forever is not None:
            raise RuntimeError(f"server {self!r} is already being awaited on serve_forever()")
        await self.start_serving()
        self._forever = self.loop.create_future()
        try:
            await self._forever
        except asyncio.CancelledError:
            self.close()
            await self.wait_closed()
            raise
        finally:
            self._forever = None

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._serving = False
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        if self._forever is not None and not self._forever.done():
            self._forever.cancel()
        self._wake_when_empty()

    def close_clients(self) -> None:
        for endpoint in list(self._connections.values()):
            endpoint.close()

    def abort_clients(self) -> None:
        for endpoint in list(self._connections.values()):
            endpoint.abort()

    async def wait_closed(self) -> None:
        if self._closed and not self._connections:
            return
        waiter: asyncio.Future[None] = self.loop.create_future()
        self._waiters.append(waiter)
        await waiter

    def arrived(self, endpoint: Endpoint) -> None:
        self._connections[endpoint.number] = endpoint

    def left(self, endpoint: Endpoint) -> None:
        self._connections.pop(endpoint.number, None)
        self._wake_when_empty()

    def _wake_when_empty(self) -> None:
        if self._closed and not self._connections:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._waiters.clear()
