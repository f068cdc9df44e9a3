"""Every codec that reads what strangers send, as one table: how to call it, and what it may raise.

`read` takes octets. Codecs of text get them as latin-1, as heads of HTTP do, or as UTF-8 where their
texts come that way. A codec that needs to be told more (a time, a size, a question) is told the same
each time. Where there is a way back, `read` goes it too: what was read must be writable, and read again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dns.edns
import dns.message
import dns.name

from nearcast.cache.key import normal_target
from nearcast.model.faults import OperatorFault
from nearcast.origin.paths import content_name
from nearcast.player.bandwidth import parse_profile
from nearcast.player.duration import film_seconds
from nearcast.player.lookup import read_answer
from nearcast.player.url import Url
from nearcast.resolver.replies import meaning
from nearcast.serve.dns_client import read_reply
from nearcast.uppercase.lines import Lines
from nearcast.wire import packet
from nearcast.wire.dns.codes import Type
from nearcast.wire.dns.message import DnsFault, build_reply, fault_reply, parse_query
from nearcast.wire.dns.names import NameFault, name_text, read_name, skip_name, wire_name
from nearcast.wire.dns.zone import ZoneFault, compile_zone
from nearcast.wire.http.body import ChunkedFraming, response_framing
from nearcast.wire.http.cache_control import parse_cache_control, parse_cdn_cache_control
from nearcast.wire.http.cache_status import encode_cache_status, parse_cache_status
from nearcast.wire.http.conditions import failed_precondition
from nearcast.wire.http.dates import parse_date
from nearcast.wire.http.head import (
    encode_request_head,
    encode_response_head,
    end_of_head,
    parse_request_head,
    parse_response_head,
)
from nearcast.wire.http.message import Fields, HttpFault
from nearcast.wire.http.ranges import if_range_holds, parse_content_range, requested_span
from nearcast.wire.http.structured import parse_dictionary, parse_list
from nearcast.wire.manifest import dash, hls
from nearcast.wire.manifest.presentation import MalformedManifest

NOW = 1_700_000_000.0
URL = "http://cdn.test/clock/manifest"
QUERY = dns.message.make_query(
    "www.movie.test", "A", use_edns=0, options=[dns.edns.ECSOption("203.0.113.0", 24)], id=0x3031
)
QUESTION = wire_name("www.movie.test")


@dataclass(frozen=True, slots=True)
class Codec:
    """`name` is also its corpus's; `faults` are what `read` may raise, by its documentation."""

    name: str
    read: Callable[[bytes], object]
    faults: tuple[type[Exception], ...] = ()


def _text(read: Callable[[str], object], encoding: str = "latin-1") -> Callable[[bytes], object]:
    return lambda octets: read(octets.decode(encoding, "replace"))


def _request(octets: bytes) -> None:
    end_of_head(octets)
    head = parse_request_head(octets).head
    assert head.host == head.host.lower() and (head.path, head.query) is not None
    again = parse_request_head(encode_request_head(head.method, head.target, head.fields)).head
    assert (again.method, again.target, again.fields) == (head.method, head.target, _stripped(head.fields))


def _response(octets: bytes) -> None:
    end_of_head(octets)
    head = parse_response_head(octets).head
    assert 100 <= head.status <= 999
    again = parse_response_head(encode_response_head(head.status, head.fields)).head
    assert (again.status, again.fields) == (head.status, _stripped(head.fields))
    response_framing("GET", head.status, head.fields)


def _stripped(fields: Fields) -> Fields:
    """Several empty values are joined to one that ends in a blank, which no field's value does on the way."""
    return {name: value.strip(" \t") for name, value in fields.items()}


def _chunked_at_once(octets: bytes) -> None:
    framing = ChunkedFraming()
    content, rest = framing.take(octets)
    assert len(content) + len(rest) <= len(octets) and (framing.complete or not rest)


def _chunked_in_pieces(octets: bytes) -> None:
    framing = ChunkedFraming()
    for at in range(len(octets)):
        if framing.complete:
            break
        framing.take(octets[at : at + 1])


def _head_in_pieces(octets: bytes) -> None:
    """What a connection does with a head that trickles in."""
    unread = bytearray()
    for at in range(0, len(octets), 4):
        searched = len(unread)
        unread += octets[at : at + 4]
        if end_of_head(unread, 0, searched) >= 0:
            return


def _preconditions(text: str) -> None:
    for name in ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since"):
        for etag in ('"a"', 'W/"a"', None):
            assert failed_precondition("GET", {name: text}, etag, NOW, NOW) in (None, 304, 412)
    if_range_holds(text, '"a"', NOW - 100, NOW)
    failed_precondition("GET", {"if-none-match": text}, text, NOW, NOW)


def _ranges(text: str) -> None:
    for size in (0, 1, 1000):
        requested_span(text, size)
    parse_content_range(text)


def _cache_status(text: str) -> None:
    reports = parse_cache_status(text)
    for report in reports:
        encode_cache_status(report)


def _query(octets: bytes) -> None:
    try:
        query = parse_query(octets)
    except DnsFault as fault:
        assert dns.message.from_wire(fault_reply(octets, fault)).rcode() == fault.rcode
        return
    if query is not None:
        if query.edns is not None and query.edns.subnet is not None:
            assert query.edns.subnet.network.prefixlen == query.edns.subnet.source
        assert len(build_reply(query, 512, 0)) <= 512
        dns.message.from_wire(build_reply(query, 512, 0, why="x"))
        name_text(query.name)


def _reply(octets: bytes) -> None:
    reply, _ = read_reply(octets, QUERY)
    if reply is not None:
        meaning(reply, wire_name("test"), QUESTION, Type.A)
        meaning(reply, wire_name("movie.test"), QUESTION, Type.ANY)
        read_answer(reply, "www.movie.test", dns.rdatatype.A)


def _name(octets: bytes) -> None:
    name, after = read_name(octets, 0)
    assert wire_name(name_text(name)) == name or "\\" in name_text(name)
    assert skip_name(octets, 0) == after


def _lines(octets: bytes) -> None:
    lines = Lines(line_bytes_max=1 << 22)
    for at in range(0, len(octets), 7):
        lines.received(octets[at : at + 7])
    lines.quiet()
    lines.ended()


def _packet(octets: bytes) -> None:
    parsed = packet.parse(octets)
    assert packet.parse(packet.build(parsed)) == parsed
    packet.explain(octets)


def _media(octets: bytes) -> Any:
    return hls.parse_media(octets, URL)


CODECS = (
    Codec("request-head", _request, (HttpFault,)),
    Codec("response-head", _response, (ValueError,)),
    Codec("head-in-pieces", _head_in_pieces),
    Codec("chunked", _chunked_at_once, (ValueError,)),
    Codec("chunked-in-pieces", _chunked_in_pieces, (ValueError,)),
    Codec("cache-control", _text(parse_cache_control)),
    Codec("cdn-cache-control", _text(parse_cdn_cache_control)),
    Codec("cache-status", _text(_cache_status), (ValueError,)),
    Codec("structured-list", _text(parse_list), (ValueError,)),
    Codec("structured-dictionary", _text(parse_dictionary), (ValueError,)),
    Codec("conditions", _text(_preconditions)),
    Codec("ranges", _text(_ranges)),
    Codec("dates", _text(lambda text: parse_date(text, NOW))),
    Codec("dns-query", _query),
    Codec("dns-reply", _reply),
    Codec("dns-name", _name, (NameFault,)),
    Codec("zone", _text(lambda text: compile_zone("movie.test", text)), (ZoneFault,)),
    Codec("hls-master", lambda octets: hls.parse_master(octets, URL), (MalformedManifest,)),
    Codec("hls-media", _media, (MalformedManifest,)),
    Codec("dash", lambda octets: dash.parse(octets, URL), (MalformedManifest,)),
    Codec("packet", _packet, (packet.PacketFault,)),
    Codec("cache-key", _text(normal_target), (ValueError,)),
    Codec("origin-path", _text(content_name)),
    Codec("url", _text(Url.parse, "utf-8"), (ValueError,)),
    Codec("film-seconds", film_seconds),
    Codec("bandwidth", _text(lambda text: parse_profile(text, "x"), "utf-8"), (OperatorFault,)),
    Codec("lines", _lines),
)
BY_NAME = {codec.name: codec for codec in CODECS}
