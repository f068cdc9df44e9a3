"""Probes: when a server leaves the answers, when it returns, and what counts as a failure."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from tests.zones import first_router

from nearcast.lab.config import Internet
from nearcast.model.config import Health
from nearcast.router.health import Prober, Record, read_health
from nearcast.selection.conditions import Condition, Conditions
from nearcast.serve.http_server import Exchange, HttpListener, listen_http
from nearcast.serve.loop import run

HEALTH = Health(failures_until_down=2, successes_until_up=3)


def test_failures_in_a_row_take_a_server_out_and_good_probes_bring_it_back() -> None:
    record = Record()
    record.failed("refused", HEALTH)
    record.succeeded(0.1, HEALTH)
    record.failed("refused", HEALTH)
    assert record.condition() == Condition(True, 0.1, "refused")
    record.failed("refused", HEALTH)
    assert not record.condition().healthy
    for _ in range(2):
        record.succeeded(0.2, HEALTH)
        assert not record.condition().healthy
    assert record.condition().why == "2 of 3 good probes"
    record.succeeded(0.2, HEALTH)
    assert record.condition() == Condition(True, 0.2, "answers its probes")


def test_a_server_that_drains_is_out_at_once() -> None:
    record = Record()
    record.withdrew("drains")
    assert record.condition() == Condition(False, 0.0, "drains")


def test_health_pages() -> None:
    assert read_health(b'{"name": "ia1", "load": 0.03, "draining": false}') == (0.03, "")
    assert read_health(b'{"load": 7, "draining": true, "full": true}') == (1.0, "drains")
    assert read_health(b'{"load": 1, "draining": false, "full": true}') == (1.0, "is full")


@pytest.mark.parametrize(
    "body",
    [b"", b"ok", b"[]", b"{}", b'{"load": "3"}', b'{"load": true}', b'{"load": -1}', b'{"load": NaN}',
     b"\xff", b"[" * 60_000],
)  # fmt: skip
def test_what_is_no_health_page(body: bytes) -> None:
    with pytest.raises(ValueError):
        read_health(body)


class Pages:
    """The health pages of all content servers: 200 with `said`, unless something else is put in place."""

    def __init__(self) -> None:
        self.said: dict[str, Any] = {}
        self.status = 200

    def __call__(self, exchange: Exchange) -> None:
        name = exchange.request.host.partition(".")[0]
        assert exchange.request.target == "/health"
        page = self.said.get(name, {"load": 0.0, "draining": False})
        exchange.respond(self.status, {}, json.dumps(page).encode())


async def until(changes: asyncio.Queue[Conditions], true: Callable[[Conditions], bool]) -> Conditions:
    async with asyncio.timeout(10):
        while not true(conditions := await changes.get()):
            pass
    return conditions


def test_conditions_follow_the_servers(example: Callable[[str], Internet]) -> None:
    config = example("demo").config
    config = config.model_copy(update={"health": Health(probe_seconds=0.05, probe_timeout_seconds=0.5)})
    snapshot = first_router(config)

    async def scene() -> None:
        changes: asyncio.Queue[Conditions] = asyncio.Queue()
        pages, probes = Pages(), Counter[tuple[str, str]]()
        listeners: dict[str, HttpListener] = {}
        for server in snapshot.servers.values():
            listeners[server.name] = await listen_http(
                pages, server.address, server.admin_port, clock=lambda: 0.0
            )
        start = Conditions()
        made = [start]

        def changed(conditions: Conditions) -> None:
            made.append(conditions)
            changes.put_nowait(conditions)

        prober = Prober(snapshot, start, changed, rng=random.Random(1), probes=probes)
        conditions = await until(changes, lambda now: now.of("fra2").why == "answers its probes")
        assert conditions.number > 0
        pages.said["ia1"] = {"load": 0.51, "draining": False}
        pages.said["ia2"] = {"load": 0.0, "draining": True}
        await until(changes, lambda now: now.of("ia1").load == 0.51 and now.of("ia2").why == "drains")
        pages.said["ia2"] = {"load": 0.0, "draining": False, "full": True}
        await until(changes, lambda now: now.of("ia2").why == "is full")
        await listeners["ord1"].drain(0)
        conditions = await until(changes, lambda now: not now.of("ord1").healthy)
        assert "connection" in conditions.of("ord1").why and conditions.of("ord2").healthy
        pages.status = 503
        conditions = await until(changes, lambda now: not now.of("fra1").healthy)
        assert conditions.of("fra1").why == "status 503"
        fresh = listeners["fra1"].counters
        assert fresh.accepted_total == sum(fresh.requests_total) > 1, "each probe has a connection of its own"
        assert probes["ord1", "failed"] >= 2 and probes["fra1", "good"] >= 1
        for before, after in pairwise(made):
            assert after.servers.keys() == snapshot.servers.keys()
            others = [name for name in snapshot.servers if before.of(name) is not after.of(name)]
            assert len(others) == 1, "a server that did not change keeps its condition, the very object"
        await prober.stop()
        for listener in listeners.values():
            await listener.drain(0)

    run(scene())
