"""The router over HTTP: whoever asks it for content is sent to the server that DNS would have named.

For clients that cannot be told apart by DNS (a resolver far away, one that hides its clients). The
answer is 302 with `no-store`: the next request is decided anew.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import parse_qsl

from nearcast.model.snapshot import RouterSnapshot, Site
from nearcast.router.selected import Decided, Ring
from nearcast.selection.decide import Selector
from nearcast.selection.decision import Decision
from nearcast.serve.http_server import Application, Exchange
from nearcast.wire.addresses import IpAddress, authority_text
from nearcast.wire.http.cross_origin import METHODS, OPEN_TO_ALL, PREFLIGHT
from nearcast.wire.http.message import Fields, HttpFault

RETRY_AFTER_SECONDS = 2
_FOR_ONCE: Fields = {**OPEN_TO_ALL, "cache-control": "no-store"}


def redirect(current: Callable[[], Selector], ring: Ring, clock: Callable[[], float]) -> Application:
    """The HTTP application that redirects by the `current` Selector."""

    def answer(exchange: Exchange) -> None:
        request = exchange.request
        if request.method == "OPTIONS":
            exchange.respond(204, PREFLIGHT)
            return
        if request.method not in ("GET", "HEAD"):
            exchange.respond(405, {**_FOR_ONCE, "allow": METHODS})
            return
        selector = current()
        site = selector.snapshot.site_for(request.host) or selector.snapshot.sole_site
        if site is None:
            exchange.respond(404, _FOR_ONCE, b"No distribution has this host name.\n")
            return
        client, target = stand_in(request.target, exchange.peer[0])
        decision = decide_for(selector, site, request.host, client)
        ring.append(Decided(clock(), request.host or site.cdn_host, str(client), decision))
        if not decision.servers:
            fields = {**_FOR_ONCE, "retry-after": str(RETRY_AFTER_SECONDS)}
            exchange.respond(503, fields, b"No content server is healthy.\n")
            return
        server = decision.servers[0]
        authority = authority_text(server.address, server.http_port)
        exchange.respond(302, {**_FOR_ONCE, "location": f"http://{authority}{target}"})

    return answer


def decide_for(selector: Selector, site: Site, host: str, client: IpAddress) -> Decision:
    """The decision for a client address that asks for `host`."""
    return selector.decide(selector.locate(client).zone, site, shard_of(host, selector.snapshot))


def shard_of(host: str, snapshot: RouterSnapshot) -> str:
    """The shard that `host` names ("s07.movie.cdn.test" → "s07"); "" for any other name."""
    return "" if host in snapshot.site_of_host or snapshot.site_for(host) is None else host.partition(".")[0]


def stand_in(target: str, peer: str) -> tuple[IpAddress, str]:
    """The client's address, and the target to send it to.

    A peer on this machine may speak for another client (`?client=203.0.113.7`): so the lab shows far
    viewers. Nobody else may; the parameter then is the content's own. Raises HttpFault.
    """
    address = ip_address(peer)
    path, mark, query = target.partition("?")
    if not mark or not address.is_loopback:
        return address, target
    kept = []
    for parameter in query.split("&"):
        name, _, value = parameter.partition("=")
        if name == "client":
            address = client_address(dict(parse_qsl(parameter)).get("client", value))
        else:
            kept.append(parameter)
    return address, f"{path}?{'&'.join(kept)}" if kept else path


def client_address(text: str) -> IpAddress:
    """The address written `text`. Raises HttpFault."""
    try:
        return ip_address(text)
    except ValueError:
        raise HttpFault(400, f"client={text[:80]!a} is no IP address, such as 203.0.113.7") from None
