"""Distributions of a play: there are always two, so that what one does to the other can be seen.

A configuration that has one gets a second: another provider, with a name server and viewers of its own, and
with other titles, on an origin of its own or as a guest on the first one's. Both have a page called `WHOSE`
that says whose it is: the one name that they have in common.
"""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address

from nearcast.lab.config import Internet, Provider
from nearcast.model.config import Distribution
from nearcast.origin.content import Content, ContentSource, content_tag
from nearcast.simulate.play.script import Audience, Script, Second

SECOND = "other"
WHOSE = "whose.txt"
ADDRESSES_FROM = IPv4Address("10.254.0.1")
SHOW = "show1"


def with_second(script: Script, internet: Internet) -> tuple[Script, Internet]:
    """`script` and `internet` with a second distribution and its viewers, unless there are several."""
    config, lab = internet.config, internet.lab
    if len(config.distributions) > 1:
        return script, internet
    first, second = config.distributions[0], script.second
    zone = f"{SECOND}.{lab.providers[0].zone.rpartition('.')[2]}"
    own_origin = f"http://{ADDRESSES_FROM + 1}:{lab.http_port}"
    changed = {"name": SECOND, "hosts": (f"www.{zone}",)}
    changed["origin"] = own_origin if second.origin == "own" else first.origin
    both = (first, first.model_copy(update=changed))
    provider = Provider(zone=zone, address=ADDRESSES_FROM)
    wider = dataclasses.replace(
        internet,
        config=config.model_copy(update={"distributions": both}),
        lab=lab.model_copy(update={"providers": (*lab.providers, provider)}),
    )
    audiences = (*script.audiences, _viewers(second, internet))
    return script.model_copy(update={"audiences": audiences}), wider


def _viewers(second: Second, internet: Internet) -> Audience:
    place = next((each.name for each in internet.config.places if each.prefixes), "")
    return Audience.model_validate(
        {
            "name": SECOND,
            "site": SECOND,
            "place": second.place or place,
            "count": second.count,
            "over_seconds": second.over_seconds,
            "viewings": second.viewings,
            "pause_seconds": second.pause_seconds,
        }
    )


class Distributions:
    """Who has which titles, on which origin, below whose names. Origins are named by their hosts."""

    def __init__(self, script: Script, internet: Internet) -> None:
        self.sites = [each.name for each in internet.config.distributions]
        self._films = [f"film{number}" for number in range(1, script.films.titles + 1)]
        self._by_site = {each.name: each for each in internet.config.distributions}
        self._lab = internet.lab

    def named(self, site: str) -> Distribution:
        """The distribution called `site`; the first one where no name is said."""
        return self._by_site[site or self.sites[0]]

    def titles(self, site: str) -> list[str]:
        """The names of a distribution's titles."""
        return self._films if (site or self.sites[0]) == self.sites[0] else [SHOW]

    def site_of(self, path: str) -> str:
        """Whose content a URL path names."""
        shown = path.lstrip("/").partition("/")[0] == SHOW
        return self.sites[-1] if shown else self.sites[0]

    def origin(self, site: str) -> str:
        """The host on which a distribution's origin stands."""
        address = self.origin_address(site)
        return "origin" if address == str(self._lab.origin) else f"origin-{self.named(site).name}"

    def origin_address(self, site: str) -> str:
        return self.named(site).origin.rpartition("/")[2].rpartition(":")[0]

    def further_origins(self) -> dict[str, str]:
        """The origins beside that of the lab: their hosts and addresses."""
        found = {self.origin(site): self.origin_address(site) for site in self.sites}
        return {name: address for name, address in found.items() if name != "origin"}

    def providers(self, site: str) -> list[str]:
        """The hosts of the name servers that a distribution's names lead through."""
        hosts = self.named(site).hosts
        zones = [each.zone for each in self._lab.providers]
        return [zone for zone in zones if any(host == zone or host.endswith(f".{zone}") for host in hosts)]

    def provider_address(self, zone: str) -> str:
        """The address of a provider's name server."""
        return next(str(each.address) for each in self._lab.providers if each.zone == zone)

    def whose(self, origin: str) -> str:
        """What an origin's own page says."""
        return f"This belongs to {origin}.\n"


class OfOrigin:
    """What one origin has of everything there is. Satisfies `ContentSource`."""

    def __init__(self, everything: ContentSource, distributions: Distributions, origin: str) -> None:
        self._everything = everything
        self._distributions = distributions
        self._origin = origin

    def find(self, name: str) -> Content | None:
        if name == WHOSE:
            octets = self._distributions.whose(self._origin).encode()
            return Content(name, content_tag(octets), 0.0, memoryview(octets))
        site = self._distributions.site_of(name)
        return self._everything.find(name) if self._distributions.origin(site) == self._origin else None
