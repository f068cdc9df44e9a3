"""Those who only ask the resolver for names: DNS questions of a dozen lines, and nothing of the programs
under test."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import dns.edns
import dns.message

from nearcast.simulate.play.intent import Intent, Network
from nearcast.simulate.world.host import Host

ANSWER_SECONDS_MAX = 3.0
WRONG = 0.15  # how often somebody asks for a name or a type that is not there
SUBNET_BITS = {4: 24, 6: 56}


class _Mouth(asyncio.DatagramProtocol):
    def __init__(self, question: bytes) -> None:
        self._question = question
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        transport.sendto(self._question)

    def datagram_received(self, octets: bytes, peer: object) -> None:
        if octets[:2] == self._question[:2] and not self.answered.done():
            self.answered.set_result(None)

    def error_received(self, exc: Exception) -> None:
        """The resolver is away: nobody will answer."""


async def ask(host: Host, intent: Intent, name: str, rdtype: str, client: Network | None) -> None:
    """Ask the resolver once; the answer is for those who listen on the wire."""
    message = dns.message.make_query(name, rdtype, use_edns=0, want_dnssec=False)
    message.id = host.random.randrange(1 << 16)
    if client is not None:
        message.use_edns(0, options=[dns.edns.ECSOption(str(client.network_address), client.prefixlen)])
    loop = asyncio.get_running_loop()
    transport, mouth = await loop.create_datagram_endpoint(
        lambda: _Mouth(message.to_wire()),
        local_addr=(host.addresses[0], 0),
        remote_addr=(intent.resolver, intent.dns_port),
    )
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            await mouth.answered
    except TimeoutError:
        pass
    finally:
        transport.close()


async def ask_on(host: Host, intent: Intent, clients: Sequence[Network], every_seconds: float) -> None:
    """Ask for whatever comes to mind, for as long as the host lives."""
    dice = host.random
    while True:
        await asyncio.sleep(dice.expovariate(1 / every_seconds))
        name, rdtype = dice.choice(intent.names), "A"
        if dice.random() < WRONG:
            name, rdtype = dice.choice(
                ((f"nobody{dice.randrange(4)}.{name}", "A"), (name, "AAAA"), (name, "TXT"))
            )
        await ask(host, intent, name, rdtype, a_client_of(dice, clients))


async def ask_all(host: Host, intent: Intent, clients: Sequence[Network]) -> None:
    """Ask for every selected name, for every network and for nobody in particular, once."""
    for name in intent.names:
        await ask(host, intent, name, "A", None)
        for network in clients:
            await ask(host, intent, name, "A", _told(network))


def a_client_of(dice: random.Random, clients: Sequence[Network]) -> Network | None:
    """A client network such as resolvers tell: somewhere in one of `clients`, seldom none."""
    if not clients or dice.random() < 0.1:
        return None
    network = dice.choice(clients)
    bits = SUBNET_BITS[network.version]
    if network.prefixlen >= bits:
        return _told(network)
    inside = int(network.network_address) + (
        dice.getrandbits(bits - network.prefixlen) << (network.max_prefixlen - bits)
    )
    return type(network)((inside, bits))


def _told(network: Network) -> Network:
    bits = SUBNET_BITS[network.version]
    return type(network)((int(network.network_address), max(network.prefixlen, bits))).supernet(
        new_prefix=bits
    )
