"""Roles: every program of a CDN, startable anywhere."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from nearcast.assembly.roles import RoleDependencies, cdn_roles
from nearcast.cache.disk import PosixDisk
from nearcast.lab.config import Internet
from nearcast.model.config import Serving
from nearcast.model.snapshot import Revision
from nearcast.origin.content import MemorySource
from nearcast.serve.http_client import HttpClient
from nearcast.serve.loop import run


def test_every_content_server_and_router_is_a_role(example: Callable[[str], Internet]) -> None:
    roles = cdn_roles(Revision(1, example("demo").config))
    assert {role.name: role.kind for role in roles} == {
        **dict.fromkeys(("ia1", "ia2", "ord1", "ord2", "fra1", "fra2"), "edge"),
        "router": "router",
    }


@pytest.mark.parametrize("kept", [True, False])
def test_an_access_log_is_kept_when_the_configuration_says_so(
    example: Callable[[str], Internet], tmp_path: Path, kept: bool
) -> None:
    config = example("demo").config.model_copy(update={"serving": Serving(access_log=kept)})
    written: list[bytes] = []
    use = RoleDependencies(
        lambda: 1000.0, random.Random(1), lambda: PosixDisk(tmp_path), MemorySource({}), None, written.append
    )

    async def main() -> None:
        role = next(each for each in cdn_roles(Revision(1, config)) if each.name == "ia2")
        edge = await role.start(use)
        client = HttpClient()
        place = role.addresses[0], config.ports.http
        async with client.request("GET", place, "/", {"host": "nobody.test"}) as incoming:
            assert incoming.head.status == 421
        await client.close()
        await edge.drain(1)

    run(main())
    assert bool(written) is kept
