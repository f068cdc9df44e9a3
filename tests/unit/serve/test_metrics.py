"""The metrics page: what is counted stands on it, in a form that Prometheus reads."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from tests.exposition import samples

from nearcast.serve.dns_server import DnsListener
from nearcast.serve.http_server import Exchange, HttpListener, listen_http
from nearcast.serve.limits import StreamLimits
from nearcast.serve.metrics import counter, exposition, gauge, program_families
from nearcast.serve.tcp import Connection, listen_tcp
from nearcast.serve.udp import listen_udp

RunOn = Callable[[Coroutine[Any, Any, Any]], Any]
HERE = "127.0.0.1"


def test_numbers_come_out_as_they_went_in() -> None:
    big = 2**53 - 1
    page = exposition(
        [gauge("nearcast_load_ratio", "Load.", 0.25), counter("nearcast_sent_bytes_total", "Bytes.", big)]
    )
    assert samples(page) == {"nearcast_load_ratio": 0.25, "nearcast_sent_bytes_total": float(big)}


def test_label_values_are_escaped() -> None:
    evil = 'a"} 1\nnearcast_forged_total 7\n\\'
    page = exposition([counter("nearcast_asked_total", "Questions.", {(evil, "b"): 2}, ("name", "kind"))])
    assert list(samples(page).values()) == [2.0]
    assert "\nnearcast_forged" not in page


def test_a_family_without_samples_is_no_zero() -> None:
    assert samples(exposition([gauge("nearcast_healthy", "Healthy.", {}, ("server",))])) == {}


def test_what_a_listener_counts_is_shown(run_on: RunOn) -> None:
    def application(exchange: Exchange) -> None:
        if exchange.request.path == "/fault":
            raise RuntimeError("ours")
        if exchange.request.path == "/broken":
            exchange.begin(200, {}, 100)
            exchange.break_off()
            return
        exchange.respond(404 if exchange.request.path == "/none" else 200, {}, b"12345")

    async def scene() -> dict[str, float]:
        open_door = await listen_http(application, HERE, 0, clock=lambda: 0.0)
        one = StreamLimits(connections_max=1)
        narrow_door = await listen_http(application, HERE, 0, clock=lambda: 0.0, stream_limits=one)
        for line in (b"GET /a", b"GET /a", b"GET /none", b"GET /broken", b"GET /fault", b"G@T /?"):
            await tell(open_door, line + b" HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        reader, idle = await asyncio.open_connection(HERE, narrow_door.port)
        _, staying = await asyncio.open_connection(HERE, narrow_door.port)
        assert await reader.read() == b"", "the idle one made room"
        idle.close()
        page = exposition(program_families({"open": [open_door], "narrow": [narrow_door]}))
        staying.close()
        await narrow_door.drain(1)
        await open_door.drain(1)
        return samples(page)

    found = run_on(scene())
    assert found['nearcast_tcp_connections{listener="narrow"}'] == 1
    assert found['nearcast_tcp_accepted_total{listener="narrow"}'] == 2
    assert found['nearcast_tcp_given_up_total{listener="narrow"}'] == 1
    assert found['nearcast_tcp_refused_total{listener="narrow"}'] == 0
    assert found['nearcast_tcp_accepted_total{listener="open"}'] == 6
    assert found['nearcast_http_responses_total{listener="open",status="2xx"}'] == 2
    assert found['nearcast_http_responses_total{listener="narrow",status="2xx"}'] == 0
    assert found['nearcast_http_responses_total{listener="open",status="4xx"}'] >= 1
    assert found['nearcast_http_sent_bytes_total{listener="open"}'] >= 15
    assert found['nearcast_http_refused_total{listener="open"}'] == 1
    assert found['nearcast_http_broken_off_total{listener="open"}'] == 1
    assert found['nearcast_http_crashes_total{listener="open"}'] == 1


async def tell(listener: HttpListener, octets: bytes) -> None:
    """One connection that says `octets` and reads what comes until the end."""
    reader, writer = await asyncio.open_connection(HERE, listener.port)
    writer.write(octets)
    try:
        await reader.read()
    except ConnectionResetError:
        pass
    writer.close()


def test_datagrams_that_were_dropped_are_shown(run_on: RunOn) -> None:
    async def scene() -> dict[str, float]:
        came: list[bytes] = []
        all_came = asyncio.Event()

        def answer(octets: bytes, _: object) -> Coroutine[Any, Any, bytes | None]:
            came.append(octets)
            if len(came) == 5:
                all_came.set()
            return never()

        udp = await listen_udp(answer, HERE, 0, waiting_max=2)
        tcp = await listen_tcp(Connection, HERE, 0)
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            for _ in range(5):
                client.sendto(b"?", (HERE, udp.port))
            await all_came.wait()
        page = exposition(program_families({"dns": [DnsListener(udp, tcp)]}))
        udp.abort()
        tcp.abort()
        return samples(page)

    found = run_on(scene())
    assert found['nearcast_udp_received_total{listener="dns"}'] == 5
    assert found['nearcast_udp_dropped_total{listener="dns"}'] == 3
    assert found['nearcast_tcp_accepted_total{listener="dns"}'] == 0


async def never() -> bytes:
    await asyncio.Event().wait()
    raise AssertionError
