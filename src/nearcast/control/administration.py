"""Asks the other programs on their admin ports, and passes orders on to them.

Every answer is either the program's JSON or one sentence why there is none: whoever reads a status
page wants to see that a server is away, not that the page is.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from nearcast.model.faults import UpstreamFault
from nearcast.model.snapshot import ControlSnapshot, Server
from nearcast.serve.http_client import ClientLimits, HttpClient
from nearcast.wire.addresses import IpAddress, authority_text
from nearcast.wire.json_text import read_json

ANSWER_BYTES_MAX = 4 * 1024 * 1024

# A question is answered at once or the program is in trouble; a warm fetches a whole title first.
_QUESTION = ClientLimits(connect_seconds=1.0, head_seconds=2.0, stall_seconds=2.0)
_ORDER = ClientLimits(connect_seconds=1.0, head_seconds=600.0, stall_seconds=60.0)


@dataclass(frozen=True, slots=True)
class AdminReply:
    """What a program answered: its JSON (with any status), or the trouble with asking it."""

    status: int = 0
    document: Any = None
    trouble: str | None = None

    @property
    def ok(self) -> bool:
        return self.trouble is None and 200 <= self.status < 300

    @property
    def why_not(self) -> str | None:
        """None when all is well; else the trouble, or the program's own words."""
        if self.ok or self.trouble is not None:
            return self.trouble
        own = (
            self.document.get("error") or self.document.get("detail")
            if isinstance(self.document, dict)
            else ""
        )
        return f"answered {self.status}" + (f": {own}" if own else "")


class Administration:
    """The admin ports of one Snapshot's programs."""

    def __init__(self, snapshot: ControlSnapshot) -> None:
        self._router = next(iter(snapshot.routers.values()))
        self._questions = HttpClient(_QUESTION)
        self._orders = HttpClient(_ORDER)

    async def close(self) -> None:
        """Close the kept connections."""
        await self._questions.close()
        await self._orders.close()

    async def conditions(self) -> AdminReply:
        """How the router sees the content servers."""
        return await self._ask_router("/conditions")

    async def decisions(self) -> AdminReply:
        """The router's latest decisions."""
        return await self._ask_router("/decisions")

    async def explain(self, name: str, client: IpAddress) -> AdminReply:
        """What the router would decide for `client` asking for `name`."""
        return await self._ask_router("/explain?" + urlencode({"name": name, "client": str(client)}))

    async def statistics(self, server: Server) -> AdminReply:
        """What a content server has counted."""
        return await self._exchange(self._questions, "GET", server.address, server.admin_port, "/stats")

    async def order(self, server: Server, path: str, order: dict[str, Any]) -> AdminReply:
        """Have a content server do `order` (`/warm` or `/purge`)."""
        body = json.dumps(order).encode()
        return await self._exchange(self._orders, "POST", server.address, server.admin_port, path, body)

    async def _ask_router(self, target: str) -> AdminReply:
        router = self._router
        return await self._exchange(self._questions, "GET", router.address, router.admin_port, target)

    async def _exchange(
        self, client: HttpClient, method: str, address: str, port: int, target: str, body: bytes = b""
    ) -> AdminReply:
        fields = {"host": authority_text(address, port)}
        if body:
            fields["content-type"] = "application/json"
        try:
            async with client.request(method, (address, port), target, fields, body) as incoming:
                octets = await incoming.read(ANSWER_BYTES_MAX)
                return AdminReply(incoming.head.status, read_json(octets) if octets else {})
        except UpstreamFault as fault:
            return AdminReply(trouble=fault.sentence)
        except ValueError:
            return AdminReply(trouble="answered something that is not JSON")


async def at_once(*questions: Any) -> list[Any]:
    """Ask all at the same time; the answers in the order of the questions."""
    return await asyncio.gather(*questions)
