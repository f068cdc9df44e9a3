"""With unbound as the local resolver, viewers get the same servers as with ours."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from ipaddress import IPv4Network, ip_network
from random import Random

import dns.edns
import dns.message
import dns.rcode
import pytest

from nearcast.lab.config import Internet
from nearcast.router.program import Router
from nearcast.serve.dns_client import DnsClient
from nearcast.serve.loop import run

pytestmark = pytest.mark.peer("unbound")
Names = Callable[..., AbstractAsyncContextManager[Router]]
Unbound = Callable[[Internet], AbstractAsyncContextManager[None]]

IOWA, FRANKFURT = ip_network("203.0.113.0/24"), ip_network("198.51.100.0/24")


def test_the_same_servers_with_unbound_as_the_resolver(
    demo: Internet, names: Names, unbound: Unbound
) -> None:
    async def main() -> None:
        place = str(demo.lab.resolver), demo.lab.dns_port
        client = DnsClient(rng=Random(1), mixed_case=True)

        async def ask(subnet: IPv4Network, name: str = "www.movie.test") -> dns.message.Message:
            return await client.ask(place, name, "A", client_subnet=subnet)

        def addresses(reply: dns.message.Message) -> set[str]:
            return {rdata.address for rdata in reply.answer[-1]}

        async with names(demo, resolver=True):
            ours = {subnet: addresses(await ask(subnet)) for subnet in (IOWA, FRANKFURT)}
        async with names(demo, resolver=False) as router, unbound(demo):
            for subnet in (IOWA, FRANKFURT):
                reply = await ask(subnet)
                assert [str(each.name).lower() for each in reply.answer] == [
                    "www.movie.test.",
                    "movie.cdn.test.",
                ]
                assert addresses(reply) == ours[subnet]
            asked = router.counters.queries.total()
            again = await ask(IOWA)  # from unbound's cache, by our scope
            assert addresses(again) == ours[IOWA]
            assert router.counters.queries.total() == asked
            (option,) = [each for each in again.options if isinstance(each, dns.edns.ECSOption)]
            assert option.scopelen == 24
            assert (await ask(IOWA, "nope.movie.test")).rcode() == dns.rcode.NXDOMAIN
            assert (await ask(IOWA, "s32.movie.cdn.test")).rcode() == dns.rcode.NXDOMAIN

    run(main())
