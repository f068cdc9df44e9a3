"""Bounds inside programs, drawn small so that the branches behind them run.

What an operator may set is drawn with the configuration (`swarm`). These are constants of the programs; this
is the one place that changes them, for the time of one play. A bound that is not where it is said to be is an
error: whoever moves it must say so here.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

BOUNDS: Mapping[str, Sequence[int]] = {
    "nearcast.edge.stream:WINDOW_BYTES": (16 * 1024, 128 * 1024),
    "nearcast.edge.stream:RECENT_BYTES": (1, 64 * 1024, 256 * 1024),
    "nearcast.edge.stream:PIECE_BYTES": (10_000, 256 * 1024),
    "nearcast.cache.body:PIECE_BYTES": (10_000, 256 * 1024),
    "nearcast.cache.bodies_at_hand:SMALL_BYTES_MAX": (1, 2000, 64 * 1024),
    "nearcast.serve.dns_server:WAITING_MAX": (1, 4, 64),
    "nearcast.serve.http_connection:TURN_ANSWERS_MAX": (1, 2, 16),
    "nearcast.router.selected:REMEMBERED_MAX": (4, 65_536),
    "nearcast.resolver.rrset_cache:PER_QUESTION_MAX": (4, 512),
    "nearcast.resolver.program:UNDER_WAY_MAX": (20, 1000),
    "nearcast.resolver.recursion:ZONES_KEPT_MAX": (4, 10_000),
    "nearcast.serve.http_client:ClientLimits.kept_per_address_max": (0, 1, 8),
    "nearcast.serve.http_client:ClientLimits.buffer_bytes": (4096, 1024 * 1024),
}
"""Where each stands (a module's constant, or the default of a class's member), and what it may be."""


def drawn_bounds(dice: random.Random) -> dict[str, int]:
    """A value for every bound."""
    return {where: dice.choice(values) for where, values in BOUNDS.items()}


@contextlib.contextmanager
def bounded(values: Mapping[str, int]) -> Iterator[None]:
    """Have these bounds while the block runs."""
    before = {where: _set(where, value) for where, value in values.items()}
    try:
        yield
    finally:
        for where, value in before.items():
            _set(where, value)


def _set(where: str, value: Any) -> Any:
    """Set a bound; returns what it was. Raises AttributeError when it is not there."""
    module_name, _, name = where.partition(":")
    module = importlib.import_module(module_name)
    class_name, dot, member = name.rpartition(".")
    if not dot:
        before = getattr(module, member)
        setattr(module, member, value)
        return before
    return _set_default(getattr(module, class_name).__init__, member, value)


def _set_default(function: Any, name: str, value: Any) -> Any:
    keywords = function.__kwdefaults__ or {}
    if name in keywords:
        before, keywords[name] = keywords[name], value
        return before
    defaults = [
        each
        for each in inspect.signature(function).parameters.values()
        if each.default is not inspect.Parameter.empty and each.kind is each.POSITIONAL_OR_KEYWORD
    ]
    names = [each.name for each in defaults]
    if name not in names:
        raise AttributeError(f"{function.__qualname__} has no default for {name}")
    at, values = names.index(name), list(function.__defaults__)
    before, values[at] = values[at], value
    function.__defaults__ = tuple(values)
    return before
