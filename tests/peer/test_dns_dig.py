"""dig and kdig as our peers: they read every answer, over both transports, without a warning."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from nearcast.lab.config import Internet
from nearcast.router.program import Router
from nearcast.serve.loop import run

Names = Callable[..., AbstractAsyncContextManager[Router]]
pytestmark = pytest.mark.peer("dig")


async def say(*command: str) -> str:
    """What a command prints; its exit status must be 0 and it must not warn."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    text = out.decode()
    assert process.returncode == 0, text
    assert "warning" not in text.lower(), text
    return text


def playing(demo: Internet, names: Names, script: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with names(demo):
            await script()

    run(main())


def dig(internet: Internet, server: object, *arguments: str) -> Awaitable[str]:
    return say("dig", f"@{server}", "-p", str(internet.lab.dns_port), "+time=5", *arguments)


def pops(text: str) -> set[str]:
    """The third number of each address: 51 Iowa, 52 Chicago, 53 Frankfurt."""
    return {line.split(".")[2] for line in text.splitlines() if line.count(".") == 3 and line[0].isdigit()}


@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_the_resolver_serves_dig_by_subnet(demo: Internet, names: Names, transport: str) -> None:
    async def script() -> None:
        resolver = demo.lab.resolver
        for subnet, pop in (("203.0.113.0/24", "51"), ("198.51.100.0/24", "53"), ("203.0.113.7", "51")):
            short = await dig(demo, resolver, transport, f"+subnet={subnet}", "+short", "www.movie.test")
            assert short.splitlines()[0] == "movie.cdn.test."
            assert pops(short) == {pop}
        whole = await dig(demo, resolver, transport, "+subnet=203.0.113.0/24", "www.movie.test")
        assert "status: NOERROR" in whole and "CLIENT-SUBNET: 203.0.113.0/24/24" in whole
        assert " ra;" in whole.split(";; flags:")[1]

    playing(demo, names, script)


def test_the_walk_from_the_root_by_hand(demo: Internet, names: Names) -> None:
    async def script() -> None:
        internet = demo.lab
        provider = internet.providers[0].address
        for server, expected in (
            (internet.root, f"ns.test.\t\t3600\tIN\tA\t{internet.top}"),
            (internet.top, f"ns.movie.test.\t\t3600\tIN\tA\t{provider}"),
            (provider, "www.movie.test.\t\t300\tIN\tCNAME\tmovie.cdn.test."),
        ):
            text = await dig(demo, server, "+norec", "www.movie.test")
            assert expected in text
            assert ("flags: qr aa;" in text) == (server == provider)
        text = await dig(
            demo,
            demo.config.routers[0].addresses[0],
            "+norec",
            "+subnet=198.51.100.0/24",
            "s07.movie.cdn.test",
        )
        assert "flags: qr aa;" in text and "CLIENT-SUBNET: 198.51.100.0/24/24" in text

    playing(demo, names, script)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("nope.movie.test",), "status: NXDOMAIN"),
        (("www.movie.test", "AAAA"), "status: NOERROR"),
        (("movie.test", "ANY"), "status: NOERROR"),
        (("movie.test", "AXFR", "+tcp"), "Transfer failed"),
        (("example.org",), "status: REFUSED"),
        (("+noedns", "+bufsize=0", "movie.test"), "status: NOERROR"),
        (("+edns=1", "+noednsneg", "movie.test"), "status: BADVERS"),
        (("+bufsize=512", "movie.test", "SOA"), "status: NOERROR"),
        (("+dnssec", "movie.test", "SOA"), "flags: do;"),
        (("+noedns", "+opcode=NOTIFY", "movie.test", "SOA"), "status: NOTIMP"),
        (("+noedns", "+header-only"), "status: FORMERR"),
        (("+ednsopt=65001:cafe", "+cookie", "movie.test"), "status: NOERROR"),
        (("+subnet=0", "movie.test"), "CLIENT-SUBNET: 0.0.0.0/0/0"),
        (("+subnet=2001:db8:f4::/48", "movie.test"), "CLIENT-SUBNET: 2001:db8:f4::/48/0"),
    ],
)
def test_the_providers_name_server_answers_whatever_dig_can_ask(
    demo: Internet, names: Names, arguments: tuple[str, ...], expected: str
) -> None:
    async def script() -> None:
        text = await dig(demo, demo.lab.providers[0].address, "+norec", *arguments)
        assert expected in text, text

    playing(demo, names, script)


@pytest.mark.peer("kdig")
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_kdig_reads_the_same(demo: Internet, names: Names, transport: str) -> None:
    async def script() -> None:
        place = f"@{demo.lab.resolver}", "-p", str(demo.lab.dns_port)
        text = await say("kdig", *place, transport, "+subnet=203.0.113.0/24", "www.movie.test", "A")
        assert "status: NOERROR" in text and "203.0.113.0/24/24" in text
        assert "movie.cdn.test." in text and ".51." in text

    playing(demo, names, script)


@pytest.mark.peer("kdig")
def test_kdig_keeps_a_connection_for_many_questions(demo: Internet, names: Names) -> None:
    async def script() -> None:
        questions = [part for number in range(8) for part in (f"s{number:02d}.movie.cdn.test", "A")]
        place = f"@{demo.config.routers[0].addresses[0]}", "-p", str(demo.lab.dns_port)
        text = await say("kdig", *place, "+tcp", "+keepopen", "+short", *questions)
        assert len(text.split()) == 16

    playing(demo, names, script)
