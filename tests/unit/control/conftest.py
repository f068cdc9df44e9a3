"""A control program over a CDN of stand-ins."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from nearcast.control.program import start_control
from nearcast.serve.http_client import HttpClient

spec = importlib.util.spec_from_file_location("fake_cdn", Path(__file__).with_name("fake_cdn.py"))
assert spec and spec.loader
fake_cdn = sys.modules["fake_cdn"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fake_cdn)


class Answered:
    """What the control program answered."""

    def __init__(self, status: int, fields: dict[str, str], body: bytes) -> None:
        self.status, self.fields, self.body = status, fields, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Caller:
    """Asks the control program."""

    def __init__(self, cdn: Any) -> None:
        self.cdn = cdn
        self._client = HttpClient()

    async def __call__(
        self, method: str, target: str, order: Any = None, fields: dict[str, str] | None = None
    ) -> Answered:
        address, port = self.cdn.control
        sent = {"host": f"{address}:{port}", **(fields or {})}
        body = b""
        if order is not None:
            sent.setdefault("content-type", "application/json")
            body = json.dumps(order).encode()
        async with self._client.request(method, (address, port), target, sent, body) as incoming:
            return Answered(incoming.head.status, dict(incoming.head.fields), await incoming.read(1 << 24))

    async def close(self) -> None:
        await self._client.close()


Play = Callable[[Callable[[Any, Caller], Awaitable[None]]], None]


@pytest.fixture
def play() -> Play:
    """`play(async (cdn, call) → …)`: with the CDN of stand-ins and a control program running."""

    def run(scene: Callable[[Any, Caller], Awaitable[None]]) -> None:
        async def main() -> None:
            cdn = fake_cdn.FakeCdn()
            await cdn.start()
            program = await start_control(
                cdn.snapshot, cdn.catalogue, clock=lambda: fake_cdn.NOW, viewers=cdn.viewers
            )
            call = Caller(cdn)
            try:
                await scene(cdn, call)
            finally:
                await call.close()
                await program.drain(2)
                cdn.stop()

        asyncio.run(main())

    return run
