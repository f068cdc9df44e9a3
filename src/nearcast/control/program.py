"""The control program: uvicorn inside the running loop, on the address of `[control]`.

Uvicorn would take the process' signals and end it when a port is taken; here both belong to whoever
started the program. So the listening socket is opened here, where OSError can be raised.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import uvicorn
from fastapi import FastAPI

from nearcast.control.administration import Administration
from nearcast.control.app import create_app
from nearcast.control.catalogue import Catalogue, CatalogueEntry
from nearcast.control.cdn import ManagedCdn
from nearcast.control.schemas import ViewerPlace
from nearcast.model.snapshot import ControlSnapshot
from nearcast.serve.listeners import Listeners, listen_at


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class UvicornListener:
    """One address on which uvicorn serves an application. Satisfies `serve.program.Running`."""

    def __init__(self, app: FastAPI, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app, loop="none", lifespan="off", ws="none", access_log=False, log_config=None,
            server_header=False,
        )  # fmt: skip
        self._server = server = _Server(config)
        self._listener = listener
        self._task = asyncio.get_running_loop().create_task(server.serve([listener]), name="control")

    async def until_started(self) -> None:
        """Wait until requests are accepted."""
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise RuntimeError("the control program ended before it had started")
            await asyncio.sleep(0.005)

    async def drain(self, seconds: float) -> None:
        self._server.should_exit = True
        if not self._task.done():
            await asyncio.wait([self._task], timeout=seconds)
        self.abort()
        await asyncio.gather(self._task, return_exceptions=True)

    def abort(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        for server in getattr(self._server, "servers", ()):
            server.close()
        for connection in list(self._server.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        self._task.cancel()
        self._listener.close()


class Control:
    """A running control program. Satisfies `serve.program.Running`."""

    def __init__(self, cdn: ManagedCdn, clock: Callable[[], float]) -> None:
        self.cdn = cdn
        self._app = create_app(lambda: self.cdn, clock)
        self._listeners = Listeners(self._listen)
        self._retired: set[asyncio.Task[None]] = set()

    async def swap(self, snapshot: ControlSnapshot) -> None:
        """Show and command the CDN of `snapshot` from now on.

        Where it names another address or port for control, that is opened before the old one is closed.
        OSError when it cannot be bound: then everything stays as it was.
        """
        await self.listen(snapshot)
        retired = asyncio.get_running_loop().create_task(self.cdn.administration.close())
        self._retired.add(retired)
        retired.add_done_callback(self._retired.discard)
        self.cdn = replace(self.cdn, snapshot=snapshot, administration=Administration(snapshot))

    async def listen(self, snapshot: ControlSnapshot) -> None:
        """Listen where `snapshot` says. OSError when the address cannot be bound."""
        await listen_at((self._listeners, [(snapshot.listen, snapshot.port)]))

    async def drain(self, seconds: float) -> None:
        await self._listeners.drain(seconds)
        await self.cdn.administration.close()

    def abort(self) -> None:
        self._listeners.abort()

    async def _listen(self, address: str, port: int) -> UvicornListener:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = UvicornListener(self._app, socket.create_server((address, port), family=family))
        await listener.until_started()
        return listener


async def start_control(
    snapshot: ControlSnapshot,
    catalogue: Sequence[CatalogueEntry],
    *,
    clock: Callable[[], float],
    viewers: Sequence[ViewerPlace] = (),
) -> Control:
    """Serve the control API and the status page of `snapshot` where it says.

    `clock` gives wall time, Unix seconds; `viewers` are shown on the map. Raises OSError when the port is
    taken, OperatorFault when the pages were not built.
    """
    cdn = ManagedCdn(snapshot, Administration(snapshot), Catalogue(catalogue), viewers)
    control = Control(cdn, clock)
    await control.listen(snapshot)
    return control
