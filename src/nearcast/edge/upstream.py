"""Asking the origin: which fields go there, one more attempt where that is safe, and whose fault it was.

Only what identifies the object is asked for: no field of the viewer goes upstream except the trace of
the way it came (Via, CDN-Loop) and, for an answer that is for one viewer alone, its Authorization. All
is asked for in the identity coding, whole and unconditionally, unless we hold a stale copy to confirm.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

from nearcast.cache.entry import ObjectHead
from nearcast.model.faults import UpstreamFault
from nearcast.model.snapshot import Site
from nearcast.serve.http_client import HttpClient, Incoming
from nearcast.wire.http.message import HOP_BY_HOP, Fields

RETRY_SECONDS_MAX = 0.05  # a moment's pause, of random length, before the second attempt


class Upstream:
    """The way to the origins. `host` is our own name, for Via and CDN-Loop."""

    def __init__(self, client: HttpClient, host: str, rng: Random) -> None:
        self._client = client
        self._rng = rng
        self.host = host

    @asynccontextmanager
    async def fetch(
        self, site: Site, target: str, fields: Fields, held: ObjectHead | None
    ) -> AsyncIterator[Incoming]:
        """GET `target` from the origin of `site`. `fields` come from `forwarded`; `held` is to be confirmed.

        Asks a second time when the first attempt failed early and safely. Raises UpstreamFault.
        """
        origin = site.origin
        asked = {"host": origin.host, "accept-encoding": "identity", **fields, **_confirming(held)}
        address = (origin.address, origin.port)
        async with AsyncExitStack() as stack:
            try:
                incoming = await stack.enter_async_context(
                    self._client.request("GET", address, target, asked)
                )
            except UpstreamFault as fault:
                if not fault.retry_safe or timed_out(fault):  # who waited once must not wait twice
                    raise
                await asyncio.sleep(self._rng.random() * RETRY_SECONDS_MAX)
                incoming = await stack.enter_async_context(
                    self._client.request("GET", address, target, asked)
                )
            yield incoming

    def forwarded(self, fields: Fields) -> dict[str, str]:
        """What of a request's fields goes upstream."""
        return {
            "via": _appended(fields.get("via"), f"1.1 {self.host}"),
            "cdn-loop": _appended(fields.get("cdn-loop"), self.host),
        }

    def was_here(self, fields: Fields) -> bool:
        """The request has come through us before (RFC 8586)."""
        if "cdn-loop" not in fields:
            return False
        ways = fields["cdn-loop"].lower().split(",")
        return any(way.partition(";")[0].strip() == self.host for way in ways)

    def passed_on(self, fields: Fields) -> dict[str, str]:
        """What of a response's fields goes on to viewers; Via says that it came through us."""
        named = {name.strip().lower() for name in fields.get("connection", "").split(",")}
        kept = {
            name: text
            for name, text in fields.items()
            if name not in HOP_BY_HOP and name not in named and name != "content-length"
        }
        kept["via"] = _appended(fields.get("via"), f"1.1 {self.host}")
        return kept


def timed_out(fault: UpstreamFault) -> bool:
    """Whether the upstream was too slow, rather than wrong."""
    return fault.timed_out


def _confirming(held: ObjectHead | None) -> Mapping[str, str]:
    if held is None:
        return {}
    if held.etag is not None:
        return {"if-none-match": held.etag}
    return {} if held.last_modified is None else {"if-modified-since": held.last_modified}


def _appended(before: str | None, ours: str) -> str:
    return f"{before}, {ours}" if before else ours
