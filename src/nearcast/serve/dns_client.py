"""Asking a name server over UDP, and over TCP where the reply did not fit.

Each query gets a fresh port and a random ID, and may mix the case of its name, so that who cannot see
the query cannot guess a reply that would be taken for its answer (RFC 5452; draft-vixie-dnsext-dns0x20).
Datagrams that do not match in sender, ID, question and client subnet are ignored as if they had not
come. Datagrams may be lost, so a query is repeated a stated number of times.

Some servers write the question in lower case. Where a reply differs in case alone, the true one has a
moment to arrive; after that the query goes out once more without mixed case, and costs no try.

Over TCP nobody else can answer: there the first message is the answer, or the server has failed. So has
one whose answer is truncated even there.
"""

from __future__ import annotations

import asyncio
import random

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from nearcast.model.faults import UpstreamFault
from nearcast.wire.addresses import IpNetwork, ServerAddress, endpoint_text
from nearcast.wire.dns.message import UDP_BYTES_MAX

CASE_SECONDS = 0.2  # how long the true reply may still take when one came in another case

# The rcodes of a server that may not have read the question, and so may leave it out.
_WITHOUT_QUESTION = (dns.rcode.FORMERR, dns.rcode.SERVFAIL, dns.rcode.NOTIMP, dns.rcode.REFUSED)


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
        mixed_case = self._mixed_case and not stream
        left = tries
        while left:
            query = self._query(name, rdtype, client_subnet, recursion, mixed_case)
            try:
                async with asyncio.timeout(try_seconds):
                    reply = None if stream else await self._ask_datagram(server, query, mixed_case)
                    if reply is None or reply.flags & dns.flags.TC:
                        reply = await self._ask_stream(server, query)
                    return reply
            except _OtherCase:
                mixed_case = False
            except TimeoutError:
                left -= 1
            except (OSError, EOFError) as fault:  # nobody listens there: asking again would not help
                raise UpstreamFault(_called(server), f"cannot be asked: {fault}") from None
        raise UpstreamFault(_called(server), f"did not answer within {tries} x {try_seconds:g} s")

    def _query(
        self,
        name: str | dns.name.Name,
        rdtype: str | int,
        subnet: IpNetwork | None,
        recursion: bool,
        mixed_case: bool,
    ) -> dns.message.QueryMessage:
        owner = dns.name.from_text(name) if isinstance(name, str) else name
        if mixed_case:
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
            id=self._rng.getrandbits(16),
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

    async def _ask_datagram(
        self, server: ServerAddress, query: dns.message.Message, mixed_case: bool
    ) -> dns.message.Message:
        asking = _Asking(server, query, mixed_case)
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
            length = int.from_bytes(await reader.readexactly(2), "big")
            # The case of the name was mixed against strangers, and here are none.
            reply, _ = read_reply(await reader.readexactly(length), query)
            if reply is None:
                raise UpstreamFault(_called(server), "sent something else than an answer over TCP")
            if reply.flags & dns.flags.TC:
                raise UpstreamFault(_called(server), "sent a truncated answer over TCP")
            return reply
        finally:
            writer.close()


class _OtherCase(Exception):
    """The only reply that came repeats the question in another case."""


class _Asking(asyncio.DatagramProtocol):
    """One query under way over UDP; its reply is the first datagram that matches."""

    def __init__(self, server: ServerAddress, query: dns.message.Message, mixed_case: bool) -> None:
        self._server = server
        self._query = query
        self._mixed_case = mixed_case
        self._loop = asyncio.get_running_loop()
        self._moment: asyncio.TimerHandle | None = None
        self.reply: asyncio.Future[dns.message.Message] = self._loop.create_future()

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        if self.reply.done() or (addr[0], addr[1]) != self._server:
            return
        reply, same_case = read_reply(data, self._query)
        if reply is None:
            return
        if same_case or not self._mixed_case:
            self.reply.set_result(reply)
        elif self._moment is None:
            self._moment = self._loop.call_later(CASE_SECONDS, self._in_other_case)

    def _in_other_case(self) -> None:
        if not self.reply.done():
            self.reply.set_exception(_OtherCase())

    def error_received(self, exc: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._moment is not None:
            self._moment.cancel()
        if not self.reply.done():
            self.reply.cancel()


def read_reply(octets: bytes, query: dns.message.Message) -> tuple[dns.message.Message | None, bool]:
    """The reply in `octets` when it answers `query`, else None; and whether it repeats the name as it was
    written, letter by letter.

    The rules are those of RFC 5452 9.1; the question may be missing only under an rcode that says that
    the query could not be read. A client subnet other than the one sent says that this is an answer to
    somebody else (RFC 7871 7.3); one that was not sent for is not looked at.
    """
    if octets[:2] != query.id.to_bytes(2, "big"):  # cheap to see, and a flood of guesses fails here
        return None, False
    try:
        reply = dns.message.from_wire(octets, ignore_trailing=True, raise_on_truncation=False)
    except (dns.exception.DNSException, ValueError):
        return None, False
    if not reply.flags & dns.flags.QR or reply.opcode() != query.opcode() or not _subnet_echoed(reply, query):
        return None, False
    if not reply.question:
        return (reply, True) if reply.rcode() in _WITHOUT_QUESTION else (None, False)
    (asked,), echoed = query.question, reply.question[0]
    if len(reply.question) > 1 or (echoed.name, echoed.rdtype, echoed.rdclass) != (
        asked.name,
        asked.rdtype,
        asked.rdclass,
    ):
        return None, False
    return reply, echoed.name.labels == asked.name.labels


def _subnet_echoed(reply: dns.message.Message, query: dns.message.Message) -> bool:
    """Whether every client subnet in `reply` is the one in `query`, whatever its scope."""
    asked = [_subnet(option) for option in query.options if isinstance(option, dns.edns.ECSOption)]
    told = [_subnet(option) for option in reply.options if isinstance(option, dns.edns.ECSOption)]
    return not asked or all(each == asked[0] for each in told)


def _subnet(option: dns.edns.ECSOption) -> tuple[int, int, bytes]:
    return option.family, option.srclen, option.addrdata


def _called(server: ServerAddress) -> str:
    return f"name server {endpoint_text(*server)}"
