"""Swarm: the world of a play drawn from its seed too, so that rare combinations come up.

Which PoPs and how many servers, how large stores and films, how fast links, how short answers live, and the
bounds inside programs (`bounds`): every seed is another CDN. Equal seeds are equal worlds. What a scenario
names (its audiences, titles, places, rates) stays; content servers are drawn, so `swarm` goes with rates and
not with faults that name one.

A. Groce et al., "Swarm testing", ISSTA 2012: leaving features out finds what the sum of all features hides.
"""

from __future__ import annotations

import dataclasses
import random
from ipaddress import IPv4Address
from typing import Any, TypeVar

from nearcast.lab.config import Internet
from nearcast.model.config import Config, ContentServer, Noun, Pop
from nearcast.simulate.play.scenario import Scenario
from nearcast.simulate.play.script import Script

SERVERS_FROM = IPv4Address("10.253.0.1")
SERVERS_MAX = 3  # of one PoP

CDN = {"answer_ttl_seconds": (1, 4, 30), "answer_addresses_max": (1, 2, 3), "shards": (1, 8, 32)}
HEALTH = {"probe_seconds": (0.25, 0.5, 1.0), "failures_until_down": (2, 3), "successes_until_up": (1, 2)}
SERVER = {"cache_megabytes": (1, 3, 20, 1024), "capacity_megabits_per_second": (50.0, 200.0, 1000.0)}
SERVING = {
    "fills_max": (16, 64, 1024),
    "requests_per_connection_max": (3, 30, 100_000),
    "connections_max": (500, 10_000),
    "connections_per_client_max": (100, 2_500),
    "write_buffer_bytes": (4096, 65_536, 262_144),
    "unstored_bytes_max": (4_194_304, 268_435_456),
    "eviction": ("lru", "s3-fifo"),
    "sync": (False, True),
}
FILMS = {"seconds": (6, 12, 20), "segment_seconds": (2, 4), "scale": (0.02, 0.1), "manifest_seconds": (2, 10)}
NETWORK = {
    "latency_seconds": (0.001, 0.02, 0.1),
    "jitter_seconds": (0.0, 0.01, 0.05),
    "loss": (0.0, 0.002, 0.005),
    "duplication": (0.0, 0.05),
    "reordering": (0.0, 0.1),
    "seeded_segments": (False, True, True),
}
AUDIENCE = {"count": (1, 2, 3), "viewings": (1, 2), "realtime": (True, False)}

N = TypeVar("N", bound=Noun)


def drawn(scenario: Scenario, seed: int) -> Scenario:
    """`scenario` in the world that `seed` draws; itself when it is no swarm."""
    if not scenario.script.swarm:
        return scenario
    dice = random.Random(f"{seed}/swarm")
    config = _cdn(scenario.internet.config, dice)
    internet: Internet = dataclasses.replace(scenario.internet, config=config)
    return dataclasses.replace(scenario, internet=internet, script=_script(scenario.script, dice))


def _with(noun: N, choices: dict[str, Any], dice: random.Random) -> N:
    return noun.model_copy(update={name: dice.choice(values) for name, values in choices.items()})


def _cdn(config: Config, dice: random.Random) -> Config:
    pops = [each for each in config.pops if dice.random() < 0.7] or [dice.choice(config.pops)]
    servers = [server for pop in pops for server in _servers(config, pop, dice)]
    addressed = [
        each.model_copy(update={"addresses": (SERVERS_FROM + number,), "listen": ()})
        for number, each in enumerate(servers)
    ]
    return config.model_copy(
        update={
            "pops": tuple(pops),
            "content_servers": tuple(addressed),
            "cdn": _with(config.cdn, CDN, dice),
            "health": _with(config.health, HEALTH, dice),
            "serving": _with(config.serving, SERVING, dice),
        }
    )


def _servers(config: Config, pop: Pop, dice: random.Random) -> list[ContentServer]:
    """Servers of one PoP, some of them in the same rack."""
    sample = config.content_servers[0]
    return [
        _with(sample, SERVER, dice).model_copy(
            update={
                "name": f"{pop.name}{number}",
                "pop": pop.name,
                "failure_domain": dice.choice(["", f"{pop.name}-rack"]),
            }
        )
        for number in range(1, dice.randint(1, SERVERS_MAX) + 1)
    ]


def _script(script: Script, dice: random.Random) -> Script:
    audiences = tuple(_with(each, AUDIENCE, dice) for each in script.audiences)
    return script.model_copy(
        update={
            "films": _with(script.films, FILMS, dice),
            "network": _with(script.network, NETWORK, dice),
            "audiences": audiences,
        }
    )
