"""A scenario: a script with its configuration read, its hosts known and its faults understood.

`read_scenario` reports every mistake at once, each with its path and a remedy, those of the fields and
those between them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nearcast.lab.config import Internet, read_internet
from nearcast.model.checks import listed
from nearcast.model.config import Config
from nearcast.model.faults import Mistake, OperatorFault
from nearcast.model.read import counted, mistakes_in, parse_document, text_in
from nearcast.player.bandwidth import parse_rate
from nearcast.simulate.play.distributions import Distributions, with_second
from nearcast.simulate.play.enemies.tricks import tricks_of
from nearcast.simulate.play.faults import FAULTS, Fault, read_faults
from nearcast.simulate.play.placement import off_loopback
from nearcast.simulate.play.roster import Roster, client_network
from nearcast.simulate.play.script import Enemy, FaultRate, Script

HOSTS = ("host", "one", "other")  # members of faults that name hosts
TIME_DIGITS = 3


@dataclass(frozen=True)
class Scenario:
    """What `run_scenario` plays. `internet` is off the loopback addresses and has no viewers of its own."""

    name: str
    script: Script
    internet: Internet
    faults: tuple[Fault, ...] = ()

    def roster(self) -> Roster:
        return _roster(self.script, self.internet)

    def distributions(self) -> Distributions:
        return Distributions(self.script, self.internet)

    def schedule(self, seed: int) -> list[Fault]:
        """All faults of the play under `seed`: those written down, and those that the rates bring."""
        roster = self.roster()
        drawn = [
            fault
            for index, rate in enumerate(self.script.rates)
            for fault in _drawn(rate, roster, random.Random(f"{seed}/rate/{index}"))
        ]
        return sorted([*self.faults, *drawn], key=lambda fault: fault.at)


def _roster(script: Script, internet: Internet) -> Roster:
    return Roster(internet, script.audiences, Distributions(script, internet).further_origins())


def _drawn(rate: FaultRate, roster: Roster, dice: random.Random) -> Iterator[Fault]:
    """The faults of one rate: a Poisson process, whoever it may strike being equally likely."""
    kind = FAULTS[rate.fault]
    names = {field.name for field in fields(kind)}
    hosts, others = roster.select(rate.host), roster.select(rate.other)
    if not hosts:
        return  # nobody of that kind is in this world
    at = rate.from_seconds
    while (at := at + dice.expovariate(rate.per_minute / 60)) < rate.until_seconds:
        members: dict[str, Any] = dict(rate.members)
        if "host" in names:
            members["host"] = dice.choice(hosts)
        else:
            members["one"] = dice.choice(hosts)
            members["other"] = dice.choice([other for other in others if other != members["one"]])
        if "seconds" in names:
            members["seconds"] = round(dice.uniform(rate.seconds_min, rate.seconds_max), TIME_DIGITS)
        yield kind(at=round(at, TIME_DIGITS), **members)


def read_scenario(path: Path) -> Scenario:
    """The scenario in the file at `path`; OperatorFault names every mistake in it."""
    text = text_in(path, f"there is no scenario file {path}; the examples are in examples/scenarios")
    return parse_scenario(text, path)


def parse_scenario(text: str, path: Path) -> Scenario:
    """The scenario in `text`, as if it stood in the file `path`."""
    document = parse_document(text, str(path))
    mistakes: list[Mistake] = []
    faults: list[Fault] = []
    script: Script | None = None
    internet: Internet | None = None
    try:
        script = Script.model_validate(document)
    except ValidationError as fault:
        mistakes += mistakes_in(fault)
    listed_faults = document.get("faults")
    if isinstance(listed_faults, list) and all(isinstance(each, dict) for each in listed_faults):
        faults, found = read_faults(listed_faults, "faults")
        mistakes += found
    if isinstance(document.get("config"), str):
        where = path.parent / document["config"]
        try:
            if not where.exists():
                raise OperatorFault(
                    f"there is no file {where}; write its path relative to the scenario's file"
                )
            internet = virtual(read_internet(where))
        except OperatorFault as fault:
            mistakes.append(Mistake("config", document["config"], fault.sentence))
            mistakes += [Mistake(f"config: {each.path}", each.value, each.remedy) for each in fault.mistakes]
    if script is not None and internet is not None:
        script, internet = with_second(script, internet)
        mistakes += _between(script, internet, faults)
    if mistakes or script is None or internet is None:
        raise OperatorFault(f"{path} has {counted(mistakes)}; nothing was run", mistakes)
    return Scenario(path.stem, script, internet, tuple(faults))


def virtual(internet: Internet) -> Internet:
    """`internet` as the virtual world takes it: off the loopback, and with no viewers but the audiences."""
    return off_loopback(internet).with_viewers(())


# --- what no single field can know ------------------------------------------------------------------
def _between(script: Script, internet: Internet, faults: list[Fault]) -> Iterator[Mistake]:
    config = internet.config
    yield from _audiences(script, config)
    roster, distributions = _roster(script, internet), Distributions(script, internet)
    for index, link in enumerate(script.links):
        yield from _selector(roster, f"links.{index}.one", link.one)
        yield from _selector(roster, f"links.{index}.other", link.other)
    for index, fault in enumerate(faults):
        for member in HOSTS:
            host = getattr(fault, member, None)
            if script.swarm and host in roster.select("edge"):
                remedy = "strike by `rates`: in a swarm nobody knows which content servers there are"
                yield Mistake(f"faults[{index}].{member}", host, remedy)
            if host is not None and host not in roster.members:
                names = listed(each.name for each in roster.programs)
                remedy = f"name one host: {names}, or a viewer such as {roster.viewers[0].name}"
                yield Mistake(f"faults[{index}].{member}", host, remedy)
    for index, rate in enumerate(script.rates):
        yield from _rate(roster, f"rates.{index}", rate)
    for index, enemy in enumerate(script.enemies):
        yield from _enemy(script, distributions, f"enemies.{index}", enemy)
    for index, purge in enumerate(script.purges):
        yield from _site(config, f"purges.{index}.site", purge.site)
        titles = distributions.titles(purge.site if purge.site in distributions.sites else "")
        if purge.title and purge.title not in titles:
            yield Mistake(f"purges.{index}.title", purge.title, f"name one of {titles[0]} … {titles[-1]}")
        if not set(roster.select(purge.servers)) & set(roster.select("edge")):
            yield Mistake(f"purges.{index}.servers", purge.servers, "select content servers, such as edge")
    titles = [title for site in distributions.sites for title in distributions.titles(site)]
    for index, version in enumerate(script.versions):
        if version.title not in titles:
            yield Mistake(f"versions.{index}.title", version.title, f"name one of {titles[0]} … {titles[-1]}")


def _site(config: Config, path: str, site: str) -> Iterator[Mistake]:
    sites = {each.name for each in config.distributions}
    if site and site not in sites:
        yield Mistake(path, site, f"name one of {listed(sites)}")


def _enemy(script: Script, distributions: Distributions, path: str, enemy: Enemy) -> Iterator[Mistake]:
    known = tricks_of(enemy.enemy)
    for trick in enemy.tricks:
        if trick not in known:
            yield Mistake(f"{path}.tricks", trick, f"name some of {', '.join(known)}")
    if enemy.until_seconds <= enemy.from_seconds:
        yield Mistake(f"{path}.until_seconds", enemy.until_seconds, "write more than from_seconds")
    if enemy.enemy == "origin" and not distributions.further_origins():
        yield Mistake(
            f"{path}.enemy", enemy.enemy, 'give the second distribution an origin of its own: "own"'
        )
    if enemy.enemy != "viewer" and sum(each.enemy == enemy.enemy for each in script.enemies) > 1:
        yield Mistake(f"{path}.enemy", enemy.enemy, "leave it out; there is another one in its place")


def _audiences(script: Script, config: Config) -> Iterator[Mistake]:
    places = {place.name: place for place in config.places}
    qualities = [f"{rung.height}p" for rung in script.films.rungs]
    names: set[str] = set()
    for index, audience in enumerate(script.audiences):
        path = f"audiences.{index}"
        if audience.name in names:
            yield Mistake(f"{path}.name", audience.name, "already the name of an audience; choose another")
        names.add(audience.name)
        yield from _site(config, f"{path}.site", audience.site)
        if audience.place and audience.place not in places:
            yield Mistake(f"{path}.place", audience.place, f"name one of the places: {listed(places)}")
        elif client_network(config, audience) is None:
            remedy = "give a place that has prefixes, or the prefix of their network"
            yield Mistake(f"{path}.place", audience.place, remedy)
        if audience.bandwidth and not parse_rate(audience.bandwidth):
            remedy = "write a rate in bits per second, such as 800k or 3M"
            yield Mistake(f"{path}.bandwidth", audience.bandwidth, remedy)
        if audience.quality and audience.quality not in qualities:
            yield Mistake(f"{path}.quality", audience.quality, f"choose one of {', '.join(qualities)}")
        if audience.quality and audience.mode != "progressive":
            yield Mistake(f"{path}.quality", audience.quality, 'leave it out, or watch mode = "progressive"')


def _selector(roster: Roster, path: str, selector: str) -> Iterator[Mistake]:
    if not roster.select(selector):
        yield Mistake(path, selector, f"select hosts by one of {', '.join(roster.selectors())}")


def _rate(roster: Roster, path: str, rate: FaultRate) -> Iterator[Mistake]:
    yield from _selector(roster, f"{path}.host", rate.host)
    if rate.seconds_max < rate.seconds_min:
        yield Mistake(f"{path}.seconds_max", rate.seconds_max, "write no less than seconds_min")
    if rate.until_seconds <= rate.from_seconds:
        yield Mistake(f"{path}.until_seconds", rate.until_seconds, "write more than from_seconds")
    kind = FAULTS.get(rate.fault)
    if kind is None:
        yield Mistake(f"{path}.fault", rate.fault, f"write one of {', '.join(FAULTS)}")
        return
    names = {field.name for field in fields(kind)}
    if "other" in names:
        yield from _selector(roster, f"{path}.other", rate.other)
        if len({*roster.select(rate.host), *roster.select(rate.other)}) < 2:
            yield Mistake(f"{path}.other", rate.other, "select hosts other than those of `host`")
    elif rate.other:
        yield Mistake(f"{path}.other", rate.other, f"leave it out; {rate.fault} strikes one host")
    yield from _members(path, rate, names)


def _members(path: str, rate: FaultRate, names: set[str]) -> Iterator[Mistake]:
    """The mistakes in `members`, found by reading a fault that has them."""
    given: Mapping[str, Any] = rate.members
    for name in ("fault", "at", "seconds", *HOSTS):
        if name in given:
            yield Mistake(f"{path}.members.{name}", given[name], "leave it out; chance or the rate says it")
    sample = {"fault": rate.fault, "at": 0.0, **dict.fromkeys(names.intersection(HOSTS), "x")}
    if "seconds" in names:
        sample["seconds"] = 1.0
    _, mistakes = read_faults([{**given, **sample}], path)
    for mistake in mistakes:
        yield mistake._replace(path=mistake.path.replace(f"{path}[0]", f"{path}.members"))
