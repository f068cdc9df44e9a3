"""Who a redirect is for, and where it leads."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.zones import first_router

from nearcast.model.read import read_config
from nearcast.router.redirect import shard_of, stand_in
from nearcast.wire.http.message import HttpFault

SNAPSHOT = first_router(read_config(Path(__file__).parents[3] / "examples" / "demo.toml"))


@pytest.mark.parametrize(
    ("target", "client", "sent_on"),
    [
        ("/a", "127.0.0.1", "/a"),
        ("/a?client=203.0.113.7", "203.0.113.7", "/a"),
        ("/a?x=1&client=203.0.113.7&y=%20", "203.0.113.7", "/a?x=1&y=%20"),
        ("/a?client=2001%3Adb8%3A%3A7", "2001:db8::7", "/a"),
        ("/a?clients=1", "127.0.0.1", "/a?clients=1"),
    ],
)
def test_a_peer_on_this_machine_may_speak_for_a_client(target: str, client: str, sent_on: str) -> None:
    assert stand_in(target, "127.0.0.1") == (ip_address(client), sent_on)


def test_nobody_else_may() -> None:
    target = "/a?client=203.0.113.7"
    assert stand_in(target, "198.51.100.9") == (ip_address("198.51.100.9"), target)


def test_a_client_that_is_no_address_is_the_peers_fault() -> None:
    with pytest.raises(HttpFault) as caught:
        stand_in("/a?client=iowa", "127.0.0.1")
    assert caught.value.status == 400


def test_shards() -> None:
    assert shard_of("s07.movie.cdn.test", SNAPSHOT) == "s07"
    for name in ("movie.cdn.test", "www.movie.test", "127.0.30.1", "s99.movie.cdn.test"):
        assert shard_of(name, SNAPSHOT) == ""
