"""The edge as a running program: a listener for viewers, one for administration, a store between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from nearcast.cache.disk import Disk
from nearcast.cache.eviction import EvictionPolicy
from nearcast.cache.store import Store
from nearcast.edge.access_log import AccessLog
from nearcast.edge.admin import Admin
from nearcast.edge.application import EdgeApplication
from nearcast.edge.context import EdgeContext
from nearcast.edge.counters import Counters, LoadMeter
from nearcast.edge.fill import FillDependencies
from nearcast.edge.fills import BUFFER_BYTES, FillLimits, Fills
from nearcast.edge.shares import Shares
from nearcast.edge.upstream import Upstream
from nearcast.model.snapshot import Server, Snapshot
from nearcast.serve.http_client import ClientLimits, HttpClient
from nearcast.serve.http_server import Exchange, HttpListener, listen_http
from nearcast.serve.limits import HttpLimits, StreamLimits

_NO_BODY = HttpLimits(body_bytes_max=64 * 1024)  # nothing that is answered here needs a body


class Edge:
    """A running edge."""

    listener: HttpListener
    admin_listener: HttpListener

    def __init__(
        self,
        snapshot: Snapshot,
        name: str,
        store: Store,
        client: HttpClient,
        clock: Callable[[], float],
        rng: Random,
        limits: FillLimits,
        access_log: AccessLog | None,
    ) -> None:
        self.name = name
        self.draining = False
        self.store = store
        self.counters = Counters(LoadMeter(asyncio.get_running_loop().time))
        self._client = client
        self._clock = clock
        self._access_log = access_log
        self._upstream = Upstream(client, snapshot.servers[name].host, rng)
        self._passing = Shares(limits.passing_max)
        use = FillDependencies(store, self._upstream, clock, self.counters.filled, self._passing)
        self._fills = Fills(use, limits.fills_max)
        self._closing: asyncio.Task[None] | None = None
        self.application = self._compiled(snapshot, snapshot.servers[name])

    @property
    def port(self) -> int:
        """The viewers' port."""
        return self.listener.port

    def swap(self, snapshot: Snapshot) -> None:
        """Serve by `snapshot` from the next request on; requests and fills under way end as they began.

        Addresses and ports stay as they were. A Snapshot in which we are missing changes our sites only:
        whoever wants us gone drains us.
        """
        server = snapshot.servers.get(self.name, self.application.context.server)
        self.application = self._compiled(snapshot, server)
        self.store.resize(server.cache_bytes_max)

    async def drain(self, seconds: float) -> None:
        """Finish what is under way. The administration goes last: it says that we are draining."""
        self.draining = True
        await self.listener.drain(seconds)
        await self._fills.cancel()
        await self._client.close()
        if self._access_log is not None:
            self._access_log.flush()
        await self.admin_listener.drain(0)

    def abort(self) -> None:
        self.draining = True
        self.listener.abort()
        self.admin_listener.abort()
        self._fills.abort()
        if self._access_log is not None:
            self._access_log.flush()
        self._closing = asyncio.get_running_loop().create_task(self._client.close())

    def answer(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """Have the present Snapshot's application answer."""
        return self.application(exchange)

    def _compiled(self, snapshot: Snapshot, server: Server) -> EdgeApplication:
        context = EdgeContext(
            snapshot,
            server,
            store=self.store,
            fills=self._fills,
            passing=self._passing,
            upstream=self._upstream,
            counters=self.counters,
            clock=self._clock,
            access_log=self._access_log,
        )
        return EdgeApplication(context)


async def start_edge(
    snapshot: Snapshot,
    name: str,
    *,
    disk: Disk,
    clock: Callable[[], float],
    rng: Random,
    policy: EvictionPolicy | None = None,
    sync: bool = False,
    client_limits: ClientLimits | None = None,
    stream_limits: StreamLimits | None = None,
    fill_limits: FillLimits | None = None,
    access_log: Callable[[bytes], object] | None = None,
) -> Edge:
    """Start the content server `name` of `snapshot` on its address and ports.

    `clock` gives wall time (Unix seconds). `policy` evicts (default LRU); `sync` makes stored objects
    survive a power loss, at the price of a disk sync per object. `access_log` appends lines to a log
    (`access_log.py` says what is in them); without it none is kept. OSError when a port cannot be bound.
    """
    server = snapshot.servers[name]
    store = Store(disk, server.cache_bytes_max, policy=policy, sync=sync)
    store.open()
    client = HttpClient(client_limits or ClientLimits(buffer_bytes=BUFFER_BYTES))
    log = None if access_log is None else AccessLog(access_log)
    edge = Edge(snapshot, name, store, client, clock, rng, fill_limits or FillLimits(), log)
    edge.listener = await listen_http(
        edge.answer,
        server.address,
        server.http_port,
        clock=clock,
        limits=_NO_BODY,
        stream_limits=stream_limits,
    )
    admin = Admin(lambda: edge.application, lambda: edge.draining)
    try:
        edge.admin_listener = await listen_http(admin, server.address, server.admin_port, clock=clock)
    except OSError:
        edge.listener.abort()
        raise
    return edge
