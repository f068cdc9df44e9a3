"""The provider's own web server: it sends visitors of the apex to the name that the CDN serves.

`movie.test` cannot be handed over by CNAME (RFC 1912 2.4: no other records may stand beside a CNAME,
and an apex has its SOA and NS), so the provider answers there itself, and redirects to `www`.
"""

from __future__ import annotations

from collections.abc import Callable

from nearcast.serve.http_server import Exchange, listen_http
from nearcast.serve.program import Running
from nearcast.wire.addresses import authority_text


def to_www(zone: str, port: int) -> Callable[[Exchange], None]:
    """The application: every GET is redirected to the same target at `www.<zone>`."""
    authority = authority_text(f"www.{zone}", port)

    def answer(exchange: Exchange) -> None:
        if exchange.request.method not in ("GET", "HEAD"):
            exchange.respond(405, {"allow": "GET, HEAD"})
            return
        location = f"http://{authority}{exchange.request.target}"
        exchange.respond(301, {"location": location, "cache-control": "max-age=300"})

    return answer


async def start_apex(zone: str, address: str, port: int, *, clock: Callable[[], float]) -> Running:
    """Serve the apex of `zone` on `address`:`port`."""
    return await listen_http(to_www(zone, port), address, port, clock=clock)
