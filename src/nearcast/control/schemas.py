"""What the control API answers: every field with its unit and one sentence, so that OpenAPI is worth reading.

What the router and the content servers report is read leniently (unknown fields are dropped): they may
be newer than we are. A program that cannot be reached is part of an answer (`trouble`), not an error.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
Ratio = Annotated[float, Field(ge=0, le=1)]


class Schema(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class PlaceSchema(Schema):
    """A point on the map."""

    name: str
    """What people call it."""
    latitude: float
    """Degrees north."""
    longitude: float
    """Degrees east."""


class Statistics(Schema):
    """What a content server has counted since it started."""

    requests: Count = 0
    """Requests answered."""
    hits: Count = 0
    """Answered from the cache."""
    misses: Count = 0
    """Had to be fetched from upstream."""
    stale: Count = 0
    """Answered with a stale object because upstream could not be reached."""
    collapsed: Count = 0
    """Misses that waited for a fill that was already under way."""
    errors: Count = 0
    """Answered with 5xx."""
    fills: Count = 0
    """Requests sent upstream."""
    bytes_sent: Count = 0
    """Body bytes sent to viewers."""
    bytes_filled: Count = 0
    """Body bytes fetched from upstream."""
    cached_bytes: Count = 0
    """Bytes in the store now."""
    cache_bytes_max: Count = 0
    """Bytes the store may take."""
    objects: Count = 0
    """Objects in the store now."""
    load: float = 0.0
    """Fraction of its capacity in use, as it measures itself."""


class ConditionReport(Schema):
    """What the router knows of one content server."""

    healthy: bool
    """May it be named?"""
    load: float
    """0 … 1 of capacity."""
    why: str = ""
    """How the router knows."""


class ServerStatus(Schema):
    """One content server: what the router thinks of it and what it says of itself."""

    name: str
    """Its label, such as ia2."""
    host: str
    """Its DNS name."""
    address: str
    """The address it serves from."""
    http_port: int
    """The port it serves from."""
    healthy: bool | None
    """May the router name it? null when the router cannot be asked."""
    load: float | None
    """Load the router decides with, 0 … 1 of capacity."""
    why: str
    """How the router knows."""
    hit_ratio: Ratio | None
    """hits ÷ requests; null before the first request."""
    statistics: Statistics | None
    """null when the server cannot be asked; `trouble` says why."""
    trouble: str | None
    """Why the server could not be asked, in words."""


class PopStatus(Schema):
    """One point of presence and its servers."""

    name: str
    """Its label, such as ia."""
    kind: str
    """`isp`, `ixp` or `cloud`."""
    place: PlaceSchema
    """Where it stands."""
    servers: list[ServerStatus]
    """Its content servers."""


class ViewerPlace(Schema):
    """A viewer of the lab, for the map."""

    name: str
    """How the lab calls the viewer."""
    client: str
    """The address that the resolver reports as client subnet."""
    place: PlaceSchema | None
    """Where the viewer is."""


class ChosenServer(Schema):
    """A content server named in an answer, best first."""

    name: str
    """Its label, such as ia2."""
    host: str
    """Its DNS name."""
    address: str
    """The address it serves from."""
    pop: str
    """The PoP it stands in."""


class CandidateSchema(Schema):
    """A PoP as it stood in a decision."""

    pop: str
    """Its label."""
    kind: str
    """`isp`, `ixp` or `cloud`."""
    distance_km: float | None
    """Great-circle distance from the client's place; null when that is unknown."""
    load: float
    """Mean load of its healthy servers, 0 … 1."""
    healthy: int
    """How many of its servers may be named."""
    chosen: bool
    """Does it serve the client?"""
    reason: str
    """What speaks for it or against it."""


class DecisionSchema(Schema):
    """Which content servers answer a client, and why not the others."""

    at: float | None = None
    """Unix time of the decision, seconds."""
    question: str = ""
    """The name that was asked for."""
    client: str = ""
    """The client's address or subnet."""
    site: str = ""
    """The distribution asked for."""
    shard: str = ""
    """The host label that names the content, such as s07; empty for the distribution's own names."""
    zone: str
    """The client's routing zone."""
    zone_reason: str
    """How the client was located."""
    servers: list[ChosenServer]
    """Empty when no content server is healthy."""
    candidates: list[CandidateSchema]
    """Every PoP in order of preference."""
    ttl_seconds: int
    """How long a resolver may keep the answer."""
    snapshot: int
    """Number of the Snapshot decided from."""
    conditions: int
    """Number of the Conditions decided from."""


class RouterStatus(Schema):
    """The request router."""

    address: str
    """Where it listens."""
    conditions: int | None
    """Number of the Conditions it decides from; null when it cannot be asked."""
    trouble: str | None
    """Why it could not be asked, in words."""


class Totals(Schema):
    """All content servers that could be asked, together."""

    requests: Count
    """Requests answered."""
    hits: Count
    """Answered from a cache."""
    bytes_sent: Count
    """Body bytes sent to viewers."""
    bytes_filled: Count
    """Body bytes fetched from upstream."""
    hit_ratio: Ratio | None
    """hits ÷ requests; null before the first request."""


class RenditionSchema(Schema):
    """One picture size and bit rate of a title."""

    name: str
    """The shorter side of the picture, such as 720p."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    bandwidth: int
    """Of the largest segment, bit/s."""


class TitleSchema(Schema):
    """A title the CDN carries."""

    key: str
    """Its name in URLs and orders."""
    name: str
    """What people call it."""
    site: str
    """The distribution it belongs to."""
    host: str
    """The provider's host name that viewers use."""
    seconds: float
    """Length."""
    renditions: list[RenditionSchema]
    """From the smallest to the largest."""
    objects: int
    """How many files a warm fetches."""
    watch_url: str
    """The player page, through the router's redirect: works in a browser of this machine."""
    watch_as: dict[str, str]
    """The same as each viewer of the lab sees it: the router answers as if that viewer had asked."""


class StatusSchema(Schema):
    """The whole CDN at one moment."""

    at: float
    """Unix time, seconds."""
    zone: str
    """The CDN's DNS zone."""
    snapshot: int
    """Number of the Snapshot this control program holds."""
    router: RouterStatus
    """The router, as far as it can be asked."""
    pops: list[PopStatus]
    """All PoPs with their content servers."""
    viewers: list[ViewerPlace]
    """The viewers of the lab."""
    totals: Totals
    """All content servers together."""
    decisions: list[DecisionSchema]
    """The router's latest decisions, newest first."""


class Command(BaseModel):
    """What to warm or purge: a title of the catalogue, or paths of a distribution."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    title: str | None = Field(None, examples=["clock"])
    """Key of a title: all its files."""
    site: str | None = None
    """Distribution the targets belong to; may be left out when there is only one."""
    targets: list[str] | None = Field(None, max_length=100_000)
    """Paths such as `/clock/manifest.mpd`."""
    servers: list[str] | None = None
    """Only these content servers; by default all."""


class PurgeCommand(Command):
    """As `Command`, and `all` for everything of the distribution."""

    all: bool = False
    """Drop everything of the distribution."""


class ServerDone(Schema):
    """What one content server made of an order."""

    server: str
    """Its label."""
    done: bool
    """Has it done it?"""
    report: dict[str, object] | None
    """Its own words about it."""
    trouble: str | None
    """Why not, in words."""


class CommandDone(Schema):
    """What became of an order."""

    site: str
    """The distribution it was for."""
    targets: int
    """How many paths were ordered; 0 for a purge of everything."""
    complete: bool
    """Every server has done it."""
    servers: list[ServerDone]
    """What each content server made of it."""


class Refusal(Schema):
    """Why a request was refused."""

    detail: str
    """One sentence with the remedy."""
