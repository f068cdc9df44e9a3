"""An edge follows its Snapshot: other sites, another size of cache, other addresses and ports."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

Play = Callable[..., None]


def moved(cdn: Any, number: int, **server: Any) -> Any:
    snapshot = cdn.snapshot(number)
    return replace(snapshot, server=replace(snapshot.server, **server))


async def status_at(cdn: Any, address: str, port: int, target: str = "/a") -> int:
    fields = {"host": "www.movie.test"}
    async with cdn.viewer.request("GET", (address, port), target, fields) as incoming:
        await incoming.read(1 << 20)
        return int(incoming.head.status)


def test_a_snapshot_with_another_address_is_served_there(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        assert (await cdn.get("/a")).cache.fwd == "miss"
        await cdn.edge.swap(moved(cdn, 2, addresses=("127.0.0.5",), listen=("127.0.0.5", "127.0.0.6")))
        assert await status_at(cdn, "127.0.0.5", cdn.http_port) == 200
        assert await status_at(cdn, "127.0.0.6", cdn.http_port) == 200
        assert await status_at(cdn, "127.0.0.6", cdn.admin_port, "/health") == 200
        assert cdn.asked["/a"] == 1, "the store goes along"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", cdn.http_port)).close()

    play(story)


def test_a_snapshot_with_an_address_that_is_taken_changes_nothing(play: Play) -> None:
    async def story(cdn: Any) -> None:
        cdn.page("/a", b"picture")
        with socket.create_server(("127.0.0.5", cdn.admin_port)), pytest.raises(OSError):
            await cdn.edge.swap(moved(cdn, 2, addresses=("127.0.0.5",), listen=("127.0.0.5",)))
        assert (await cdn.get("/a")).status == 200
        assert (await cdn.admin("GET", "/health"))["snapshot"] == 1

    play(story)


def test_limits_of_a_new_snapshot_hold_from_then_on(play: Play) -> None:
    async def story(cdn: Any) -> None:
        await cdn.edge.swap(cdn.snapshot(2, fills_max=3, request_head_bytes_max=1024, connections_max=7))
        cdn.page("/a", b"picture")
        assert (await cdn.get("/a")).status == 200
        assert (await cdn.get("/a", cookie="x" * 2000)).status == 431
        assert cdn.edge.listener.connections_max == 7
        assert cdn.edge.application.context.fills.shares.places_max == 3

    play(story)
