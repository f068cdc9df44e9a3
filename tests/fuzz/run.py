"""Feeding codecs: an answer or the codec's own documented fault, never another one, never a hang.

A hang is CPU_SECONDS_MAX of this process's own time for one small input, thousands of times what any
takes, and therefore no matter of how busy the machine is.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

from tests.fuzz.codecs import CODECS, Codec
from tests.fuzz.corpus import inputs
from tests.fuzz.mutate import mutated

CPU_SECONDS_MAX = 5.0


class Hang(BaseException):
    """One input took more than its time."""


class Find(NamedTuple):
    """An input that a codec did not take as it says it does."""

    codec: str
    octets: bytes
    fault: BaseException


@contextmanager
def _watched() -> Iterator[None]:
    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGVTALRM, interrupt)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def feed(codec: Codec, octets: bytes) -> Find | None:
    """Have `codec` read `octets`."""
    with _watched():
        return _feed(codec, octets)


def _feed(codec: Codec, octets: bytes) -> Find | None:
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS_MAX)
    try:
        codec.read(octets)
    except codec.faults:
        pass
    except (Exception, Hang) as fault:
        return Find(codec.name, octets, fault)
    return None


def fuzz(seed: int, go_on: Callable[[int], bool], codecs: tuple[Codec, ...] = CODECS) -> Iterator[Find]:
    """Feed mutants of the corpus to one codec after the other for as long as `go_on` (told how many
    inputs there were) says. Inputs that were taken join the pool from which the next are made."""
    rng = random.Random(seed)
    pools = {codec.name: inputs(codec.name) or [b""] for codec in codecs}
    count = 0
    with _watched():
        while go_on(count):
            codec = codecs[count % len(codecs)]
            pool = pools[codec.name]
            octets = mutated(rng, rng.choice(pool), pool)
            find = _feed(codec, octets)
            if find is not None:
                yield find
            elif rng.random() < 0.05 and len(pool) < 1000:
                pool.append(octets)
            count += 1
