"""A CDN of stand-ins: what the control program sees of a router and six content servers, on real sockets."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from nearcast.control.catalogue import CatalogueEntry
from nearcast.lab.config import Internet, read_internet
from nearcast.lab.internet import viewer_places
from nearcast.lab.ports import LabPorts, with_ports
from nearcast.model.snapshot import ControlSnapshot, Revision, control_snapshot
from nearcast.model.title import AudioTrack, Rendition, Title
from nearcast.serve.http_server import Exchange, listen_http
from nearcast.serve.program import Group

NOW = 1_700_000_000.0
DEMO = Path(__file__).parents[3] / "examples" / "demo.toml"


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, different from each other."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def demo_internet() -> Internet:
    """examples/demo.toml on free ports."""
    http_port, admin_port = free_ports(2)
    internet = read_internet(DEMO)
    return with_ports(internet, LabPorts(internet.lab.dns_port, http_port, admin_port))


def clock_title() -> Title:
    track = {"average_bandwidth": 400_000, "segments": 5}
    renditions = [
        Rendition(
            folder=f"v{height}",
            bandwidth=height * 2000,
            codecs="avc1.64001f",
            name=f"{height}p",
            width=height * 16 // 9,
            height=height,
            frame_rate=25,
            progressive=f"progressive/{height}p.mp4",
            progressive_bytes=1_000_000,
            **track,
        )
        for height in (360, 720)
    ]
    audio = AudioTrack(
        folder="a128", bandwidth=128_000, codecs="mp4a.40.2", sample_rate=48_000, channels=2, **track
    )
    return Title(
        name="Moving clock", seconds=20, segment_seconds=4, renditions=tuple(renditions), audio=audio
    )


class FakeCdn:
    """Change the attributes to change what the stand-ins answer; `orders` is what they were told."""

    def __init__(self) -> None:
        internet = demo_internet()
        self.viewers = viewer_places(internet)
        self.snapshot: ControlSnapshot = control_snapshot(Revision(7, internet.config))
        self.catalogue = [CatalogueEntry("movie", "clock", clock_title())]
        self.statistics: dict[str, Any] = {name: self._counted(name) for name in self.snapshot.servers}
        self.conditions: Any = {
            "number": 4,
            "servers": {
                name: {"healthy": True, "load": 0.03, "why": "answered in 1 ms"}
                for name in self.snapshot.servers
            },
        }
        self.decisions: Any = [
            self.decision(NOW - 9, "203.0.113.0/24", "ia"),
            self.decision(NOW - 4, "198.51.100.0/24", "fra"),
        ]
        self.orders: list[tuple[str, str, dict[str, Any]]] = []
        self.programs: dict[str, Group] = {}

    @property
    def control(self) -> tuple[str, int]:
        return self.snapshot.address, self.snapshot.port

    async def start(self) -> None:
        for each in (*self.snapshot.routers.values(), *self.snapshot.servers.values()):
            answer = self._router if each.name == "router" else self._edge(each.name)
            listener = await listen_http(answer, each.address, each.admin_port, clock=lambda: NOW)
            self.programs[each.name] = Group(listener)

    def stop(self, *names: str) -> None:
        """Take these programs away, or all."""
        for name in names or list(self.programs):
            self.programs.pop(name).abort()

    def decision(self, at: float, client: str, chosen: str) -> dict[str, Any]:
        candidates = [
            {
                "pop": pop.name,
                "kind": pop.kind,
                "distance_km": 330.0,
                "load": 0.03,
                "healthy": len(pop.servers),
                "chosen": pop.name == chosen,
                "reason": f"prefix {client} is its own" if pop.name == chosen else "330 km",
            }
            for pop in self.snapshot.pops.values()
        ]
        servers = [
            {"name": each.name, "host": each.host, "address": each.address, "pop": each.pop}
            for each in self.snapshot.pops[chosen].servers
        ]
        return {
            "at": at,
            "question": "movie.cdn.test",
            "client": client,
            "zone": f"{chosen}:{client}",
            "zone_reason": f"prefix {client} is its own",
            "servers": servers,
            "candidates": candidates,
            "ttl_seconds": 30,
            "snapshot": 7,
            "conditions": 4,
        }

    def _counted(self, name: str) -> dict[str, Any]:
        number = list(self.snapshot.servers).index(name)
        return {
            "name": name,
            "requests": 40 * number,
            "hits": 30 * number,
            "misses": 10 * number,
            "stale": 0,
            "collapsed": number,
            "errors": 0,
            "fills": 9 * number,
            "bytes_sent": 12_345_678 * number,
            "bytes_filled": 3_000_000 * number,
            "cached_bytes": 100_000_000 * number,
            "cache_bytes_max": 1_024_000_000,
            "objects": 31 * number,
            "load": 0.01 * number,
            "something_newer": True,
        }

    def _router(self, exchange: Exchange) -> None:
        parameters = {key: values[0] for key, values in parse_qs(exchange.request.query).items()}
        match exchange.request.path:
            case "/conditions":
                _json(exchange, self.conditions)
            case "/decisions":
                _json(exchange, self.decisions)
            case "/explain" if not parameters["name"].endswith(".test"):
                _json(exchange, {"error": f"'{parameters['name']}' is no host name of a distribution"}, 404)
            case "/explain":
                _json(
                    exchange,
                    {**self.decision(NOW, parameters["client"], "ia"), "question": parameters["name"]},
                )

    def _edge(self, name: str) -> Callable[[Exchange], None]:
        def answer(exchange: Exchange) -> None:
            if exchange.request.path == "/stats":
                _json(exchange, self.statistics[name])
            else:
                self.orders.append((name, exchange.request.path, json.loads(exchange.body)))
                _json(exchange, {"done": 1})

        return answer


def _json(exchange: Exchange, document: Any, status: int = 200) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    exchange.respond(status, {"content-type": "application/json"}, text.encode())
