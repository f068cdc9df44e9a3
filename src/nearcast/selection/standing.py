"""How the PoPs stand under one set of Conditions: added up once, not once per decision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nearcast.selection.conditions import Conditions
from nearcast.selection.pops import Pops
from nearcast.selection.table import SelectionTable


@dataclass(frozen=True, slots=True)
class Availability:
    """All that choices depend on; while it is the same, so are they. PoPs go by their numbers."""

    down: frozenset[str]  # servers that may not be named
    healthy: tuple[int, ...]  # how many servers of each PoP may be
    alive: frozenset[int]  # PoPs with a healthy server
    eligible: frozenset[int]  # of them the first in a client's order serves it
    overloaded: bool  # every PoP alive is: then the least loaded are eligible


@dataclass(frozen=True, slots=True)
class Standing:
    """The PoPs under the Conditions of this number."""

    conditions: int
    loads: tuple[float, ...]  # mean of each PoP's healthy servers; 1.0 where there is none
    available: Availability


def standing_under(table: SelectionTable, conditions: Conditions) -> Standing:
    """Look at every server."""
    pops = table.pops
    seen = [_look(pops, pop, conditions) for pop in range(len(pops.sites))]
    loads = tuple([load for _, load in seen])
    down = frozenset([name for name in table.pop_of if not conditions.of(name).healthy])
    available = _availability(pops, down, tuple([healthy for healthy, _ in seen]), loads)
    return Standing(conditions.number, loads, available)


def standing_after(table: SelectionTable, old: Standing, before: Conditions, now: Conditions) -> Standing:
    """Look again at those PoPs only that have a server whose condition is another one `now` than it was
    `before`, when all stood as in `old`. What does not change is shared with `old`."""
    pops, available = table.pops, old.available
    loads, healthy = list(old.loads), list(available.healthy)
    turned = available.overloaded
    changed = _changed(before, now) & table.pop_of.keys()
    for pop in {table.pop_of[name] for name in changed}:
        healthy[pop], loads[pop] = _look(pops, pop, now)
        turned |= (loads[pop] < pops.spill_load) is not (old.loads[pop] < pops.spill_load)
    down = available.down
    if any((name in down) is now.of(name).healthy for name in changed):
        down = (down - changed) | {name for name in changed if not now.of(name).healthy}
        turned = True
    if turned and (fresh := _availability(pops, down, tuple(healthy), loads)) != available:
        available = fresh
    return Standing(now.number, tuple(loads), available)


def _changed(before: Conditions, now: Conditions) -> set[str]:
    """The servers whose condition became another object: who makes Conditions keeps what did not change."""
    old, new = before.servers, now.servers
    if now.changed and now.changed[0] is old:
        return {now.changed[1]}
    changed = {name for name, condition in new.items() if old.get(name) is not condition}
    return changed if old.keys() <= new.keys() else changed | (old.keys() - new.keys())


def _look(pops: Pops, pop: int, conditions: Conditions) -> tuple[int, float]:
    """How many servers of the PoP are healthy, and their mean load."""
    standing = [conditions.of(server.name) for server in pops.sites[pop].servers]
    loads = [each.load for each in standing if each.healthy]
    return len(loads), sum(loads) / len(loads) if loads else 1.0


def _availability(
    pops: Pops, down: frozenset[str], healthy: tuple[int, ...], loads: Iterable[float]
) -> Availability:
    load_of = {pop: load for pop, load in enumerate(loads) if healthy[pop]}
    below = frozenset([pop for pop, load in load_of.items() if load < pops.spill_load])
    least = min(load_of.values(), default=1.0)
    return Availability(
        down,
        healthy,
        frozenset(load_of),
        below or frozenset([pop for pop, load in load_of.items() if load == least]),
        not below,
    )
