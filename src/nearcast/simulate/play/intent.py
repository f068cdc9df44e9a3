"""What the configuration of a play wants, in the few words that checkers and the plot need of it.

The one file of the play that reads the configuration's own structure, `placement` and `scenario` apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from nearcast.lab.config import Internet
from nearcast.model.snapshot import Revision, Server, control_snapshot

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Intent:
    """Times are seconds."""

    servers: dict[str, Server]
    """Content servers by name."""
    own: tuple[tuple[Network, str], ...]
    """Networks of ISPs, and the PoP that stands inside."""
    host: str
    """The first name under which the first distribution is watched."""
    site: str
    """The name of the first distribution."""
    names: tuple[str, ...]
    """Every name whose addresses are selected for whoever asks: the distribution's own and its shards."""
    stale_on_error: float
    """How long beyond its lifetime content may be served when the origin fails."""
    resolver: str
    dns_port: int
    http_port: int
    """Where viewers find content."""
    origin_port: int
    answer_ttl: float
    found_out: float
    """How long the router's probes take at most to find out that a server went away."""
    believed: float
    """How long they take at most to believe that it is back."""
    addresses_max: int
    """In one answer."""
    spill_load: float


def intent_of(internet: Internet) -> Intent:
    """What the configuration of `internet` wants."""
    config, lab = internet.config, internet.lab
    fleet = control_snapshot(Revision(1, config))
    health, first = config.health, config.distributions[0]
    probe = health.probe_seconds + health.probe_timeout_seconds
    site = fleet.sites[first.name]
    shards = (f"s{number:02d}.{site.cdn_host}" for number in range(config.cdn.shards))
    return Intent(
        servers=dict(fleet.servers),
        own=tuple((network, pop.name) for pop in config.pops for network in pop.prefixes),
        host=first.hosts[0],
        site=first.name,
        names=(*first.hosts, site.cdn_host, *shards),
        stale_on_error=site.stale_if_error_seconds,
        resolver=str(lab.resolver),
        dns_port=lab.dns_port,
        origin_port=lab.http_port,
        http_port=config.ports.http,
        answer_ttl=config.cdn.answer_ttl_seconds,
        found_out=health.failures_until_down * probe,
        believed=health.successes_until_up * probe,
        addresses_max=config.cdn.answer_addresses_max,
        spill_load=config.cdn.spill_load,
    )
