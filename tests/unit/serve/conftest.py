"""Every test of the socket layer runs on uvloop and on asyncio's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

RunOn = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=["uvloop", "asyncio"])
def run_on(request: pytest.FixtureRequest) -> RunOn:
    """Runs a coroutine to its end; anything a loop would only log fails the test."""
    factory = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}[request.param]

    def run(main: Coroutine[Any, Any, Any]) -> Any:
        complaints: list[dict[str, Any]] = []

        async def watched() -> Any:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
            async with asyncio.timeout(20):
                return await main

        try:
            with asyncio.Runner(loop_factory=factory) as runner:
                return runner.run(watched())
        finally:
            assert not complaints

    return run
