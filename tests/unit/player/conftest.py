"""A small town in virtual time: one name server, content servers that do as a script says, one viewer."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from nearcast.model.title import AudioTrack, Rendition, Title
from nearcast.player.fetch import RetryPolicy
from nearcast.player.session import Viewer
from nearcast.player.viewing import Fetched, Viewing, ViewingEvent
from nearcast.serve.http_client import ClientLimits
from nearcast.serve.http_server import Exchange, listen_http
from nearcast.serve.udp import listen_udp
from nearcast.simulate.world.host import Host
from nearcast.simulate.world.world import World
from nearcast.wire.http.ranges import Span, content_range, requested_span
from nearcast.wire.manifest import dash, hls
from nearcast.wire.manifest.presentation import Presentation, Representation, SegmentReference

SEGMENT_SECONDS = 2
SEGMENTS = 6
LADDER = {"v360": (640, 360, 400_000), "v540": (960, 540, 800_000), "v720": (1280, 720, 1_600_000)}
AUDIO_RATE = 64_000
FILM_SECONDS = SEGMENTS * SEGMENT_SECONDS

Trick = Callable[[Exchange, bytes, dict[str, str]], Any]
"""What a server does instead of answering properly: (exchange, object, fields)."""


def filler(name: str, size: int) -> bytes:
    """Bytes that differ from name to name and from place to place."""
    return random.Random(name).randbytes(size)


def film(name: str, size: int) -> bytes:
    """A progressive file: `moov` with its duration up front, then filler."""
    mvhd = b"mvhd" + bytes(12) + (1000).to_bytes(4) + (FILM_SECONDS * 1000).to_bytes(4)
    moov = b"moov" + (len(mvhd) + 4).to_bytes(4) + mvhd
    head = (len(moov) + 4).to_bytes(4) + moov
    return head + filler(name, size - len(head))


def clock_objects() -> dict[str, bytes]:
    """A title `/clock`: three renditions, sound, DASH, HLS, progressive films, title.json."""
    objects: dict[str, bytes] = {}

    def representation(folder: str, kind: Any, rate: int, **more: Any) -> Representation:
        objects[f"/clock/{folder}/init.mp4"] = filler(f"{folder}/init", 700)
        for number in range(1, SEGMENTS + 1):
            objects[f"/clock/{folder}/{number}.m4s"] = filler(
                f"{folder}/{number}", rate * SEGMENT_SECONDS // 8
            )
        segments = tuple(
            SegmentReference(
                f"{folder}/{number}.m4s", Fraction((number - 1) * SEGMENT_SECONDS), Fraction(SEGMENT_SECONDS)
            )
            for number in range(1, SEGMENTS + 1)
        )
        made = Representation(
            folder, kind, rate, "x", f"{folder}/init.mp4", segments, f"{folder}/playlist.m3u8", **more
        )
        objects[f"/clock/{folder}/playlist.m3u8"] = hls.build_media(made).encode()
        return made

    pictures = [
        representation(folder, "video", rate, width=width, height=height)
        for folder, (width, height, rate) in LADDER.items()
    ]
    sound = representation("a64", "audio", AUDIO_RATE, sample_rate=48000, channels=2)
    presentation = Presentation(Fraction(FILM_SECONDS), (*pictures, sound))
    objects["/clock/manifest.mpd"] = dash.build(presentation).encode()
    objects["/clock/master.m3u8"] = hls.build_master(presentation).encode()
    for each in pictures:
        size = (each.bandwidth + AUDIO_RATE) * FILM_SECONDS // 8
        objects[f"/clock/progressive/{each.height}p.mp4"] = film(each.id, size)
    objects["/clock/title.json"] = clock_title(objects).to_json().encode()
    return objects


def clock_title(objects: dict[str, bytes]) -> Title:
    """The noun of the title above."""
    track = {"codecs": "x", "segments": SEGMENTS}
    renditions = [
        Rendition(
            name=f"{height}p",
            folder=folder,
            bandwidth=rate,
            average_bandwidth=rate,
            width=width,
            height=height,
            frame_rate=25,
            progressive=f"progressive/{height}p.mp4",
            progressive_bytes=len(objects[f"/clock/progressive/{height}p.mp4"]),
            **track,
        )
        for folder, (width, height, rate) in LADDER.items()
    ]
    audio = AudioTrack(
        folder="a64",
        bandwidth=AUDIO_RATE,
        average_bandwidth=AUDIO_RATE,
        sample_rate=48000,
        channels=2,
        **track,
    )
    return Title(
        name="Clock",
        seconds=FILM_SECONDS,
        segment_seconds=SEGMENT_SECONDS,
        renditions=tuple(renditions),
        audio=audio,
    )


@dataclass
class Server:
    """A content server. A `trick` for a path is played once, then the next one, then the truth."""

    host: Host
    objects: dict[str, bytes]
    tricks: dict[str, list[Trick]] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range of every request."""

    def trick(self, path: str, *tricks: Trick) -> None:
        self.tricks.setdefault(path, []).extend(tricks)

    def answer(self, exchange: Exchange) -> Any:
        path, wish = exchange.request.path, exchange.request.fields.get("range")
        self.asked.append((path, wish))
        octets = self.objects.get(path)
        fields = {"cache-status": f"{self.host.name}; hit", "etag": '"1"'}
        if waiting := self.tricks.get(path):
            return waiting.pop(0)(exchange, octets or b"", fields)
        if octets is None:
            return exchange.respond(404, fields)
        return serve_range(exchange, octets, fields)


def serve_range(exchange: Exchange, octets: bytes, fields: dict[str, str]) -> None:
    """As an honest server does, with Range and If-Range."""
    request = exchange.request.fields
    span = requested_span(request.get("range"), len(octets))
    if not isinstance(span, Span) or request.get("if-range", fields["etag"]) != fields["etag"]:
        return exchange.respond(200, fields, octets)
    fields = {**fields, "content-range": content_range(span, len(octets))}
    return exchange.respond(206, fields, octets[span.start : span.stop])


def status(code: int, **more: str) -> Trick:
    """Answer with this status and no more."""
    return lambda exchange, octets, fields: exchange.respond(code, {**fields, **more})


async def break_off(exchange: Exchange, octets: bytes, fields: dict[str, str]) -> None:
    """Give half of what was asked for, then reset the connection."""
    span = requested_span(exchange.request.fields.get("range"), len(octets))
    if isinstance(span, Span):
        fields = {**fields, "content-range": content_range(span, len(octets))}
        octets = octets[span.start : span.stop]
    exchange.begin(206 if isinstance(span, Span) else 200, fields, len(octets))
    await exchange.write(octets[: len(octets) // 2])
    await asyncio.sleep(0.5)  # virtual: let it arrive
    exchange.break_off()


class Town:
    """Names, servers and one viewer. All time is virtual."""

    def __init__(self) -> None:
        self.world = World(1)
        self.objects = clock_objects()
        self.dns = self.world.host("dns", ["192.0.2.53"])
        self.home = self.world.host("home", ["198.51.100.9", "2001:db8::9"])
        self.records: dict[str, list[dns.rrset.RRset]] = {}
        self.rcodes: dict[str, dns.rcode.Rcode] = {}
        self.questions: list[tuple[str, str, str | None]] = []
        """Name, type and client subnet of every question."""
        self.on_question: Callable[[str], None] | None = None
        self.servers: list[Server] = []
        self.patience = RetryPolicy()
        self.dns.start(self._serve_dns)

    def name(self, name: str, *chain: str, addresses: list[str], ttl: int = 30) -> None:
        """`name` is an alias of each of `chain` in turn, and the last has `addresses`."""
        answer, at = [], name
        for target in chain:
            answer.append(dns.rrset.from_text(f"{at}.", 300, "IN", "CNAME", f"{target}."))
            at = target
        for rdtype, version in (("A", 4), ("AAAA", 6)):
            found = [each for each in addresses if ipaddress.ip_address(each).version == version]
            if found:
                answer.append(dns.rrset.from_text(f"{at}.", ttl, "IN", rdtype, *found))
        self.records[name] = answer

    def server(self, name: str, address: str, objects: dict[str, bytes] | None = None) -> Server:
        """A content server `name` at `address`, port 80, with the clock unless given others."""
        server = Server(self.world.host(name, [address]), dict(self.objects) if objects is None else objects)

        async def program(host: Host) -> None:
            await listen_http(server.answer, address, 80, clock=host.clock)

        server.host.start(program)
        self.servers.append(server)
        return server

    async def _serve_dns(self, host: Host) -> None:
        await listen_udp(self._answer, "192.0.2.53", 53)

    def _answer(self, octets: bytes, peer: tuple[str, int]) -> bytes:
        query = dns.message.from_wire(octets)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        subnet = next((option.to_text().split()[1] for option in query.options), None)
        self.questions.append((name, dns.rdatatype.to_text(question.rdtype), subnet))
        if self.on_question:
            self.on_question(name)
        reply = dns.message.make_response(query)
        download = (question.rdtype, dns.rdatatype.CNAME)
        reply.answer = [each for each in self.records.get(name, []) if each.rdtype in download]
        unknown = dns.rcode.NOERROR if name in self.records else dns.rcode.NXDOMAIN
        reply.set_rcode(self.rcodes.get(name, unknown))
        return reply.to_wire(want_shuffle=False)  # the order is advice, and must stay

    def watch(self, url: str = "http://www.movie.test/clock", **how: Any) -> Viewing:
        """What came of watching `url` in this town."""
        viewer = Viewer(
            clock=self.home.clock,
            rng=random.Random(7),
            resolver=("192.0.2.53", 53),
            client_subnet=ipaddress.ip_network("198.51.100.0/24"),
            retry=self.patience,
            buffer_seconds=how.pop("buffer_seconds", 30),
            limits=how.pop("limits", ClientLimits(connect_seconds=1, head_seconds=2, stall_seconds=2)),
        )

        async def play() -> Viewing:
            return await self.home.spawn(viewer.watch(url, **how))

        viewing = self.world.run(play())
        assert viewing is not None
        self.check(viewing)
        return viewing

    def check(self, viewing: Viewing) -> None:
        """What must be true of every viewing: each object kept is the truth, byte for byte."""
        truth = {path: hashlib.sha256(octets).hexdigest() for path, octets in self.objects.items()}
        for url, digest in viewing.digests.items():
            path = "/" + url.split("/", 3)[3]
            if path in truth:
                assert digest == truth[path], f"{url} is not what the server has"
        assert viewing.complete == (viewing.problem is None)
        assert not self.world.unhandled


@pytest.fixture
def town() -> Town:
    """A town with www.movie.test on two servers, near and next."""
    made = Town()
    made.name("www.movie.test", "movie.cdn.test", addresses=["203.0.113.1", "203.0.113.2"])
    made.server("near.cdn.test", "203.0.113.1")
    made.server("next.cdn.test", "203.0.113.2")
    return made


@pytest.fixture
def empty_town() -> Town:
    """A town with a name server only."""
    return Town()


class Tricks:
    """What servers may do wrong."""

    status = staticmethod(status)
    break_off = staticmethod(break_off)
    serve_range = staticmethod(serve_range)


@pytest.fixture
def tricks() -> type[Tricks]:
    return Tricks


def kinds(events: tuple[ViewingEvent, ...]) -> list[str]:
    return [event.kind for event in events]


def segments(viewing: Viewing, kind: str = "video") -> list[Fetched]:
    return [each for each in viewing.fetched if each.kind == kind]


@pytest.fixture
def tell_kinds() -> Callable[[Viewing], list[str]]:
    """The kinds of the events of a viewing, in order."""
    return lambda viewing: kinds(viewing.events)


@pytest.fixture
def segments_of() -> Callable[..., list[Fetched]]:
    """The objects of one kind, in order."""
    return segments
