"""The operator of a play: gives orders to content servers, and asks them what they hold."""

from __future__ import annotations

import json
from typing import Any

from nearcast.model.snapshot import Server
from nearcast.serve.http_client import ClientLimits, HttpClient

REPORT_BYTES_MAX = 1024 * 1024
PATIENCE = ClientLimits(connect_seconds=1.0, head_seconds=2.0, stall_seconds=2.0)


async def order_purge(server: Server, site: str, targets: list[str] | None) -> int:
    """Have `server` drop these targets of `site`, or all; the status of its answer. Raises UpstreamFault."""
    order: dict[str, Any] = {"site": site}
    if targets is None:
        order["all"] = True
    else:
        order["targets"] = targets
    status, _ = await _ask(server, "POST", "/purge", json.dumps(order).encode())
    return status


async def ask_account(server: Server) -> tuple[int, int] | None:
    """Bytes and objects that `server` says it holds; None when it does not say. Raises UpstreamFault."""
    status, body = await _ask(server, "GET", "/stats", b"")
    page = json.loads(body) if status == 200 else {}
    return (page["cached_bytes"], page["objects"]) if "cached_bytes" in page else None


async def _ask(server: Server, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    client = HttpClient(PATIENCE)
    address = (server.address, server.admin_port)
    fields = {"host": server.host, "content-type": "application/json"}
    try:
        async with client.request(method, address, path, fields, body) as incoming:
            return incoming.head.status, await incoming.read(REPORT_BYTES_MAX)
    finally:
        await client.close()
