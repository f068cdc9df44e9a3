"""Opening a TCP connection: the handshake, packet by packet.

A SYN that is lost, cut off or swallowed is sent again after 1, 2, 4 … seconds; without any answer the
connect ends with ETIMEDOUT after `connect_seconds`. A machine that is up but does not listen refuses. A
machine whose program hangs completes the handshake all the same: its kernel does that.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno

from nearcast.simulate.world.addresses import SocketAddress, spelled
from nearcast.simulate.world.calls import Call
from nearcast.simulate.world.incarnation import Incarnation, Machine
from nearcast.simulate.world.listener import ProtocolFactory, VirtualListener
from nearcast.simulate.world.network import Network
from nearcast.simulate.world.stream import Flow, Mark
from nearcast.simulate.world.tcp import Endpoint

FIRST_RETRY_SECONDS = 1.0  # RFC 6298, 2: the initial retransmission timeout


async def dial(
    network: Network,
    incarnation: Incarnation,
    factory: ProtocolFactory,
    local: SocketAddress,
    remote: SocketAddress,
) -> tuple[Endpoint, asyncio.BaseProtocol]:
    """Connect and hand the connection to a protocol. Raises TimeoutError or ConnectionRefusedError."""
    attempt = Attempt(network, incarnation, local, remote)
    if network.tap is not None:
        network.tap.dials(attempt.host.name, remote)
    attempt.send_syn()
    try:
        endpoint = await attempt.outcome
        protocol = factory()
        endpoint.open(protocol)
    except BaseException:
        attempt.abandon()
        raise
    return endpoint, protocol


class Attempt:
    """One connect under way."""

    def __init__(
        self, network: Network, incarnation: Incarnation, local: SocketAddress, remote: SocketAddress
    ) -> None:
        assert incarnation.host is not None
        self._network = network
        self._loop = network.loop
        self._life = incarnation
        self.host: Machine = incarnation.host
        self._context = contextvars.copy_context()
        self._local, self._remote = local, remote
        self._target = network.host_at(remote[0], incarnation.host)
        self._listener: VirtualListener | None = None
        self._deadline = self._loop.time() + network.tcp.connect_seconds
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._timer: Call | None = None
        self._endpoint: Endpoint | None = None
        self.outcome: asyncio.Future[Endpoint] = self._loop.create_future()

    def send_syn(self) -> None:
        if self._over():
            return
        now = self._loop.time()
        if now >= self._deadline:
            self._fail(TimeoutError(errno.ETIMEDOUT, f"Connect call failed {self._remote[:2]}"))
            return
        self._timer = self._loop.world_at(min(now + self._retry_seconds, self._deadline), self.send_syn)
        self._retry_seconds *= 2
        if self._target is None or self._network.swallows(self._target, self._remote[1]):
            return
        there = self._network.channel(self.host, self._target)
        if not there.loses():
            self._loop.world_at(now + there.latency, self._syn_arrives)

    def _syn_arrives(self) -> None:
        target = self._target
        assert target is not None
        if self._network.channel(self.host, target).cuts or not target.up:
            return
        back = self._network.channel(target, self.host)
        if back.loses():
            return
        self._listener = self._network.listener(target, self._local, self._remote)
        answer = self._refused if self._listener is None else self._established
        self._loop.world_at(self._loop.now + back.latency, answer)

    def _refused(self) -> None:
        if not self._answer_is_lost():
            self._fail(ConnectionRefusedError(errno.ECONNREFUSED, f"Connect call failed {self._remote[:2]}"))

    def _established(self) -> None:
        if self._over() or self._answer_is_lost():
            return
        network, listener, target = self._network, self._listener, self._target
        assert listener is not None and target is not None
        number, ends = network.next_connection(), (self._local, self._remote)
        common = network.loop, network.history, network.tap, number
        near = Endpoint(*common, self._life, self._context, ends)
        far = Endpoint(*common, listener.incarnation, listener.context, ends[::-1], listener)
        there, back = network.channel(self.host, target), network.channel(target, self.host)
        near.flow = far.incoming = Flow(self._loop, network.tcp, (there, back), near, far)
        far.flow = near.incoming = Flow(self._loop, network.tcp, (back, there), far, near)
        near.flow.mark(Mark.OPEN)
        self._endpoint = near
        self._cancel_timer()
        what = (self.host.name, number, spelled(*self._local[:2]), spelled(*self._remote[:2]))
        network.history.add((self._loop.now, "connect", *what))
        if network.tap is not None:
            network.tap.opened(number, self.host.name, target.name, ends)
        self.outcome.set_result(near)

    def _answer_is_lost(self) -> bool:
        assert self._target is not None
        return self._network.channel(self._target, self.host).cuts > 0

    def _over(self) -> bool:
        return self._life.dead or self.outcome.done()

    def _fail(self, exc: OSError) -> None:
        if not self._over():
            self._cancel_timer()
            what = (self.host.name, spelled(*self._remote[:2]), type(exc).__name__)
            self._network.history.add((self._loop.time(), "unconnected", *what))
            if self._network.tap is not None:
                self._network.tap.undialled(self.host.name, self._remote, False)
            self.outcome.set_exception(exc)

    def abandon(self) -> None:
        """The program no longer wants the connection; the kernel closes what may already stand."""
        if self._loop.is_closed():  # a coroutine of the dead, released after the world has ended
            return
        self._cancel_timer()
        self.outcome.cancel()
        tap = self._network.tap
        if tap is not None and self.outcome.cancelled() and not self._life.dead:
            tap.undialled(self.host.name, self._remote, True)
        if self._endpoint is not None:
            self._endpoint.abort()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
