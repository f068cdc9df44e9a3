"""Administration pages: JSON, plain text, and faults that say what would have been right."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from nearcast.serve.admin import administration
from nearcast.serve.http_client import HttpClient
from nearcast.serve.http_server import listen_http
from nearcast.wire.http.message import HttpFault

RunOn = Callable[[Coroutine[Any, Any, Any]], Any]


def strict(parameters: Any) -> Any:
    raise HttpFault(400, "no")


def test_pages(run_on: RunOn) -> None:
    async def scene() -> None:
        pages = {"/metrics": lambda _: "a 1\n", "/echo": dict, "/strict": strict}
        listener = await listen_http(administration(pages), "127.0.0.1", 0, clock=lambda: 0.0)
        client = HttpClient()

        async def get(target: str, method: str = "GET") -> tuple[int, str, bytes]:
            async with client.request(
                method, ("127.0.0.1", listener.port), target, {"host": "a"}
            ) as incoming:
                kind = incoming.head.fields["content-type"].partition(";")[0]
                return incoming.head.status, kind, await incoming.read(1000)

        assert await get("/metrics") == (200, "text/plain", b"a 1\n")
        status, kind, body = await get("/echo?name=a%20b&last=")
        assert (status, kind, json.loads(body)) == (200, "application/json", {"name": "a b", "last": ""})
        assert (await get("/strict"))[0] == 400
        status, _, body = await get("/nope")
        assert status == 404 and "/metrics, /echo" in json.loads(body)["error"]
        assert (await get("/echo", "POST"))[0] == 405
        assert (await get("/echo", "HEAD"))[::2] == (200, b"")
        await client.close()
        await listener.drain(1)

    run_on(scene())
