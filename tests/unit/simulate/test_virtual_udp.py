"""UDP between hosts: lost, late, twice, refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nearcast.simulate.world.host import Host
from nearcast.simulate.world.world import World

A, B = "192.0.2.1", "198.51.100.9"


class Ear(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.heard: list[tuple[float, bytes, Any]] = []
        self.errors: list[Exception] = []

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.heard.append((asyncio.get_running_loop().time(), data, addr))

    def error_received(self, exc: Exception) -> None:
        self.errors.append(exc)

    @property
    def octets(self) -> list[bytes]:
        return [data for _, data, _ in self.heard]


def world_of_two(seed: int = 1, **shape: Any) -> World:
    world = World(seed)
    world.host("server", [A, "192.0.2.2"])
    world.host("client", [B])
    world.link("server", "client", **{"latency_seconds": 0.1, **shape})
    return world


async def ears(world: World, server: str = A) -> tuple[Any, Ear, Any, Ear]:
    with world.hosts["server"]:
        far, listening = await world.loop.create_datagram_endpoint(Ear, local_addr=(server, 53))
    with world.hosts["client"]:
        near, ear = await world.loop.create_datagram_endpoint(Ear, remote_addr=(A, 53))
    return far, listening, near, ear


def exchange(world: World, count: int = 1) -> list[tuple[float, bytes, Any]]:
    async def main() -> Ear:
        _, listening, near, _ = await ears(world)
        for number in range(count):
            near.sendto(b"%d" % number)
        await asyncio.sleep(10)
        return listening

    listening = world.run(main())
    assert listening is not None
    return listening.heard


def test_a_datagram_takes_one_latency_and_carries_its_sender() -> None:
    assert exchange(world_of_two()) == [(0.1, b"0", (B, 32768))]


def test_loss_loses_about_its_share() -> None:
    assert 600 < len(exchange(world_of_two(loss=0.3), 1000)) < 800


def test_duplication_sends_about_its_share_twice() -> None:
    heard = [data for _, data, _ in exchange(world_of_two(duplication=0.3), 1000)]
    assert len(set(heard)) == 1000
    assert 1200 < len(heard) < 1400


def test_reordering_and_jitter_change_the_order_and_a_plain_link_does_not() -> None:
    sent = [b"%d" % number for number in range(100)]
    assert [data for _, data, _ in exchange(world_of_two(), 100)] == sent
    for shape in ({"reordering": 0.2}, {"jitter_seconds": 0.05}):
        heard = [data for _, data, _ in exchange(world_of_two(**shape), 100)]
        assert heard != sent
        assert sorted(heard) == sorted(sent)


def test_a_narrow_link_delays_and_then_drops() -> None:
    heard = exchange(world_of_two(bits_per_second=800), 100)  # 100 bytes a second, half a second waits
    assert heard[0][0] == pytest.approx(0.11)
    assert [data for _, data, _ in heard] == [b"%d" % number for number in range(len(heard))]
    assert 0.5 < heard[-1][0] - 0.1 < 0.55


def test_a_port_without_a_listener_refuses_only_connected_sockets() -> None:
    async def main() -> None:
        far, listening, near, ear = await ears(world)
        with world.hosts["client"]:
            free, free_ear = await world.loop.create_datagram_endpoint(Ear, local_addr=("0.0.0.0", 0))
        far.close()
        near.sendto(b"anyone?")
        free.sendto(b"anyone?", (A, 53))
        await asyncio.sleep(1)
        assert [type(each) for each in ear.errors] == [ConnectionRefusedError]
        assert free_ear.errors == listening.heard == []

    world = world_of_two()
    world.run(main())


def test_a_wildcard_answers_from_the_hosts_first_address_and_a_connected_client_hears_no_other() -> None:
    async def main() -> None:
        with world.hosts["server"]:
            far, listening = await world.loop.create_datagram_endpoint(Ear, local_addr=("0.0.0.0", 53))
        with world.hosts["client"]:
            near, ear = await world.loop.create_datagram_endpoint(Ear, remote_addr=("192.0.2.2", 53))
            free, free_ear = await world.loop.create_datagram_endpoint(Ear, local_addr=("0.0.0.0", 0))
        near.sendto(b"question")
        free.sendto(b"question", ("192.0.2.2", 53))
        await asyncio.sleep(1)
        for _, _, sender in listening.heard:
            far.sendto(b"answer", sender)
        await asyncio.sleep(1)
        assert ear.heard == []
        assert free_ear.heard == [(pytest.approx(1.1), b"answer", (A, 53))]

    world = world_of_two()
    world.run(main())


def test_bad_uses_say_so() -> None:
    async def main() -> None:
        far, _, near, ear = await ears(world)
        near.sendto(bytes(70_000))
        assert ear.errors[0].errno == 90  # type: ignore[attr-defined]
        with pytest.raises(ValueError, match="Invalid address"):
            near.sendto(b"x", ("192.0.2.2", 53))
        with pytest.raises(TypeError):
            near.sendto("text")
        with world.hosts["server"], pytest.raises(OSError, match="in use"):
            await world.loop.create_datagram_endpoint(Ear, local_addr=("0.0.0.0", 53))
        with pytest.raises(ValueError, match="unexpected address family"):
            await world.loop.create_datagram_endpoint(Ear)
        far.close()
        far.sendto(b"after the end", (B, 1))
        assert far.is_closing()

    world = world_of_two()
    world.run(main())


@pytest.mark.parametrize("fault", ["cut", "swallow", "crash"])
def test_faults_silence(fault: str) -> None:
    async def main() -> tuple[Ear, Ear]:
        _, listening, near, ear = await ears(world)
        server, client = world.hosts["server"], world.hosts["client"]
        if fault == "cut":
            world.network.cut(client, server)
        elif fault == "swallow":
            world.network.swallow(server, 53)
        else:
            server.crash()
        near.sendto(b"hello?")
        await asyncio.sleep(1)
        return listening, ear

    world = world_of_two()
    ends = world.run(main())
    assert ends is not None
    assert ends[0].heard == ends[1].heard == ends[1].errors == []


def test_a_hung_programs_receive_buffer_holds_only_so_much() -> None:
    async def main() -> Ear:
        _, listening, near, _ = await ears(world)
        server: Host = world.hosts["server"]
        server.hang(5)
        for _ in range(300):
            near.sendto(bytes(1000))
        await asyncio.sleep(10)
        return listening

    world = world_of_two()
    listening = world.run(main())
    assert listening is not None
    assert len(listening.heard) == 212
    assert {when for when, _, _ in listening.heard} == {5.0}
