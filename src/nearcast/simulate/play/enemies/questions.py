"""Tricks with names: questions that nobody has asked before, put to the viewers' own resolver."""

from __future__ import annotations

import asyncio
from typing import Any

import dns.edns
import dns.exception
import dns.message
import dns.rdatatype

from nearcast.simulate.play.enemies.prey import Hand

QUESTIONS = 8
WAIT_SECONDS = 3.0


async def questions(hand: Hand) -> None:
    """Random names below the sites, and the sites themselves for clients from anywhere.

    What the resolver says is looked at: an answer with the lure in it is told.
    """
    prey, dice = hand.prey, hand.dice
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Replies(hand), remote_addr=(prey.resolver, prey.dns_port)
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


class _Replies(asyncio.DatagramProtocol):
    def __init__(self, hand: Hand) -> None:
        self._hand = hand

    def datagram_received(self, data: bytes, addr: Any) -> None:
        prey = self._hand.prey
        try:
            reply = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return
        for rrset in reply.answer:
            if rrset.rdtype == dns.rdatatype.A and any(each.address == prey.lure for each in rrset):
                prey.lured(rrset.name.to_text())
