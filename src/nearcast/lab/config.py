"""What `[lab]` in a configuration file says: the small internet around the CDN.

A `Config` knows nothing of it. `read_internet` reads both from one file and reports the mistakes of both,
and those between them, at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import Field

from nearcast.model.checks import cdn_endpoints, known_place
from nearcast.model.config import AddressField, Config, DomainName, Label, Noun, Port
from nearcast.model.faults import Mistake, OperatorFault
from nearcast.model.read import LAB, checked_config, counted, parse_document, text_in, validated


class Provider(Noun):
    """The provider's own name server and web server."""

    zone: DomainName
    """The provider's zone, such as movie.test; its `www` is handed over to the CDN."""
    address: AddressField
    """Address of its name server and of its web server (the apex cannot be a CNAME, RFC 1912 2.4)."""


class LabViewer(Noun):
    """Somebody who watches in the demo."""

    name: Label
    """How the demo calls the viewer."""
    place: str
    """Where the viewer is."""
    client: AddressField
    """The address that the resolver reports as client subnet."""
    address: AddressField
    """The loopback address the viewer's program really sends from."""


class Lab(Noun):
    """The small internet that the lab puts around the CDN."""

    resolver: AddressField
    """The viewers' local resolver."""
    root: AddressField
    """The root name server."""
    top: AddressField
    """The name server of the top-level domains used here."""
    origin: AddressField
    """The origin server."""
    dns_port: Port = 5300
    """Port of every name server and of the resolver."""
    http_port: Port = 8080
    """Port of the origin and of the providers' web servers."""
    admin_port: Port = 8081
    """Port of the resolver's administration."""
    providers: tuple[Provider, ...] = Field(min_length=1)
    viewers: tuple[LabViewer, ...] = ()


@dataclass(frozen=True)
class Internet:
    """A CDN and the small internet around it."""

    config: Config
    lab: Lab

    def with_viewers(self, viewers: tuple[LabViewer, ...]) -> Internet:
        """The same with others who watch."""
        return replace(self, lab=self.lab.model_copy(update={"viewers": viewers}))


def read_internet(path: Path) -> Internet:
    """The CDN and the lab in the file at `path`; OperatorFault names every mistake in it."""
    return parse_internet(
        text_in(path, f"there is no configuration file {path}; name one with --config"), str(path)
    )


def parse_internet(text: str, source: str = "configuration") -> Internet:
    """The CDN and the lab in `text`; `source` is how messages call it."""
    document = parse_document(text, source)
    config, mistakes = checked_config(document)
    lab, lab_mistakes = _lab(document)
    mistakes += lab_mistakes
    if config is not None and lab is not None:
        mistakes += _between(config, lab)
    if mistakes or config is None or lab is None:
        raise OperatorFault(f"{source} has {counted(mistakes)}; nothing was changed", mistakes)
    return Internet(config, lab)


def _lab(document: Mapping[str, Any]) -> tuple[Lab | None, list[Mistake]]:
    if LAB not in document:
        remedy = "missing; describe the internet around the CDN (see examples/demo.toml)"
        return None, [Mistake(LAB, None, remedy)]
    lab, mistakes = validated(Lab, document[LAB])
    return lab, [mistake._replace(path=_below_lab(mistake.path)) for mistake in mistakes]


def _below_lab(path: str) -> str:
    return LAB if path == "file" else f"{LAB}.{path}"


def _between(config: Config, lab: Lab) -> Iterator[Mistake]:
    """Every mistake between the lab and the CDN in it."""
    places = {place.name for place in config.places}
    for index, viewer in enumerate(lab.viewers):
        yield from known_place(f"{LAB}.viewers.{index}.place", viewer.place, places)
    for index, provider in enumerate(lab.providers):
        if provider.zone == config.cdn.zone:
            remedy = "the CDN's zone; give the provider a zone of its own"
            yield Mistake(f"{LAB}.providers.{index}.zone", provider.zone, remedy)
    for index, router in enumerate(config.routers):
        port = router.dns_port or config.ports.dns
        if port != lab.dns_port:
            path = f"routers.{index}.dns_port" if router.dns_port else "ports.dns"
            remedy = f"the lab's resolver asks every name server on {LAB}.dns_port, {lab.dns_port}; use that"
            yield Mistake(path, port, remedy)
    yield from _endpoints(config, lab)


def _endpoints(config: Config, lab: Lab) -> list[Mistake]:
    """Programs of the lab that would listen where another does already."""
    endpoints = cdn_endpoints(config)
    known = len(endpoints.mistakes)  # told by the CDN's own check
    dns, http, admin = (
        (f"{LAB}.{name}", getattr(lab, name)) for name in ("dns_port", "http_port", "admin_port")
    )
    endpoints.add(f"{LAB}.resolver", lab.resolver, dns, admin)
    endpoints.add(f"{LAB}.root", lab.root, dns)
    endpoints.add(f"{LAB}.top", lab.top, dns)
    endpoints.add(f"{LAB}.origin", lab.origin, http)
    for index, provider in enumerate(lab.providers):
        endpoints.add(f"{LAB}.providers.{index}.address", provider.address, dns, http)
    return endpoints.mistakes[known:]
