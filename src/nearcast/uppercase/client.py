"""Asking an uppercase server: by datagram, by a packet built by hand, or over a connection.

UDP promises nothing, so the client waits `seconds`, asks again, and gives up after `tries`. Each
question has a socket, and so a port, of its own: a late reply to an earlier question finds nobody.
The socket is connected, which makes the kernel drop replies that come from any other address than the
one asked, and report that nobody listens (ICMP port unreachable) instead of leaving us to wait.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

from nearcast.model.faults import UpstreamFault
from nearcast.serve.raw import RawSender
from nearcast.uppercase.capitals import TEXT_BYTES_MAX
from nearcast.uppercase.lines import LINE_BYTES_MAX
from nearcast.wire.addresses import ServerAddress
from nearcast.wire.packet import UdpPacket, build

CAPITALS_GROW_MAX = 3  # ΐ: two octets become six


@dataclass(frozen=True, slots=True)
class AskPolicy:
    """How long to wait for a reply, and how often to ask (a connection is asked once)."""

    seconds: float = 1.0
    tries: int = 3


@dataclass(frozen=True, slots=True)
class UppercaseReply:
    """What came back, from where, at which try and how long after that was sent."""

    octets: bytes
    server: ServerAddress
    tries: int
    seconds: float
    packet: bytes = b""  # the last one sent, when it was built by hand


class NotAsked(ValueError):
    """This text cannot be asked this way; the message says why."""


class Unanswered(UpstreamFault):
    """Nobody answered; `remedy` says what to try."""

    def __init__(self, server: ServerAddress, sentence: str, remedy: str) -> None:
        super().__init__(f"{server[0]} port {server[1]}", sentence)
        self.remedy = remedy


class Asker(Protocol):
    """One way of asking one server."""

    async def ask(self, text: bytes) -> UppercaseReply: ...
    async def close(self) -> None: ...


def unreachable(server: ServerAddress, transport: str, fault: OSError) -> Unanswered:
    """What an error of the socket means to somebody who asked."""
    host, port = server
    if isinstance(fault, socket.gaierror):
        return Unanswered(server, f"the name {host} has no address", "check --host")
    if isinstance(fault, ConnectionRefusedError):
        start = f"nearcast uppercase serve --host {host} --port {port}"
        return Unanswered(
            server, f"nobody listens on {transport} port {port} of {host}", f"start it: {start}"
        )
    if fault.errno == errno.EAFNOSUPPORT or (":" in host and fault.errno == errno.EADDRNOTAVAIL):
        return Unanswered(server, f"this machine has no way to reach {host}", "use an IPv4 address")
    return Unanswered(
        server, f"{host} cannot be reached: {fault.strerror or fault}", "check --host and --port"
    )


class _Replies(asyncio.DatagramProtocol):
    """The first reply, or the first error, that reaches a connected socket."""

    def __init__(self) -> None:
        self.first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.first.done():
            self.first.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.first.done():
            self.first.set_exception(exc)


class UdpAsker:
    """Asks by datagram.

    `clock` measures how long replies take, in seconds (the loop's own may count in milliseconds);
    `lost` is told after each try that brought nothing.
    """

    def __init__(
        self,
        server: ServerAddress,
        retry: AskPolicy,
        clock: Callable[[], float],
        lost: Callable[[int], None] = lambda tries: None,
    ) -> None:
        self._server = server
        self._retry = retry
        self._clock = clock
        self._lost = lost

    async def ask(self, text: bytes) -> UppercaseReply:
        """The reply to `text`. Raises NotAsked or Unanswered."""
        if not text:
            raise NotAsked("there is no text to send")
        if len(text) > TEXT_BYTES_MAX:
            raise NotAsked(f"a datagram carries up to {TEXT_BYTES_MAX} octets, this text has {len(text)}")
        try:
            return await self._ask(text)
        except OSError as fault:
            raise unreachable(self._server, "UDP", fault) from None

    async def close(self) -> None:
        """Nothing stays open between questions."""

    async def _ask(self, text: bytes) -> UppercaseReply:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(*self._server, type=socket.SOCK_DGRAM)
        addresses: list[ServerAddress] = [(str(place[0]), int(place[1])) for *_, place in found]
        for address in addresses[:-1]:  # a name may have several, as localhost has ::1 and 127.0.0.1
            try:
                return await self._ask_at(address, text)
            except ConnectionRefusedError:
                pass
        return await self._ask_at(addresses[-1], text)

    async def _ask_at(self, address: ServerAddress, text: bytes) -> UppercaseReply:
        loop = asyncio.get_running_loop()
        transport, replies = await loop.create_datagram_endpoint(_Replies, remote_addr=address)
        try:
            for tries in range(1, self._retry.tries + 1):
                packet = self._send(transport, text)
                sent = self._clock()
                await asyncio.wait([replies.first], timeout=self._retry.seconds)
                if replies.first.done():
                    octets = replies.first.result()
                    return UppercaseReply(octets, address, tries, self._clock() - sent, packet)
                self._lost(tries)
        finally:
            transport.close()
        raise Unanswered(
            self._server,
            f"no reply after {self._retry.tries} tries of {self._retry.seconds:g} s each: "
            "datagrams may be lost, and UDP does not say so",
            "try again, wait longer with --timeout, or ask over TCP with --tcp",
        )

    def _send(self, transport: asyncio.DatagramTransport, text: bytes) -> bytes:
        transport.sendto(text)
        return b""


class RawAsker(UdpAsker):
    """Asks by a packet built by hand. The reply comes to an ordinary socket that owns the port.

    `ask` also raises RawSocketRefused, without CAP_NET_RAW.
    """

    def _send(self, transport: asyncio.DatagramTransport, text: bytes) -> bytes:
        source, destination = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        packet = build(
            UdpPacket(ip_address(source[0]), source[1], ip_address(destination[0]), destination[1], text)
        )
        with RawSender(ip_address(destination[0])) as sender:
            try:
                sender.send(packet)
            except OSError as fault:
                if fault.errno != errno.EMSGSIZE:
                    raise
                sentence = f"this network takes no packet of {len(packet)} octets whole"
                raise NotAsked(f"{sentence}, and one built by hand is not fragmented") from None
        return packet


class TcpAsker:
    """Asks over one connection, which is made anew when the server has closed it meanwhile."""

    def __init__(self, server: ServerAddress, retry: AskPolicy, clock: Callable[[], float]) -> None:
        self._server = server
        self._clock = clock
        self._seconds = retry.seconds * retry.tries
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, text: bytes) -> UppercaseReply:
        """The reply to `text`, line by line. Raises Unanswered."""
        kept = self._writer is not None
        try:
            async with asyncio.timeout(self._seconds):
                try:
                    return await self._exchange(text)
                except (asyncio.IncompleteReadError, ConnectionError):
                    await self.close()
                    if not kept:
                        raise
                    return await self._exchange(text)
        except TimeoutError:
            sentence = f"no reply within {self._seconds:g} s"
            raise Unanswered(self._server, sentence, "wait longer with --timeout") from None
        except asyncio.IncompleteReadError:
            sentence = "the server closed the connection before it had answered"
            raise Unanswered(self._server, sentence, "try again") from None
        except asyncio.LimitOverrunError:
            raise Unanswered(self._server, "the reply does not end", "is that an uppercase server?") from None
        except OSError as fault:
            raise unreachable(self._server, "TCP", fault) from None

    async def close(self) -> None:
        """Close the connection, if there is one."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.close()
            try:
                await writer.wait_closed()
            except ConnectionError:
                pass

    async def _exchange(self, text: bytes) -> UppercaseReply:
        if self._reader is None or self._writer is None:
            limit = CAPITALS_GROW_MAX * LINE_BYTES_MAX
            self._reader, self._writer = await asyncio.open_connection(*self._server, limit=limit)
        sent = self._clock()
        self._writer.write(text + b"\n")
        lines = [await self._reader.readuntil(b"\n") for _ in range(text.count(b"\n") + 1)]
        return UppercaseReply(b"".join(lines).removesuffix(b"\n"), self._server, 1, self._clock() - sent)
