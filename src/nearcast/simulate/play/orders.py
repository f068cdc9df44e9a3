"""The operator of a play: gives orders to content servers, and asks them what they hold."""

from __future__ import annotations

import json
from typing import Any

from nearcast.model.snapshot import Server
from nearcast.serve.http_client import ClientLimits, HttpClient

REPORT_BYTES_MAX = 1024 * 1024
PATIENCE = ClientLimits(connect_seconds=1.0, head_seconds=2.0, stall_seconds=2.0)


async def order_purge(server: Server, site: str, targets: list[str] | None) -> bool:
    """Have `server` drop these targets of `site`, or all. Whether it says that it did; or UpstreamFault."""
    order: dict[str, Any] = {"site": site}
    if targets is None:
        order["all"] = True
    else:
        order["targets"] = targets
    return await _ask(server, "POST", "/purge", json.dumps(order).encode()) is not None


async def ask_account(server: Server) -> tuple[int, int] | None:
    """Bytes and objects that `server` says it holds; None when it does not say. Raises UpstreamFault."""
    page = await _ask(server, "GET", "/stats", b"")
    return None if page is None else (page["cached_bytes"], page["objects"])


async def _ask(server: Server, method: str, path: str, body: bytes) -> dict[str, Any] | None:
    """The page it answers with; None when it refuses, or is somebody else."""
    client = HttpClient(PATIENCE)
    address = (server.address, server.admin_port)
    fields = {"host": server.host, "content-type": "application/json"}
    try:
        async with client.request(method, address, path, fields, body) as incoming:
            read = await incoming.read(REPORT_BYTES_MAX)
            page = json.loads(read) if incoming.head.status == 200 else None
    except ValueError:
        return None
    else:
        return page if isinstance(page, dict) else None
    finally:
        await client.close()
