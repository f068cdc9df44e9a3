"""The same failures on real sockets: resets and refusals as the kernel makes them."""

from __future__ import annotations

import asyncio
import hashlib
import random
from typing import Any

import dns.message
import dns.rrset
import pytest

from nearcast.player.bandwidth import Profile
from nearcast.player.session import Viewer
from nearcast.player.viewing import Fetched, Viewing
from nearcast.serve.http_server import Exchange, HttpListener, listen_http
from nearcast.serve.loop import run
from nearcast.serve.udp import listen_udp

ADDRESSES = ("127.0.83.1", "127.0.83.2")
FILM = random.Random(3).randbytes(6_000_000)


def resolve(octets: bytes, peer: tuple[str, int]) -> bytes:
    query = dns.message.from_wire(octets)
    reply = dns.message.make_response(query)
    name = query.question[0].name
    reply.answer = [
        dns.rrset.from_text(name, 30, "IN", "CNAME", "movie.cdn.test."),
        dns.rrset.from_text("movie.cdn.test.", 30, "IN", "A", *ADDRESSES),
    ]
    return reply.to_wire(want_shuffle=False)


async def open_both(answer: Any) -> tuple[list[HttpListener], int]:
    """Two servers at one port of two addresses."""
    first = await listen_http(answer, ADDRESSES[0], 0, clock=lambda: 0.0)
    second = await listen_http(answer, ADDRESSES[1], first.port, clock=lambda: 0.0)
    return [first, second], first.port


def watched(tricks: Any, observer: Any = None) -> Viewing:
    """A progressive viewing with two servers; `observer(happening, rooms)` may harm them meanwhile."""

    async def play() -> Viewing:
        def answer(exchange: Exchange) -> None:
            tricks.serve_range(exchange, FILM, {"etag": '"1"'})

        rooms, port = await open_both(answer)
        resolver = await listen_udp(resolve, "127.0.0.1", 0)
        viewer = Viewer(clock=lambda: 0.0, rng=random.Random(1), resolver=("127.0.0.1", resolver.port))
        viewing = await viewer.watch(
            f"http://www.movie.test:{port}/film.mp4",
            bandwidth=Profile.constant(200e6),
            observer=lambda happening: observer(happening, rooms) if observer else None,
        )
        for room in (*rooms, resolver):
            room.abort()
            await room.drain(1.0)
        return viewing

    return run(play())


@pytest.fixture
def whole() -> str:
    return hashlib.sha256(FILM).hexdigest()


def test_a_film_arrives_whole(tricks: Any, whole: str) -> None:
    viewing = watched(tricks)
    assert viewing.complete
    assert list(viewing.digests.values()) == [whole]
    assert [lookup.addresses for lookup in viewing.lookups] == [ADDRESSES]


def test_a_server_that_is_reset_in_the_middle_is_replaced(tricks: Any, whole: str) -> None:
    def strike(happening: Any, rooms: list[HttpListener]) -> None:
        if isinstance(happening, Fetched) and happening.number == 2:
            asyncio.get_running_loop().call_later(0.01, rooms[0].abort)

    viewing = watched(tricks, strike)
    assert viewing.complete
    assert list(viewing.digests.values()) == [whole]
    assert viewing.servers == ADDRESSES
    assert sum(each.bytes for each in viewing.fetched) == len(FILM)
    assert viewing.events[0].kind == "failed"
