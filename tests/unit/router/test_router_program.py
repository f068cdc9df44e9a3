"""The router on sockets: DNS, redirects and administration tell of one and the same decision."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from ipaddress import ip_address, ip_network
from random import Random
from typing import Any

import dns.rcode
import pytest
from tests.exposition import samples
from tests.zones import first_router

from nearcast.lab.config import Internet
from nearcast.lab.zones import lab_zones
from nearcast.model.config import Health
from nearcast.router.program import Router, start_authority, start_router
from nearcast.selection.conditions import Condition, Conditions
from nearcast.serve.dns_client import DnsClient
from nearcast.serve.http_client import HttpClient
from nearcast.serve.loop import run
from nearcast.wire.http.message import Fields

IOWA = ip_network("203.0.113.0/24")


class Scene:
    """A running router whose content servers are not there, and who asks it. Its probes are rare and
    forgiving, so that a test says itself how the servers are."""

    def __init__(self, internet: Internet) -> None:
        patient = Health(probe_seconds=60, failures_until_down=20)
        self.lab = internet.lab
        self.config = internet.config.model_copy(update={"health": patient})
        self.address = str(self.config.routers[0].addresses[0])
        self.names = DnsClient(rng=Random(1))
        self.web = HttpClient()
        self.router: Router

    async def addresses(self, name: str = "movie.cdn.test", **wanted: Any) -> list[str]:
        server = self.address, self.lab.dns_port
        reply = await self.names.ask(server, name, "A", client_subnet=IOWA, **wanted)
        return (
            [dns.rcode.to_text(reply.rcode())]
            if reply.rcode()
            else [each.address for each in reply.answer[0]]
        )

    async def get(
        self, port: int, target: str, host: str = "", method: str = "GET"
    ) -> tuple[int, Fields, bytes]:
        address = self.address, port
        async with self.web.request(method, address, target, {"host": host or "router"}) as incoming:
            return incoming.head.status, incoming.head.fields, await incoming.read(1_000_000)

    async def page(self, target: str) -> Any:
        status, _, body = await self.get(self.lab.admin_port, target)
        assert status == 200, body
        return json.loads(body)

    def learn(self, **servers: Condition) -> None:
        self.router._learnt(Conditions(self.router.selector.conditions.number + 1, servers))


@pytest.fixture
def play(example: Callable[[str], Internet]) -> Callable[[Callable[[Scene], Awaitable[None]]], None]:
    def playing(script: Callable[[Scene], Awaitable[None]]) -> None:
        async def main() -> None:
            scene = Scene(example("demo"))
            scene.router = await start_router(first_router(scene.config), clock=lambda: 1000.0)
            try:
                await script(scene)
            finally:
                await scene.web.close()
                await scene.router.drain(1)

        run(main())

    return playing


Play = Callable[[Callable[[Scene], Awaitable[None]]], None]


def test_dns_redirect_and_explain_say_the_same(play: Play) -> None:
    async def script(scene: Scene) -> None:
        ports = scene.lab
        for stream in (False, True):
            named = await scene.addresses(stream=stream)
            assert len(named) == 2
        explained = await scene.page("/explain?name=www.movie.test&client=203.0.113.7")
        assert [server["address"] for server in explained["servers"]] == named
        assert explained["client"] == "203.0.113.7" and explained["question"] == "www.movie.test"
        for host in ("www.movie.test", "movie.cdn.test", f"{ports.resolver}"):
            target = "/clock/manifest.mpd?client=203.0.113.7&t=1"
            status, fields, _ = await scene.get(ports.http_port, target, host)
            assert status == 302 and fields["cache-control"] == "no-store"
            assert fields["location"] == f"http://{named[0]}:{ports.http_port}/clock/manifest.mpd?t=1"
            assert fields["access-control-allow-origin"] == "*"
        assert (await scene.get(ports.http_port, "/", method="HEAD"))[0] == 302
        assert (await scene.get(ports.http_port, "/", method="OPTIONS"))[0] == 204
        assert (await scene.get(ports.http_port, "/", method="DELETE"))[0] == 405
        assert (await scene.get(ports.http_port, "/?client=nobody"))[0] == 400

    play(script)


def test_decisions_are_told_newest_first_and_explaining_is_not_deciding(play: Play) -> None:
    async def script(scene: Scene) -> None:
        await scene.addresses("movie.cdn.test")
        await scene.addresses("s01.movie.cdn.test")
        await scene.page("/explain?name=movie.cdn.test&client=198.51.100.9")
        first, second = await scene.page("/decisions")
        assert (first["question"], second["question"]) == ("s01.movie.cdn.test", "movie.cdn.test")
        assert first["client"] == "203.0.113.0/24" and first["at"] == 1000.0

    play(script)


def test_what_the_probes_learn_changes_every_answer_at_once(play: Play) -> None:
    async def script(scene: Scene) -> None:
        ports = scene.lab
        before = await scene.addresses()
        away = next(each.name for each in scene.config.content_servers if str(each.addresses[0]) == before[0])
        scene.learn(**{away: Condition(False, 0.0, "gone")})
        assert before[0] not in await scene.addresses()
        conditions = await scene.page("/conditions")
        assert conditions["servers"][away] == {"healthy": False, "load": 0.0, "why": "gone"}
        assert conditions["number"] == scene.router.selector.conditions.number
        scene.learn(**{each.name: Condition(False) for each in scene.config.content_servers})
        assert await scene.addresses() == ["SERVFAIL"]
        status, fields, _ = await scene.get(ports.http_port, "/clock/")
        assert status == 503 and int(fields["retry-after"]) > 0

    play(script)


def test_a_new_snapshot_is_served_from_the_next_query_on(play: Play) -> None:
    async def script(scene: Scene) -> None:
        scene.learn(ia1=Condition(False, 0.0, "gone"))
        one = scene.config.cdn.model_copy(update={"answer_addresses_max": 1})
        await scene.router.swap(first_router(scene.config.model_copy(update={"cdn": one}), 2))
        (address,) = await scene.addresses()
        assert address.endswith(".51.2")  # ia1 stays known to be gone
        health = await scene.page("/health")
        assert (health["name"], health["snapshot"]) == ("router", 2)

    play(script)


def test_a_snapshot_with_another_address_is_served_there(play: Play) -> None:
    async def script(scene: Scene) -> None:
        (router,) = scene.config.routers
        elsewhere = scene.address.rpartition(".")[0] + ".77"
        moved = router.model_copy(update={"addresses": (ip_address(elsewhere),)})
        await scene.router.swap(first_router(scene.config.model_copy(update={"routers": (moved,)}), 2))
        scene.address = elsewhere
        assert len(await scene.addresses()) == len(await scene.addresses(stream=True)) == 2
        assert (await scene.page("/health"))["snapshot"] == 2
        assert (await scene.get(scene.lab.http_port, "/clock/"))[0] == 302

    play(script)


def test_several_routers_are_all_named_with_glue_and_the_snapshots_number(play: Play) -> None:
    async def script(scene: Scene) -> None:
        (router,) = scene.config.routers
        second = router.model_copy(
            update={"name": "ns2", "addresses": (ip_address("192.0.2.53"), ip_address("2001:db8::53"))}
        )
        config = scene.config.model_copy(update={"routers": (router, second)})
        await scene.router.swap(first_router(config, 9))
        place = scene.address, scene.lab.dns_port
        reply = await scene.names.ask(place, "cdn.test", "NS")
        assert sorted(map(str, reply.answer[0])) == ["ns2.cdn.test.", "router.cdn.test."]
        for rdtype, address in (("A", "192.0.2.53"), ("AAAA", "2001:db8::53")):
            glue = await scene.names.ask(place, "ns2.cdn.test", rdtype)
            assert [each.address for each in glue.answer[0]] == [address]
        assert (await scene.names.ask(place, "cdn.test", "SOA")).answer[0][0].serial == 9

    play(script)


def test_metrics_count_queries_and_probes(play: Play) -> None:
    async def script(scene: Scene) -> None:
        await scene.addresses()
        await scene.addresses("nope.cdn.test")
        await scene.addresses(stream=True)
        _, _, body = await scene.get(scene.lab.admin_port, "/metrics")
        found = samples(body.decode())
        for sample, value in {
            'nearcast_router_queries_total{rcode="NOERROR",transport="udp"}': 1,
            'nearcast_router_queries_total{rcode="NXDOMAIN",transport="udp"}': 1,
            'nearcast_router_queries_total{rcode="NOERROR",transport="tcp"}': 1,
            "nearcast_router_snapshot_number": 1,
            'nearcast_udp_received_total{listener="dns"}': 2,
            'nearcast_tcp_accepted_total{listener="dns"}': 1,
        }.items():
            assert found[sample] == value, sample

    play(script)


@pytest.mark.parametrize("target", ["/explain?name=x.test&client=1.2.3.4", "/explain", "/decision"])
def test_pages_that_are_not_there(play: Play, target: str) -> None:
    async def script(scene: Scene) -> None:
        status, _, body = await scene.get(scene.lab.admin_port, target)
        assert status == 404 and json.loads(body)["error"]

    play(script)


def test_a_port_that_is_taken_leaves_nothing_behind(example: Callable[[str], Internet]) -> None:
    async def main() -> None:
        internet = example("demo")
        address, port = str(internet.config.routers[0].addresses[0]), internet.lab.http_port
        taken = await asyncio.start_server(lambda reader, writer: None, address, port)
        with pytest.raises(OSError):
            await start_router(first_router(internet.config), clock=lambda: 0.0)
        taken.close()
        await taken.wait_closed()
        router = await start_router(first_router(internet.config), clock=lambda: 0.0)
        await router.drain(1)
        router.abort()

    run(main())


def test_a_name_server_of_static_zones(example: Callable[[str], Internet]) -> None:
    async def main() -> None:
        internet = example("demo")
        root, port = str(internet.lab.root), internet.lab.dns_port
        listener = await start_authority(lab_zones(internet)[root], root, port)
        for stream in (False, True):
            reply = await DnsClient(rng=Random(1)).ask((root, port), "www.movie.test", "A", stream=stream)
            assert str(reply.authority[0]) == "test. 3600 IN NS ns.test."
        await listener.drain(1)

    run(main())
