"""Tricks with names: questions that nobody has asked before, put to the viewers' own resolver."""

from __future__ import annotations

import asyncio

import dns.edns
import dns.message
import dns.rdatatype

from nearcast.simulate.play.enemies.prey import Hand

QUESTIONS = 8
WAIT_SECONDS = 3.0


async def questions(hand: Hand) -> None:
    """Random names below the sites, and the sites themselves for clients from anywhere."""
    prey, dice = hand.prey, hand.dice
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=(prey.resolver, prey.dns_port)
    )
    try:
        for _ in range(QUESTIONS):
            site = hand.site()
            zone = site.partition(".")[2]
            name = dice.choice([f"{dice.getrandbits(40):x}.{zone}", f"{dice.getrandbits(40):x}.{site}", site])
            client = f"{dice.randrange(1, 224)}.{dice.randrange(256)}.{dice.randrange(256)}.0"
            subnet = dns.edns.ECSOption(client, 24)
            query = dns.message.make_query(name, dns.rdatatype.A, use_edns=0, options=[subnet])
            query.id = dice.getrandbits(16)  # not of the library's own dice
            transport.sendto(query.to_wire())
            await asyncio.sleep(WAIT_SECONDS / QUESTIONS)
        await asyncio.sleep(WAIT_SECONDS)
    finally:
        transport.close()
