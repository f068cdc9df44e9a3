"""A lying name server: it knows the truth of its zones, and says it only now and then."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import dns.exception
import dns.message

from nearcast.lab.config import Internet
from nearcast.lab.zones import lab_zones
from nearcast.router.authority import Authority
from nearcast.simulate.play.enemies.lies import LIES, Question
from nearcast.simulate.play.enemies.lure import LURE_ADDRESS
from nearcast.simulate.play.script import Enemy
from nearcast.simulate.world.host import Host

HONEST_SECONDS = 0.001  # the honest reply comes this much later than the lie


class LyingNameServer:
    """Satisfies `Program` when called: serves the zones that `internet` has on `address`, with lies."""

    def __init__(self, enemy: Enemy, internet: Internet, address: str) -> None:
        config = internet.config
        self._enemy = enemy
        self._where = address, internet.lab.dns_port
        self._authority = Authority(lab_zones(internet)[address])
        self._ways: Sequence[str] = enemy.tricks or tuple(LIES)
        own = tuple(each.zone for each in internet.lab.providers if str(each.address) == address)
        strangers = [host for each in config.distributions for host in each.hosts if not host.endswith(own)]
        strangers += [f"{each.name}.{config.cdn.zone}" for each in config.distributions]
        self._others = strangers
        self._zones = [".", config.cdn.zone, config.cdn.zone.rpartition(".")[2]]

    async def __call__(self, host: Host) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: _Datagrams(self, host.random), local_addr=self._where)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while True:
                    length = int.from_bytes(await reader.readexactly(2), "big")
                    query = await reader.readexactly(length)
                    for reply in self.replies(
                        query, writer.get_extra_info("peername"), host.random, stream=True
                    ):
                        writer.write(len(reply).to_bytes(2, "big") + reply)
            except (OSError, EOFError):
                pass
            finally:
                writer.close()

        async with await asyncio.start_server(serve, *self._where):
            await loop.create_future()  # its incarnation ends with the host's

    def replies(self, octets: bytes, peer: Any, dice: random.Random, *, stream: bool) -> list[bytes]:
        """What to say to a query, in this order."""
        honest = self._authority.answer(octets, peer, stream)
        now = asyncio.get_running_loop().time()
        rages = self._enemy.from_seconds <= now < self._enemy.until_seconds
        if honest is None or not rages or dice.random() < self._enemy.honest:
            return [] if honest is None else [honest]
        try:
            query = dns.message.from_wire(octets)
        except dns.exception.DNSException:
            return [honest]
        asked = Question(query, honest, LURE_ADDRESS, self._others, self._zones, dice, stream)
        return LIES[dice.choice(self._ways)](asked)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: LyingNameServer, dice: random.Random) -> None:
        self._server = server
        self._dice = dice

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        loop = asyncio.get_running_loop()
        for number, reply in enumerate(self._server.replies(data, addr, self._dice, stream=False)):
            loop.call_later(number * HONEST_SECONDS, self._transport.sendto, reply, addr)
