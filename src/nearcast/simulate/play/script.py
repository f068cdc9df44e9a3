"""What a scenario file says: the play before anybody is on a host.

Each option is declared once, here: name, type, unit, bounds, default, one sentence. Unknown keys are
refused. What no single field can know (a host that does not exist, a place without client networks) is
checked in `scenario`, which reports all mistakes together.

A *selector* names hosts: one host (`ia1`, `fans-3`), a kind (`edge`, `viewer`, `origin`, `router`,
`resolver`, `root`, `top`, `provider`), a PoP (its content servers), an audience, a place (everybody
there), or `*`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from nearcast.model.config import Label, Noun, PrefixField
from nearcast.simulate.play.synthetic import RUNGS
from nearcast.simulate.world.link import LinkShape

SECONDS_MAX = 7 * 86_400.0

EnemyKind = Literal["viewer", "origin", "name_server"]


class SyntheticRung(Noun):
    """One rendition of every film."""

    height: int = Field(ge=16, le=8640)
    """Lines of the picture; the rendition is called after it, 540p."""
    bits_per_second: int = Field(ge=1_000, le=1_000_000_000)
    """What the manifests announce."""


class Films(Noun):
    """What the origin has: titles film1, film2 …, whose bytes are noise."""

    titles: int = Field(1, ge=1, le=1_000)
    """How many titles there are; each viewer picks one by chance."""
    seconds: int = Field(20, ge=1, le=14_400)
    """How long each plays."""
    segment_seconds: int = Field(4, ge=1, le=60)
    """Length of a segment."""
    rungs: tuple[SyntheticRung, ...] = Field(
        tuple(SyntheticRung(height=height, bits_per_second=bits) for height, bits in RUNGS), min_length=1
    )
    """The renditions, smallest first."""
    scale: float = Field(0.1, gt=0, le=1)
    """Real size of the files as a part of what the rates say; small, so that many viewers fit."""
    manifest_seconds: int = Field(10, ge=0, le=86_400)
    """How long the origin lets manifests be kept (max-age)."""
    manifest_stale_seconds: int = Field(0, ge=0, le=86_400)
    """How long after that they may be served while they are confirmed (stale-while-revalidate)."""


class Audience(Noun):
    """Viewers who are alike. Their hosts are called NAME-1, NAME-2 …"""

    name: Label
    """How faults, links and messages call them."""
    site: str = ""
    """Name of the distribution they watch; by default the first."""
    count: int = Field(1, ge=1, le=100_000)
    """How many they are."""
    place: str = ""
    """Where they are: a place of the configuration, whose first prefix they are clients of."""
    prefix: PrefixField | None = None
    """The client network they belong to, instead of a place's."""
    from_seconds: float = Field(1.0, ge=0, le=SECONDS_MAX)
    """When the first of them arrives."""
    over_seconds: float = Field(0.0, ge=0, le=SECONDS_MAX)
    """Over how long they arrive, at random moments; 0: all at once."""
    mode: Literal["dash", "hls", "progressive"] = "dash"
    """How they watch."""
    quality: str = ""
    """The rendition that progressive viewers name, such as 540p; by default the smallest."""
    bandwidth: str = ""
    """Their line, such as 2M (bits per second); by default nothing limits it but the network."""
    realtime: bool = True
    """Watch at the film's own pace; else fetch as fast as it comes."""
    viewings: int = Field(1, ge=1, le=1_000)
    """How many films each watches, one after the other."""
    pause_seconds: float = Field(1.0, ge=0, le=SECONDS_MAX)
    """Between two films of one viewer."""
    patience_seconds: float | None = Field(None, gt=0, le=3_600)
    """How long they wait for a server that says nothing; by default as long as the player does."""
    query: str = Field("", pattern="^[a-z0-9=&]*$")
    """What stands after the question mark of the URL that they watch."""


class Second(Noun):
    """The second distribution, which every play has: another provider's, with viewers called other-1 …"""

    origin: Literal["own", "same"] = "own"
    """Whether its titles are on an origin of its own, or on the first distribution's."""
    place: str = ""
    """Where its viewers are; by default the first place that has client networks."""
    count: int = Field(2, ge=1, le=100_000)
    """How many viewers it has."""
    over_seconds: float = Field(20.0, ge=0, le=SECONDS_MAX)
    """Over how long they arrive."""
    viewings: int = Field(2, ge=1, le=1_000)
    """How many films each watches, one after the other."""
    pause_seconds: float = Field(5.0, ge=0, le=SECONDS_MAX)
    """Between two films of one viewer."""


class Enemy(Noun):
    """An enemy. Hostile viewers have hosts of their own, enemy-1 …; a hostile origin stands in the place of
    the second distribution's origin, a lying name server in that of its provider's."""

    enemy: EnemyKind
    """What it is."""
    count: int = Field(1, ge=1, le=1_000)
    """How many hostile viewers, each with one address."""
    tricks: tuple[str, ...] = ()
    """What it does; by default all that every program withstands (`simulate/play/enemies` names them)."""
    per_second: float = Field(1.0, gt=0, le=1_000)
    """How many tricks a hostile viewer begins per second."""
    honest: float = Field(0.4, ge=0, le=1)
    """How probable it is that a hostile origin or name server does its duty for once."""
    from_seconds: float = Field(0.0, ge=0, le=SECONDS_MAX)
    """When it begins."""
    until_seconds: float = Field(90.0, gt=0, le=SECONDS_MAX)
    """When it has had enough, and leaves or does its duty."""


class Shape(Noun):
    """How a link behaves, in each direction."""

    latency_seconds: float = Field(LinkShape().latency_seconds, ge=0, le=60)
    """One way."""
    jitter_seconds: float = Field(0.0, ge=0, le=60)
    """Up to this much more, evenly spread."""
    bits_per_second: float | None = Field(None, gt=0)
    """Bandwidth; by default unlimited."""
    loss: float = Field(0.0, ge=0, le=1)
    """Probability that a packet is lost; in TCP a loss shows as a delay."""
    duplication: float = Field(0.0, ge=0, le=1)
    """Probability that a datagram arrives twice."""
    reordering: float = Field(0.0, ge=0, le=1)
    """Probability that a datagram is overtaken."""

    def link_shape(self) -> LinkShape:
        return LinkShape(**{name: getattr(self, name) for name in Shape.model_fields})


class NetworkShape(Shape):
    """Links that no `links` entry shapes, and how TCP cuts its bytes."""

    seeded_segments: bool = True
    """Cut and join byte streams at random places; else hand over each write whole."""


class Link(Shape):
    """The links between two groups of hosts; the last entry that fits counts."""

    one: str
    """Selector of the hosts at one end."""
    other: str
    """Selector of the hosts at the other end."""


class FaultRate(Noun):
    """Faults of one kind that strike at random moments, by the seed."""

    fault: str
    """The kind, as in `faults`."""
    per_minute: float = Field(gt=0, le=600)
    """How many strike per minute on average, over all hosts together."""
    host: str
    """Selector of the hosts (of links: of one end) that may be struck; chance picks one each time."""
    other: str = ""
    """Selector of a link's other end."""
    from_seconds: float = Field(0.0, ge=0, le=SECONDS_MAX)
    """When the first may strike."""
    until_seconds: float = Field(gt=0, le=SECONDS_MAX)
    """When the last may strike."""
    seconds_min: float = Field(1.0, ge=0, le=SECONDS_MAX)
    """How long one lasts at least, where its kind lasts."""
    seconds_max: float = Field(10.0, ge=0, le=SECONDS_MAX)
    """How long one lasts at most."""
    members: dict[str, Any] = Field(default_factory=dict)
    """Further members of the fault, such as { loss = 0.1 }."""


class Purge(Noun):
    """An order to content servers to drop what they hold."""

    at: float = Field(ge=0, le=SECONDS_MAX)
    """When, in seconds."""
    site: str = ""
    """Name of the distribution; by default the first."""
    title: str = ""
    """The title to drop, such as film1; by default everything of the site."""
    servers: str = "edge"
    """Selector of the content servers that are told."""


class Version(Noun):
    """A title's content is replaced on the origin by other content of the same shape."""

    at: float = Field(ge=0, le=SECONDS_MAX)
    """When, in seconds."""
    title: str
    """The title, such as film1."""


class Askers(Noun):
    """Hosts called asker-1, asker-2 … that only ask the resolver for names, those that are not there too."""

    count: int = Field(1, ge=0, le=1_000)
    """How many they are."""
    every_seconds: float = Field(1.0, gt=0, le=3_600)
    """How long each waits between two questions, on average."""


class Disks(Noun):
    """The content servers' disks."""

    capacity_megabytes: float | None = Field(None, gt=0)
    """How much fits, in units of 10^6 bytes; by default as much as the store wants."""
    latency_seconds: float = Field(0.0, ge=0, le=10)
    """How long every operation takes; the program stands still meanwhile."""


class Script(Noun):
    """A whole scenario file."""

    config: str
    """The configuration whose programs play, relative to the scenario's own file."""
    seconds: float = Field(gt=0, le=SECONDS_MAX)
    """When the play ends at the latest, in virtual seconds; whoever still watches then has not finished."""
    permute: bool = True
    """Let the seed order what happens at the same moment on different hosts."""
    films: Films = Films.model_validate({})
    network: NetworkShape = NetworkShape.model_validate({})
    disks: Disks = Disks.model_validate({})
    askers: Askers = Askers.model_validate({})
    audiences: tuple[Audience, ...] = Field(min_length=1)
    second: Second = Second.model_validate({})
    enemies: tuple[Enemy, ...] = ()
    swarm: bool = False
    """Draw the world from the seed too: servers, sizes, rates, stores, bounds (see `swarm`)."""
    links: tuple[Link, ...] = ()
    faults: tuple[dict[str, Any], ...] = ()
    """Faults at their times; each names its kind as `fault` and has that kind's members."""
    rates: tuple[FaultRate, ...] = ()
    purges: tuple[Purge, ...] = ()
    versions: tuple[Version, ...] = ()
