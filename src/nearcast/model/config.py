"""What an operator writes: the configuration of a CDN that could stand anywhere.

Each option is declared once, here: name, type, unit, bounds, default, one sentence. Unknown keys are
refused, objects are frozen. `read_config` reports every mistake at once, with its path and a remedy;
what no single field can know (a server in a PoP that does not exist, an address used twice) is checked
in `model.checks` in the same report.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


def _domain(name: str) -> str:
    plain = name.lower().rstrip(".")
    if not plain or len(plain) > 253 or not all(_LABEL.fullmatch(label) for label in plain.split(".")):
        raise ValueError('write a domain name of letters, digits and hyphens, such as "movie.test"')
    return plain


def _label(name: str) -> str:
    if not _LABEL.fullmatch(name):
        raise ValueError('write one DNS label of lower-case letters, digits and hyphens, such as "ia2"')
    return name


def _origin_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError('write scheme, address and port only, such as "http://127.0.40.1:8080"')
    return url.rstrip("/")


def _address(text: object) -> IPv4Address | IPv6Address:
    try:
        return ip_address(str(text))
    except ValueError:
        raise ValueError('write an IPv4 or IPv6 address, such as "192.0.2.1"') from None


def _network(text: object) -> IPv4Network | IPv6Network:
    try:
        return ip_network(str(text))
    except ValueError as fault:
        raise ValueError(f'write a network such as "192.0.2.0/24": {fault}') from None


# Validated by hand, because a union of both families would report every mistake twice.
AddressField = Annotated[
    IPv4Address | IPv6Address, PlainValidator(_address), WithJsonSchema({"type": "string", "format": "ip"})
]
PrefixField = Annotated[
    IPv4Network | IPv6Network, PlainValidator(_network), WithJsonSchema({"type": "string", "format": "cidr"})
]
Addresses = Annotated[tuple[AddressField, ...], Field(min_length=1, max_length=16)]
DomainName = Annotated[str, AfterValidator(_domain)]
Label = Annotated[str, AfterValidator(_label)]
OriginUrl = Annotated[str, AfterValidator(_origin_url)]
Latitude = Annotated[float, Field(ge=-90, le=90, description="Degrees north.")]
Longitude = Annotated[float, Field(ge=-180, le=180, description="Degrees east.")]
Port = Annotated[int, Field(ge=1, le=65535)]


class Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, use_attribute_docstrings=True)


class Cdn(Noun):
    """The CDN itself: its zone and how it answers."""

    zone: DomainName
    """The zone the request routers are authoritative for; every content server is a name in it."""
    answer_ttl_seconds: int = Field(30, ge=0, le=86_400)
    """How long resolvers may keep a selection; short, because health and load change."""
    answer_addresses_max: int = Field(2, ge=1, le=8)
    """How many content servers one answer names; two survive the loss of one."""
    shards: int = Field(32, ge=1, le=4096)
    """Into how many host names (s00.movie.cdn.test …) a distribution's titles are spread."""
    spill_load: float = Field(0.8, gt=0, le=1)
    """Load (fraction of capacity) from which a server's clients begin to spill to the next PoP."""


class Ports(Noun):
    """The port numbers of every program of the CDN that does not say otherwise."""

    dns: Port = 53
    """Port of the request routers' DNS, over UDP and TCP."""
    http: Port = 80
    """Port of content servers, of the routers' redirects, and of the control API."""
    admin: Port = 8081
    """Port of the administration of content servers and routers."""


class ControlPlace(Noun):
    """The control API and the status page."""

    address: AddressField
    """The address it is reached at."""
    listen: AddressField | None = None
    """The address it listens on, where that differs (behind NAT; 0.0.0.0 for all)."""
    port: Port | None = None
    """Its port; by default `ports.http`."""


class RequestRouter(Noun):
    """One request router: a name server of the zone, which redirects over HTTP as well."""

    name: Label
    """Its label below the CDN's zone: ns1 is ns1.cdn.test, as NS and glue records call it."""
    addresses: Addresses
    """The addresses it is reached at, IPv4 and IPv6 together; they are its glue."""
    listen: tuple[AddressField, ...] = ()
    """The addresses it listens on, where those differ (behind NAT; 0.0.0.0 and :: for all)."""
    place: str = ""
    """Name of the place it stands in."""
    dns_port: Port | None = None
    """Port of its DNS; by default `ports.dns`."""
    http_port: Port | None = None
    """Port of its redirects; by default `ports.http`."""
    admin_port: Port | None = None
    """Port of its administration; by default `ports.admin`."""


class Health(Noun):
    """How the router learns which content servers may be named."""

    probe_seconds: float = Field(1.0, ge=0.05, le=60)
    """Time between two probes of one content server."""
    probe_timeout_seconds: float = Field(0.5, ge=0.05, le=30)
    """A probe not answered by then has failed."""
    failures_until_down: int = Field(2, ge=1, le=20)
    """So many failed probes in a row take a server out of the answers."""
    successes_until_up: int = Field(2, ge=1, le=20)
    """So many good probes in a row bring it back."""


class Place(Noun):
    """A part of the map: client prefixes that are known to be there."""

    name: str = Field(min_length=1, max_length=80)
    """What people call it."""
    latitude: Latitude
    longitude: Longitude
    prefixes: tuple[PrefixField, ...] = ()
    """Client networks located here."""


class Pop(Noun):
    """A point of presence: one location with content servers."""

    name: Label
    """Short name, also the stem of its servers' names."""
    kind: Literal["isp", "ixp", "cloud"]
    """Inside an ISP, at an Internet exchange point, or rented."""
    place: str
    """Name of the place it stands in."""
    prefixes: tuple[PrefixField, ...] = ()
    """Networks of the ISP it stands in: their clients are served here first."""


class ContentServer(Noun):
    """One content server (edge) of a PoP."""

    name: Label
    """Its label below the CDN's zone: ia2 is ia2.cdn.test."""
    pop: Label
    """The PoP it stands in."""
    addresses: Addresses
    """The addresses it is reached at, IPv4 and IPv6 together."""
    listen: tuple[AddressField, ...] = ()
    """The addresses it listens on, where those differ (behind NAT; 0.0.0.0 and :: for all)."""
    http_port: Port | None = None
    """Port it serves viewers on; by default `ports.http`."""
    admin_port: Port | None = None
    """Port of its administration; by default `ports.admin`."""
    failure_domain: str = ""
    """What fails together with it (a rack, a switch); by default itself alone."""
    capacity_megabits_per_second: float = Field(1000.0, gt=0)
    """What it can send; load is measured against it."""
    cache_megabytes: int = Field(1024, ge=1)
    """Bytes its store may take on disk, in units of 10^6."""


class Distribution(Noun):
    """What one provider has on the CDN: host names, origin and policies."""

    name: Label
    """Its label below the CDN's zone: movie is handed over to as movie.cdn.test."""
    hosts: tuple[DomainName, ...] = Field(min_length=1)
    """The provider's host names that are handed over to the CDN by CNAME."""
    origin: OriginUrl
    """Where the truth is fetched from."""
    fresh_seconds_default: int = Field(60, ge=0, le=31_536_000)
    """How long an answer of the origin without Cache-ControlPlace is fresh."""
    stale_if_error_seconds: int = Field(86_400, ge=0, le=31_536_000)
    """How long after that it may still be served when the origin cannot be reached."""


class Serving(Noun):
    """Limits and deadlines of every content server and router."""

    connections_max: int = Field(10_000, ge=1, le=1_000_000)
    """Connections to one address at once; fewer where the process may not open as many files."""
    connections_per_client_max: int = Field(2_500, ge=1, le=1_000_000)
    """How many of them one client (an IPv4 address, an IPv6 /64) may have."""
    idle_seconds: float = Field(30.0, gt=0, le=3600)
    """A connection on which nothing whole comes and nothing leaves is closed after this time."""
    write_buffer_bytes: int = Field(262_144, ge=4096, le=67_108_864)
    """Unsent bytes of one connection from which on its answers wait for the viewer."""
    request_head_bytes_max: int = Field(32_768, ge=1024, le=1_048_576)
    """The largest head of a request."""
    request_head_seconds_max: float = Field(10.0, gt=0, le=600)
    """Time for the whole head of a request, from its first byte."""
    requests_per_connection_max: int = Field(100_000, ge=1)
    """After so many requests a connection is closed."""
    drain_seconds: float = Field(10.0, ge=0, le=86_400)
    """How long connections to an address that is given up may go on."""
    origin_connect_seconds: float = Field(3.0, gt=0, le=600)
    """Time for a connection to an origin."""
    origin_head_seconds: float = Field(10.0, gt=0, le=600)
    """Time for the head of an origin's answer, interim ones included."""
    origin_stall_seconds: float = Field(10.0, gt=0, le=600)
    """An origin from which nothing more of a body comes for this time has failed."""
    fills_max: int = Field(1024, ge=1, le=100_000)
    """Fetches from origins at once; shared so that no site and no client can take them all."""
    unstored_bytes_max: int = Field(268_435_456, ge=1_048_576)
    """Memory for bodies that are passed on without being stored."""
    warm_at_once: int = Field(8, ge=1, le=1024)
    """Fetches of one warm (push) under way at once."""
    eviction: Literal["lru", "s3-fifo"] = "lru"
    """Which objects leave when the store is full. Takes effect when a content server starts."""
    sync: bool = False
    """Whether stored objects survive a power loss, at the price of a disk sync for each. Takes effect when
    a content server starts."""
    lanes: bool = True
    """Whether remembered work may answer plain hits; they are answered the same without, only slower."""
    access_log: bool = False
    """Whether content servers keep an access log, a JSON line for each request."""


class Config(Noun):
    """A whole configuration: a CDN that could stand anywhere."""

    cdn: Cdn
    ports: Ports = Ports.model_validate({})
    control: ControlPlace
    health: Health = Health.model_validate({})
    serving: Serving = Serving.model_validate({})
    routers: tuple[RequestRouter, ...] = Field(min_length=1)
    places: tuple[Place, ...] = Field(min_length=1)
    pops: tuple[Pop, ...] = Field(min_length=1)
    content_servers: tuple[ContentServer, ...] = Field(min_length=1)
    distributions: tuple[Distribution, ...] = Field(min_length=1)
