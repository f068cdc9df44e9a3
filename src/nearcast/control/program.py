"""The control program: uvicorn inside the running loop, on the address of `cdn.control`.

Uvicorn would take the process' signals and end it when a port is taken; here both belong to whoever
started the program. So the listening socket is opened here, where OSError can be raised.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence

import uvicorn

from nearcast.control.administration import Administration
from nearcast.control.app import create_app
from nearcast.control.catalogue import Catalogue, CatalogueEntry
from nearcast.model.snapshot import Snapshot
from nearcast.serve.program import Running


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ControlProgram:
    """A started control program."""

    def __init__(
        self, server: uvicorn.Server, listener: socket.socket, administration: Administration
    ) -> None:
        self._server = server
        self._listener = listener
        self._administration = administration
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
        await self._administration.close()

    def abort(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        for server in getattr(self._server, "servers", ()):
            server.close()
        for connection in list(self._server.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        self._task.cancel()
        self._listener.close()


async def start_control(
    snapshot: Snapshot, catalogue: Sequence[CatalogueEntry], *, clock: Callable[[], float]
) -> Running:
    """Serve the control API and the status page of `snapshot` on `cdn.control`, port `internet.http_port`.

    `clock` gives wall time, Unix seconds. Raises OSError when the port is taken, OperatorFault when
    the pages were not built.
    """
    administration = Administration(snapshot)
    app = create_app(snapshot, Catalogue(catalogue), administration, clock)
    config = uvicorn.Config(
        app, loop="none", lifespan="off", ws="none", access_log=False, log_config=None, server_header=False
    )
    address = snapshot.config.cdn.control
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    listener = socket.create_server((str(address), snapshot.config.internet.http_port), family=family)
    program = ControlProgram(_Server(config), listener, administration)
    await program.until_started()
    return program
