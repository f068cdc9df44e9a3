"""Distributions of a play: there are always two, so that what one does to the other can be seen.

A configuration that has one gets a second: another provider, with a name server, an origin and viewers of
its own. With an origin of its own it has titles of the same names with other bytes, so that a key that
forgets whose content it is shows at once; on the first one's origin its titles are called otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address

from nearcast.assembly.roles import Role
from nearcast.model.config import Config, Distribution, IpAddress, Provider
from nearcast.simulate.play.oracle import Oracle
from nearcast.simulate.play.script import Audience, Script, Second

SECOND = "other"
ADDRESSES_FROM = IPv4Address("10.254.0.1")


def with_second(script: Script, config: Config) -> tuple[Script, Config]:
    """`script` and `config` with a second distribution and its viewers, unless there are several already."""
    if len(config.distributions) > 1:
        return script, config
    first, internet, second = config.distributions[0], config.internet, script.second
    zone = f"{SECOND}.{internet.providers[0].zone.rpartition('.')[2]}"
    own_origin = f"http://{ADDRESSES_FROM + 1}:{internet.http_port}"
    other = first.model_copy(
        update={
            "name": SECOND,
            "hosts": (f"www.{zone}",),
            "origin": own_origin if second.origin == "own" else first.origin,
        }
    )
    providers = (*internet.providers, Provider(zone=zone, address=ADDRESSES_FROM))
    wider = config.model_copy(
        update={
            "distributions": (first, other),
            "internet": internet.model_copy(update={"providers": providers}),
        }
    )
    audiences = (*script.audiences, _viewers(second, config))
    return script.model_copy(update={"audiences": audiences}), wider


def _viewers(second: Second, config: Config) -> Audience:
    place = second.place or next((each.name for each in config.places if each.prefixes), "")
    return Audience.model_validate(
        {
            "name": SECOND,
            "site": SECOND,
            "place": place,
            "count": second.count,
            "over_seconds": second.over_seconds,
            "viewings": second.viewings,
            "pause_seconds": second.pause_seconds,
        }
    )


def distribution_of(config: Config, site: str) -> Distribution:
    """The distribution called `site`; the first one where no name is said."""
    named = (each for each in config.distributions if each.name == site)
    return next(named, config.distributions[0])


def _origin_address(distribution: Distribution) -> str:
    return distribution.origin.rpartition("/")[2].rpartition(":")[0]


def origin_name(config: Config, distribution: Distribution) -> str:
    """The host on which a distribution's origin stands."""
    address = _origin_address(distribution)
    sharing = (each for each in config.distributions if _origin_address(each) == address)
    return "origin" if address == str(config.internet.origin) else f"origin-{next(sharing).name}"


def further_origins(config: Config) -> list[Role]:
    """The origins beside that of the first distribution."""
    addresses = {origin_name(config, each): _origin_address(each) for each in config.distributions}
    return [Role(name, "origin", address) for name, address in addresses.items() if name != "origin"]


def providers_of(config: Config, distribution: Distribution) -> list[str]:
    """The hosts of the name servers that a distribution's names lead through."""
    return [
        each.zone
        for each in config.internet.providers
        if any(host == each.zone or host.endswith(f".{each.zone}") for host in distribution.hosts)
    ]


def titles_of(script: Script, config: Config, distribution: Distribution) -> list[str]:
    """The names of a distribution's titles: film1, film2 …; show1 where it is a guest on another's origin."""
    first = config.distributions[0]
    if distribution == first:
        return [f"film{number}" for number in range(1, script.films.titles + 1)]
    return ["film1" if origin_name(config, distribution) != origin_name(config, first) else "show1"]


def oracles_by_origin(script: Script, config: Config, now: Callable[[], float]) -> dict[str, Oracle]:
    """What every origin has: an oracle by the name of its host. No two origins have a byte in common."""
    titles: dict[str, list[str]] = {}
    for each in config.distributions:
        titles.setdefault(origin_name(config, each), []).extend(titles_of(script, config, each))
    return {
        origin: Oracle(script.films, names, now, noise="" if origin == "origin" else origin)
        for origin, names in titles.items()
    }


def provider_address(config: Config, zone: str) -> IpAddress:
    """The address of a provider's name server."""
    return next(each.address for each in config.internet.providers if each.zone == zone)
