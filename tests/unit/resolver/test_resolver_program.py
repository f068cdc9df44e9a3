"""The local resolver on sockets, in front of real name servers and a real router."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import IPv4Network, ip_network
from random import Random
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest
from tests.exposition import samples
from tests.zones import first_router

from nearcast.lab.config import Internet
from nearcast.lab.roles import resolver_settings
from nearcast.lab.zones import lab_zones
from nearcast.model.config import Health
from nearcast.resolver.program import FAILURE_SECONDS, Resolver, serves, start_resolver
from nearcast.router.program import Router, start_authority, start_router
from nearcast.serve.dns_client import DnsClient
from nearcast.serve.dns_server import DnsListener
from nearcast.serve.http_client import HttpClient
from nearcast.serve.loop import run

IOWA, FRANKFURT = ip_network("203.0.113.0/24"), ip_network("198.51.100.0/24")


class Scene:
    """The DNS of a small internet: root, top-level domain, provider, router, resolver."""

    def __init__(self, internet: Internet) -> None:
        patient = Health(probe_seconds=60, failures_until_down=20)
        self.lab = internet.lab
        self.internet = replace(internet, config=internet.config.model_copy(update={"health": patient}))
        self.client = DnsClient(rng=Random(1))
        self.authorities: dict[str, DnsListener] = {}
        self.router: Router
        self.resolver: Resolver

    async def start(self) -> None:
        port = self.lab.dns_port
        for address, zones in lab_zones(self.internet).items():
            self.authorities[address] = await start_authority(zones, address, port)
        self.router = await start_router(first_router(self.internet.config), clock=lambda: 1000.0)
        self.resolver = await start_resolver(resolver_settings(self.lab), clock=lambda: 1000.0, rng=Random(2))

    async def end(self) -> None:
        for listener in (*self.authorities.values(), self.router, self.resolver):
            await listener.drain(1)

    @property
    def place(self) -> tuple[str, int]:
        return str(self.lab.resolver), self.lab.dns_port

    async def ask(
        self, name: str, rdtype: str = "A", subnet: IPv4Network | None = None, **wanted: Any
    ) -> dns.message.Message:
        client = wanted.pop("client", self.client)
        return await client.ask(self.place, name, rdtype, client_subnet=subnet, **wanted)  # type: ignore[no-any-return]

    async def trace(self, target: str) -> Any:
        address = str(self.lab.resolver), self.lab.admin_port
        web = HttpClient()
        async with web.request("GET", address, target, {"host": "resolver"}) as incoming:
            octets = await incoming.read(1_000_000)
            page = octets.decode() if target == "/metrics" else json.loads(octets)
        await web.close()
        return page


Play = Callable[[Callable[[Scene], Awaitable[None]]], None]


@pytest.fixture
def play(example: Callable[[str], Internet]) -> Play:
    def playing(script: Callable[[Scene], Awaitable[None]]) -> None:
        async def main() -> None:
            scene = Scene(example("demo"))
            await scene.start()
            try:
                await script(scene)
            finally:
                await scene.end()

        run(main())

    return playing


def pop(reply: dns.message.Message) -> str:
    """The third number of the addresses: 51 is Iowa's PoP, 53 Frankfurt's."""
    (number,) = {rdata.address.split(".")[2] for rdata in reply.answer[-1]}
    return str(number)


def test_two_viewers_two_pops_and_the_scope_says_so(play: Play) -> None:
    async def script(scene: Scene) -> None:
        for stream in (False, True):
            iowa = await scene.ask("WWW.movie.test", subnet=IOWA, stream=stream)
            assert [str(each.name) for each in iowa.answer] == ["WWW.movie.test.", "movie.cdn.test."]
            assert iowa.flags & dns.flags.RA and not iowa.flags & dns.flags.AA
            assert iowa.options == (dns.edns.ECSOption("203.0.113.0", 24, 24),)
            assert pop(iowa) == "51"
            assert pop(await scene.ask("www.movie.test", subnet=FRANKFURT, stream=stream)) == "53"

    play(script)


def test_a_viewers_address_stands_for_where_the_viewer_is(play: Play) -> None:
    async def script(scene: Scene) -> None:
        for viewer, number in zip(scene.lab.viewers, ("51", "53"), strict=True):
            client = DnsClient(str(viewer.address), rng=Random(1))
            reply = await scene.ask("www.movie.test", client=client)
            assert pop(reply) == number and not reply.options
            unlocated = await scene.ask("www.movie.test", subnet=ip_network("0.0.0.0/0"), client=client)
            assert unlocated.options == (dns.edns.ECSOption("0.0.0.0", 0, 0),)
        page = await scene.trace("/trace?name=www.movie.test&last=9")
        assert [each["client_subnet"] for each in page] == [None, str(FRANKFURT), None, str(IOWA)]

    play(script)


def test_a_client_is_told_about_no_more_precisely_than_needed(play: Play) -> None:
    async def script(scene: Scene) -> None:
        reply = await scene.ask("www.movie.test", subnet=ip_network("203.0.113.7/32"))
        assert reply.options == (dns.edns.ECSOption("203.0.113.7", 32, 24),)
        assert scene.router.decisions[-1].client[2] == b"\xcb\x00\x71"

    play(script)


def test_denials_come_with_their_soa(play: Play) -> None:
    async def script(scene: Scene) -> None:
        for _ in range(2):
            reply = await scene.ask("nope.movie.test")
            assert reply.rcode() == dns.rcode.NXDOMAIN
            assert str(reply.authority[0]).startswith("movie.test. 30 IN SOA")
        nodata = await scene.ask("www.movie.test", "AAAA")
        assert nodata.rcode() == dns.rcode.NOERROR and len(nodata.answer) == 1 and nodata.authority

    play(script)


def test_the_trace_tells_the_five_steps_names_first(play: Play) -> None:
    async def script(scene: Scene) -> None:
        internet = scene.lab
        await scene.ask("www.movie.test", subnet=IOWA)
        await scene.ask("www.movie.test", subnet=IOWA)
        second, first = await scene.trace("/trace?name=www.movie.test&last=5")
        assert [(step["zone"], step["server"], step["answer"].split()[0]) for step in first["steps"]] == [
            (".", str(internet.root), "ask"),
            ("test", str(internet.top), "ask"),
            ("movie.test", str(internet.providers[0].address), "CNAME"),
            ("test", str(internet.top), "ask"),
            ("cdn.test", str(scene.internet.config.routers[0].addresses[0]), "A"),
        ]
        assert first["steps"][-1]["client_subnet"] == "203.0.113.0/24"
        assert (first["cached"], second["cached"]) == (False, True)
        assert (first["type"], first["rcode"], first["scope"], first["at"]) == ("A", "NOERROR", 24, 1000.0)
        assert [step["server"] for step in second["steps"]] == ["cache", "cache"]
        assert len(await scene.trace("/trace")) == 1
        assert await scene.trace("/trace?name=unasked.test") == []
        assert (await scene.trace("/trace?last=x"))["error"]
        assert (await scene.trace("/health"))["name"] == "resolver"

    play(script)


def test_metrics_tell_what_is_kept_and_what_came_in(play: Play) -> None:
    async def script(scene: Scene) -> None:
        await scene.ask("www.movie.test", subnet=IOWA)
        found = samples(await scene.trace("/metrics"))
        assert found["nearcast_resolver_kept"] > 0
        assert found["nearcast_resolver_under_way"] == 0
        assert found['nearcast_udp_received_total{listener="dns"}'] == 1
        assert found['nearcast_udp_dropped_total{listener="dns"}'] == 0

    play(script)


def test_questions_that_are_the_same_share_one_recursion(play: Play) -> None:
    async def script(scene: Scene) -> None:
        replies = await asyncio.gather(*(scene.ask("www.movie.test", subnet=IOWA) for _ in range(20)))
        assert {pop(reply) for reply in replies} == {"51"}
        assert scene.router.counters.queries.total() == 1

    play(script)


def test_a_name_server_that_is_away_is_a_failure_that_is_soon_forgotten(play: Play) -> None:
    async def script(scene: Scene) -> None:
        address = str(scene.lab.providers[0].address)
        await scene.authorities[address].drain(0)
        for _ in range(2):
            reply = await scene.ask("www.movie.test", subnet=IOWA)
            assert reply.rcode() == dns.rcode.SERVFAIL
            (text,) = [each.text for each in reply.options if isinstance(each, dns.edns.EDEOption)]
            assert text is not None and text.startswith("no name server of movie.test helped")
        newest, older = await scene.trace("/trace?name=www.movie.test&last=2")
        assert older["steps"] and not newest["steps"]  # the second was answered from memory
        zones = lab_zones(scene.internet)[address]
        scene.authorities[address] = await start_authority(zones, address, scene.lab.dns_port)
        await asyncio.sleep(FAILURE_SECONDS)
        assert pop(await scene.ask("www.movie.test", subnet=IOWA)) == "51"

    play(script)


def test_what_a_resolver_does_not_do(play: Play) -> None:
    async def script(scene: Scene) -> None:
        assert (await scene.ask("www.movie.test", recursion=False)).rcode() == dns.rcode.REFUSED
        assert (await scene.ask("movie.test", "AXFR")).rcode() == dns.rcode.NOTIMP
        answer = scene.resolver.answer
        query = dns.message.make_query("www.movie.test", "A").to_wire()
        refused = answer(query, ("8.8.8.8", 53), False)
        assert isinstance(refused, bytes) and refused[3] & 15 == dns.rcode.REFUSED
        broken = answer(query[:-1], ("127.0.0.1", 53), False)
        assert isinstance(broken, bytes) and broken[3] & 15 == dns.rcode.FORMERR
        assert answer(b"noise", ("127.0.0.1", 53), False) is None

    play(script)


@pytest.mark.parametrize(
    ("client", "served"),
    [("127.0.0.1", True), ("::1", True), ("10.1.2.3", True), ("203.0.113.7", True), ("8.8.8.8", False)],
)
def test_whom_a_resolver_serves(client: str, served: bool) -> None:
    assert serves(client) == served
