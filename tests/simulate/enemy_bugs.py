"""Bugs that only enemies, pauses and clocks bring to light, each with the sentence that it must break."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import pytest

from nearcast.cache.freshness import Freshness
from nearcast.edge import steps
from nearcast.edge.shares import Shares
from nearcast.serve import deadline, dns_client
from nearcast.simulate.play.checkers.besieged import NotAnothers, NotLured, NotStopped
from nearcast.simulate.play.checkers.frozen import NotFrozen
from nearcast.simulate.play.checkers.pauses import WaitingIsRead
from nearcast.simulate.play.scenario import Scenario, parse_scenario, read_scenario

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "examples" / "scenarios" / "enemies.toml"
STANDSTILL = read_scenario(HERE / "standstill.toml")


def enemies(*entries: str) -> Scenario:
    """The example with other enemies in it."""
    text = EXAMPLE.read_text()
    return parse_scenario(text[: text.index("[[enemies]]")] + "\n".join(entries), EXAMPLE)


def with_few_fills(scenario: Scenario) -> Scenario:
    config = scenario.internet.config
    few = config.model_copy(update={"serving": config.serving.model_copy(update={"fills_max": 4})})
    return dataclasses.replace(scenario, internet=dataclasses.replace(scenario.internet, config=few))


@dataclass(frozen=True)
class EnemyBug:
    """`put` puts it in; within the seeds 1 to `seeds` of `scenario` it breaks `sentence`."""

    name: str
    put: Callable[[pytest.MonkeyPatch], None]
    sentence: str
    scenario: Scenario
    seeds: int


def age_is_what_the_clock_says(patch: pytest.MonkeyPatch) -> None:
    """Whoever stands in the store since tomorrow is young."""
    patch.setattr(
        Freshness, "ttl", lambda self, resident: self.lifetime - self.initial_age - max(0.0, resident)
    )


def deadlines_come_first(patch: pytest.MonkeyPatch) -> None:
    """A deadline that has passed does not look whether something has come."""
    patch.setattr(deadline, "TURNS", 0)


def any_reply_is_an_answer(patch: pytest.MonkeyPatch) -> None:
    """Whatever comes from the server's address is believed, whatever it was asked."""

    def read_reply(octets: bytes, query: dns.message.Message) -> tuple[dns.message.Message | None, bool]:
        try:
            return dns.message.from_wire(octets, ignore_trailing=True, raise_on_truncation=False), True
        except (dns.exception.DNSException, ValueError):
            return None, False

    patch.setattr(dns_client, "read_reply", read_reply)


def key_forgets_the_site(patch: pytest.MonkeyPatch) -> None:
    """The same path is the same object, whoever's it is."""
    patch.setattr(steps, "cache_key", lambda site, target: f"somebody{target}")


def first_come_first_served(patch: pytest.MonkeyPatch) -> None:
    """Fills are bounded in all, and nobody leaves room for others."""

    def take(self: Shares, site: str, client: str) -> bool:
        if self.taken >= self.places_max:
            return False
        self.taken += 1
        self._of_site[site] += 1
        self._of_client[client] += 1
        return True

    patch.setattr(Shares, "take", take)


HANGING = enemies(
    '[[enemies]]\nenemy = "origin"\ntricks = ["hanging", "trickling_body"]\nhonest = 0\nuntil_seconds = 40',
    '[[enemies]]\nenemy = "viewer"\ntricks = ["random_queries"]\nper_second = 3\ncount = 3\n'
    "until_seconds = 40",
)
LYING = enemies(
    '[[enemies]]\nenemy = "name_server"\nhonest = 0.2\nuntil_seconds = 60',
    '[[enemies]]\nenemy = "viewer"\ntricks = ["questions"]\nuntil_seconds = 60',
)

ENEMY_BUGS = (
    EnemyBug("age is what the clock says", age_is_what_the_clock_says, NotFrozen.sentence, STANDSTILL, 3),
    EnemyBug("deadlines come first", deadlines_come_first, WaitingIsRead.sentence, STANDSTILL, 5),
    EnemyBug("any reply is an answer", any_reply_is_an_answer, NotLured.sentence, LYING, 3),
    EnemyBug("key forgets the site", key_forgets_the_site, NotAnothers.sentence, STANDSTILL, 2),
    EnemyBug(
        "first come, first served", first_come_first_served, NotStopped.sentence, with_few_fills(HANGING), 3
    ),
)
