"""The same server and client in virtual time: what takes seconds of waiting takes none, under a seed."""

from __future__ import annotations

import asyncio

import pytest

from nearcast.simulate.world.world import World
from nearcast.uppercase.client import AskPolicy, TcpAsker, UdpAsker, Unanswered
from nearcast.uppercase.server import start_uppercase

ADDRESS = "192.0.2.1"


def world_with(loss: float) -> World:
    world = World(7)
    server, viewer = world.host("server", [ADDRESS]), world.host("viewer", ["198.51.100.9"])
    world.link(server, viewer, latency_seconds=0.02, loss=loss)
    return world


def play(world: World, main, patience: AskPolicy) -> object:
    """Start the server on its host and run `main(loop time, udp, tcp)` on the viewer's."""

    async def serve(host: object) -> None:
        await start_uppercase(ADDRESS, 12000)
        await asyncio.Event().wait()

    async def run() -> object:
        clock = asyncio.get_running_loop().time
        world.hosts["server"].start(serve)
        await asyncio.sleep(0.1)
        place = ADDRESS, 12000
        return await world.hosts["viewer"].start(
            lambda host: main(clock, UdpAsker(place, patience, clock), TcpAsker(place, patience, clock))
        )

    return world.run(run())


def test_a_reply_takes_one_round_trip() -> None:
    async def main(clock, udp: UdpAsker, tcp: TcpAsker):
        return (await udp.ask(b"hello")), (await tcp.ask(b"hello"))

    by_datagram, by_stream = play(world_with(loss=0), main, AskPolicy())
    assert by_datagram.octets == by_stream.octets == b"HELLO"
    assert by_datagram.seconds == pytest.approx(0.04, abs=0.001)


def test_datagrams_that_a_network_loses_are_asked_again() -> None:
    async def main(clock, udp: UdpAsker, tcp: TcpAsker):
        return [await udp.ask(b"hello") for _ in range(100)]

    replies = play(world_with(loss=0.2), main, AskPolicy(tries=10))
    assert all(reply.octets == b"HELLO" for reply in replies)
    assert max(reply.tries for reply in replies) > 1


def test_a_network_that_loses_everything_is_given_up_after_the_stated_time() -> None:
    async def main(clock, udp: UdpAsker, tcp: TcpAsker):
        begun = clock()
        with pytest.raises(Unanswered):
            await udp.ask(b"hello")
        return clock() - begun

    assert play(world_with(loss=1.0), main, AskPolicy(seconds=1, tries=3)) == pytest.approx(3)


def test_quiet_answers_a_text_without_newline_after_its_time() -> None:
    async def main(clock, udp: UdpAsker, tcp: TcpAsker):
        reader, writer = await asyncio.open_connection(ADDRESS, 12000)
        begun = clock()
        writer.write(b"hello")
        return await reader.read(1024), clock() - begun

    octets, seconds = play(world_with(loss=0), main, AskPolicy())
    assert octets == b"HELLO"
    assert seconds == pytest.approx(0.25 + 0.04, abs=0.01)


def test_an_idle_connection_is_closed_after_thirty_seconds() -> None:
    async def main(clock, udp: UdpAsker, tcp: TcpAsker):
        reader, _ = await asyncio.open_connection(ADDRESS, 12000)
        begun = clock()
        return await reader.read(), clock() - begun

    octets, seconds = play(world_with(loss=0), main, AskPolicy())
    assert octets == b""
    assert seconds == pytest.approx(30, abs=0.1)
