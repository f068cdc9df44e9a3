"""Steps one to four with dig, against the whole running internet: each question as a person would type it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from typing import NamedTuple

import pytest
from tests.programs import printed
from tests.stages import RealStage

pytestmark = pytest.mark.peer("dig")

IOWA, FRANKFURT = "203.0.113.0/24", "198.51.100.0/24"
NAME, CDN_NAME = "www.movie.test", "movie.cdn.test"


class Reply(NamedTuple):
    """What dig printed, taken apart: records as `name type value`."""

    status: str
    flags: frozenset[str]
    answer: tuple[str, ...]
    authority: tuple[str, ...]
    additional: tuple[str, ...]
    ttls: tuple[int, ...]
    """Of the answer's records, in seconds."""
    subnet: str
    """`203.0.113.0/24/24`: the client's subnet and the scope of the answer; "" when there is none."""

    @property
    def addresses(self) -> set[str]:
        return {each.rpartition(" ")[2] for each in self.answer if " A " in each}


def read(text: str) -> Reply:
    """Read dig's own way of printing a message."""
    assert "warning" not in text.lower(), text

    def section(name: str) -> list[list[str]]:
        found = re.search(rf";; {name} SECTION:\n(.*?)\n\n", text, re.DOTALL)
        return [line.split() for line in found[1].splitlines()] if found else []

    def records(name: str) -> tuple[str, ...]:
        return tuple(f"{owner} {kind} {' '.join(rest)}" for owner, _, _, kind, *rest in section(name))

    header, flags = re.search(r"status: (\w+)", text), re.search(r";; flags: ([\w ]*);", text)
    assert header and flags, text
    subnet = re.search(r"CLIENT-SUBNET: (\S+)", text)
    return Reply(
        header[1],
        frozenset(flags[1].split()),
        records("ANSWER"),
        records("AUTHORITY"),
        records("ADDITIONAL"),
        tuple(int(ttl) for _, ttl, *_ in section("ANSWER")),
        subnet[1] if subnet else "",
    )


@pytest.fixture(params=["+notcp", "+tcp"], ids=["udp", "tcp"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def dig(stage: RealStage, server: object, *arguments: str) -> Reply:
    where = f"@{server}", "-p", stage.internet.lab.dns_port, "+time=5", "+tries=1"
    return read(await printed("dig", *where, *arguments))


def pops(stage: RealStage, reply: Reply) -> set[str]:
    """The PoPs that an answer's addresses belong to."""
    by_address = {server.address: server.pop for server in stage.fleet.servers.values()}
    return {by_address[address] for address in reply.addresses}


def test_1_the_resolver_answers_with_the_alias_and_near_servers(packaged: RealStage, transport: str) -> None:
    resolver = packaged.internet.lab.resolver

    async def story() -> None:
        for subnet, pop in ((IOWA, "ia"), (FRANKFURT, "fra")):
            reply = await dig(packaged, resolver, transport, f"+subnet={subnet}", NAME)
            assert reply.status == "NOERROR" and {"qr", "rd", "ra"} <= reply.flags and "aa" not in reply.flags
            assert reply.answer[0] == f"{NAME}. CNAME {CDN_NAME}."
            assert pops(packaged, reply) == {pop} and len(reply.addresses) == 2
            assert reply.subnet == f"{subnet}/24", "the answer is for this network only, and says so"
        absent = await dig(packaged, resolver, transport, "absent.movie.test")
        assert absent.status == "NXDOMAIN" and absent.authority[0].startswith("movie.test. SOA")

    packaged.play(story)


def test_2_the_walk_from_the_root_ends_in_the_handover(packaged: RealStage, transport: str) -> None:
    """Each referral is followed to the address that its own glue names, as a resolver would."""
    internet = packaged.internet.lab

    def ask(server: str) -> Awaitable[Reply]:
        return dig(packaged, server, transport, "+norec", NAME)

    async def story() -> None:
        server = str(internet.root)
        for zone in ("test.", "movie.test."):
            referral = await ask(server)
            assert referral.status == "NOERROR" and referral.answer == ()
            assert not referral.flags & {"aa", "ra"}
            (delegation,) = referral.authority
            owner, kind, name_server = delegation.split()
            assert (owner, kind) == (zone, "NS")
            (server,) = [
                each.split()[2] for each in referral.additional if each.startswith(f"{name_server} A ")
            ]
        assert server == str(internet.providers[0].address)
        handover = await ask(server)
        assert "aa" in handover.flags
        assert handover.answer == (f"{NAME}. CNAME {CDN_NAME}.",), "the provider gives no address itself"
        apex = await dig(packaged, server, transport, "+norec", "movie.test")
        assert apex.addresses == {str(internet.providers[0].address)}, "at the apex it answers itself"

    packaged.play(story)


def test_3_the_router_chooses_by_the_clients_network(packaged: RealStage, transport: str) -> None:
    router = packaged.internet.config.routers[0].addresses[0]

    async def story() -> None:
        chosen = {}
        for subnet, pop in ((IOWA, "ia"), (FRANKFURT, "fra"), ("192.0.2.0/24", "ord")):
            reply = await dig(packaged, router, transport, "+norec", f"+subnet={subnet}", CDN_NAME)
            assert "aa" in reply.flags and reply.status == "NOERROR"
            assert pops(packaged, reply) == {pop} and len(reply.addresses) == 2
            assert set(reply.ttls) == {packaged.internet.config.cdn.answer_ttl_seconds}
            assert reply.subnet == f"{subnet}/24"
            chosen[pop] = reply.answer
        again = await dig(packaged, router, transport, "+norec", f"+subnet={IOWA}", CDN_NAME)
        assert again.answer == chosen["ia"], "the same question has the same answer, in the same order"
        narrow = await dig(packaged, router, transport, "+norec", "+subnet=203.0.113.77/32", CDN_NAME)
        assert narrow.answer == chosen["ia"]
        foreign = await dig(packaged, router, transport, "+norec", NAME)
        assert foreign.status == "REFUSED", "the CDN has no authority over its customer's zone"

    packaged.play(story)


def test_4_the_answer_is_kept_for_this_network_and_its_ttl_counts_down(
    packaged: RealStage, transport: str
) -> None:
    resolver = packaged.internet.lab.resolver

    async def decided() -> int:
        return len(await packaged.audience.admin(packaged.audience.router_admin, "/decisions"))

    async def story() -> None:
        first = await dig(packaged, resolver, transport, f"+subnet={IOWA}", NAME)
        asked = await decided()
        again = await dig(packaged, resolver, transport, f"+subnet={IOWA}", NAME)
        assert await decided() == asked, "from memory, without the router"
        assert again.addresses == first.addresses
        async with asyncio.timeout(10):
            while again.ttls >= first.ttls:  # whole seconds, so within one of them
                await asyncio.sleep(0.1)
                again = await dig(packaged, resolver, transport, f"+subnet={IOWA}", NAME)
        await dig(packaged, resolver, transport, f"+subnet={FRANKFURT}", NAME)
        assert await decided() == asked + 1, "another network is another question"

    packaged.play(story)
