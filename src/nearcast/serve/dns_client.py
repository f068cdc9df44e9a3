"""Asking a name server over UDP, and over TCP where the reply did not fit.

Each query gets a fresh port and a random ID, and may mix the case of its name, so that who cannot see
the query cannot guess a reply that would be taken for its answer (RFC 5452; draft-vixie-dnsext-dns0x20).
Datagrams that do not match in sender, ID and question are ignored as if they had not come. Datagrams
may be lost, so a query is repeated a stated number of times.
"""

from __future__ import annotations

import asyncio
import random

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdatatype

from nearcast.model.faults import UpstreamFault
from nearcast.wire.addresses import IpNetwork
from nearcast.wire.dns.message import UDP_BYTES_MAX

ServerAddress = tuple[str, int]


class DnsClient:
    """Asks name servers. `local_address`: send from this address of ours; `rng` draws IDs and case."""

    def __init__(
        self, local_address: str | None = None, *, rng: random.Random, mixed_case: bool = False
    ) -> None:
        self._local_address = local_address
        self._rng = rng
        self._mixed_case = mixed_case

    async def ask(
        self,
        server: ServerAddress,
        name: str | dns.name.Name,
        rdtype: str | int,
        *,
        client_subnet: IpNetwork | None = None,
        recursion: bool = True,
        try_seconds: float = 1.0,
        tries: int = 3,
        stream: bool = False,
    ) -> dns.message.Message:
        """The reply of `server`, whatever its rcode. Raises UpstreamFault when none came.

        `client_subnet` is sent as EDNS client subnet (RFC 7871). Each of `tries` waits `try_seconds`;
        a truncated reply is asked for again over TCP, and `stream` begins there.
        """
        query = self._query(name, rdtype, client_subnet, recursion)
        for _ in range(tries):
            query.id = self._rng.getrandbits(16)
            try:
                async with asyncio.timeout(try_seconds):
                    reply = None if stream else await self._ask_datagram(server, query)
                    if reply is None or reply.flags & dns.flags.TC:
                        reply = await self._ask_stream(server, query)
                    return reply
            except TimeoutError:
                continue
            except (OSError, EOFError) as fault:  # nobody listens there: asking again would not help
                raise UpstreamFault(_called(server), f"cannot be asked: {fault}") from None
        raise UpstreamFault(_called(server), f"did not answer within {tries} x {try_seconds:g} s")

    def _query(
        self, name: str | dns.name.Name, rdtype: str | int, subnet: IpNetwork | None, recursion: bool
    ) -> dns.message.QueryMessage:
        owner = dns.name.from_text(name) if isinstance(name, str) else name
        if self._mixed_case:
            owner = dns.name.Name([self._mix(label) for label in owner.labels])
        options: list[dns.edns.Option] = []
        if subnet is not None:
            options.append(dns.edns.ECSOption(str(subnet.network_address), subnet.prefixlen))
        return dns.message.make_query(
            owner,
            dns.rdatatype.RdataType.make(rdtype),
            use_edns=0,
            payload=UDP_BYTES_MAX,
            options=options,
            flags=dns.flags.RD if recursion else 0,
            id=0,
        )

    def _local(self, server: ServerAddress) -> ServerAddress | None:
        """Where to send from: our address reaches servers of its own family only."""
        ours = self._local_address
        return (ours, 0) if ours is not None and (":" in ours) == (":" in server[0]) else None

    def _mix(self, label: bytes) -> bytes:
        return bytes(
            octet ^ 0x20 if chr(octet).isalpha() and octet < 128 and self._rng.getrandbits(1) else octet
            for octet in label
        )

    async def _ask_datagram(self, server: ServerAddress, query: dns.message.Message) -> dns.message.Message:
        asking = _Asking(server, query)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: asking, local_addr=self._local(server), remote_addr=server
        )
        try:
            transport.sendto(query.to_wire())
            return await asking.reply
        finally:
            transport.close()

    async def _ask_stream(self, server: ServerAddress, query: dns.message.Message) -> dns.message.Message:
        reader, writer = await asyncio.open_connection(*server, local_addr=self._local(server))
        try:
            wire = query.to_wire()
            writer.write(len(wire).to_bytes(2, "big") + wire)
            while True:
                length = int.from_bytes(await reader.readexactly(2), "big")
                reply = _matching(await reader.readexactly(length), query)
                if reply is not None:
                    return reply
        finally:
            writer.close()


class _Asking(asyncio.DatagramProtocol):
    """One query under way over UDP; its reply is the first datagram that matches."""

    def __init__(self, server: ServerAddress, query: dns.message.Message) -> None:
        self._server = server
        self._query = query
        self.reply: asyncio.Future[dns.message.Message] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        if self.reply.done() or (addr[0], addr[1]) != self._server:
            return
        if (reply := _matching(data, self._query)) is not None:
            self.reply.set_result(reply)

    def error_received(self, exc: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.reply.done():
            self.reply.cancel()


def _matching(octets: bytes, query: dns.message.Message) -> dns.message.Message | None:
    """The reply in `octets` when it answers `query`: ID and question, in the case it was sent in."""
    try:
        reply = dns.message.from_wire(octets, ignore_trailing=True, raise_on_truncation=False)
    except (dns.exception.DNSException, ValueError):
        return None
    if reply.id != query.id or not reply.flags & dns.flags.QR:
        return None
    if not reply.question:  # an error about a query that could not be read may leave it out
        return reply if reply.rcode() else None
    asked, echoed = query.question[0], reply.question[0]
    if echoed.name.labels != asked.name.labels or echoed.rdtype != asked.rdtype:
        return None
    return reply


def _called(server: ServerAddress) -> str:
    return f"name server {server[0]}:{server[1]}"
