"""A line of given bandwidth: what it carries at which moment, and the pauses that make it so.

A bandwidth is a rate (`800k`, `3M`, `2.5Mbps`; bits per second, k = 1000) or a profile: a file with
lines `seconds rate`, each rate holding until the next line's seconds, `#` before a comment; or the same
as a JSON list of pairs. Seconds count from the beginning of the viewing, where the first rate holds.
A rate of 0 is an outage; the last rate must be more, or nothing would ever arrive.

`Bucket` is a token bucket written down as the moment at which the line is free again: what arrives
earlier than the line could have carried it waits. An idle line saves up no more than `BURST_SECONDS`.
Receiving is slowed by pausing between the pieces of a body; TCP's back-pressure does the rest.
"""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_right
from collections.abc import Iterable
from math import isfinite
from operator import itemgetter
from pathlib import Path

from nearcast.model.faults import Mistake, OperatorFault
from nearcast.wire.json_text import read_json

BURST_SECONDS = 0.02
PAUSE_SECONDS_MIN = 0.002  # shorter debts are carried over to the next piece
RATE = re.compile(r"(\d+(?:\.\d+)?) ?([kmg]?)(?:bps|bit/s|b/s)?", re.IGNORECASE)
MULTIPLES = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
HOW_TO = "write a rate in bits per second such as 800k, 3M or 2.5Mbps, or name a file of lines `seconds rate`"


class Profile:
    """Bits per second over time: `steps` are (from second, rate), seconds rising, the last rate above 0."""

    def __init__(self, steps: Iterable[tuple[float, float]]) -> None:
        self.steps = tuple(steps)
        if not self.steps or self.steps[-1][1] <= 0:
            raise ValueError("the last rate of a profile must be more than 0")
        if any(later <= sooner for (sooner, _), (later, _) in zip(self.steps, self.steps[1:], strict=False)):
            raise ValueError("the seconds of a profile must rise")
        if any(rate < 0 for _, rate in self.steps):
            raise ValueError("a rate is not below 0")

    @classmethod
    def constant(cls, bits_per_second: float) -> Profile:
        return cls([(0.0, bits_per_second)])

    def rate_at(self, seconds: float) -> float:
        """What the line carries at this moment, bit/s."""
        return self.steps[self._step_at(seconds)][1]

    def carried_by(self, seconds: float, bits: float) -> float:
        """The moment at which `bits` are carried when they set out at `seconds`."""
        for at in range(self._step_at(seconds), len(self.steps) - 1):
            rate, since = self.steps[at][1], self.steps[at + 1][0]
            if bits <= rate * (since - seconds):
                return seconds + (bits / rate if rate else 0.0)
            bits -= rate * (since - seconds)
            seconds = since
        return seconds + bits / self.steps[-1][1]

    def _step_at(self, seconds: float) -> int:
        """The step that holds at this moment; before the first, the first."""
        return max(0, bisect_right(self.steps, seconds, key=itemgetter(0)) - 1)


class Bucket:
    """When the line of `profile` has carried what was put on it."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._free_at = 0.0

    def pause(self, now: float, octets: int) -> float:
        """Seconds to wait from `now` until these `octets` bytes, too, have passed the line."""
        begins = max(self._free_at, now - BURST_SECONDS)
        self._free_at = self._profile.carried_by(begins, octets * 8)
        return max(0.0, self._free_at - now)


class Line:
    """The viewer's line on the running loop: `await line.carry(n)` returns when n bytes could be here."""

    def __init__(self, profile: Profile) -> None:
        self._loop = asyncio.get_running_loop()
        self._bucket = Bucket(profile)
        self._began = self._loop.time()

    async def carry(self, octets: int) -> None:
        pause = self._bucket.pause(self._loop.time() - self._began, octets)
        if pause >= PAUSE_SECONDS_MIN:
            await asyncio.sleep(pause)


def read_bandwidth(text: str) -> Profile:
    """The profile that a user means by `text`: a rate, or the path of a profile's file.

    Raises OperatorFault with every mistake.
    """
    rate = parse_rate(text)
    if rate == 0:
        raise OperatorFault(f"a bandwidth of {text} carries nothing; {HOW_TO}")
    if rate is not None:
        return Profile.constant(rate)
    path = Path(text)
    try:
        return parse_profile(path.read_text(encoding="utf-8"), text)
    except (FileNotFoundError, IsADirectoryError, ValueError):
        raise OperatorFault(f"{text!r} is neither a bandwidth nor a file of text; {HOW_TO}") from None
    except OSError as fault:
        raise OperatorFault(f"the bandwidth profile {text} cannot be read: {fault.strerror}") from None


def parse_rate(text: str) -> float | None:
    """Bits per second, or None when `text` is no rate."""
    match = RATE.fullmatch(text.strip())
    rate = float(match[1]) * MULTIPLES[match[2].lower()] if match else None
    return rate if rate is not None and isfinite(rate) else None


def parse_profile(text: str, source: str) -> Profile:
    """The profile in `text`; `source` is how messages call it. OperatorFault with every mistake."""
    mistakes: list[Mistake] = []
    steps: list[tuple[float, float]] = []
    for where, pair in _pairs(text, source):
        step = _step(pair)
        if step is None:
            mistakes.append(Mistake(where, pair, "write seconds and a rate, such as `10 800k`"))
        elif steps and step[0] <= steps[-1][0]:
            mistakes.append(Mistake(where, pair, f"the seconds must rise; {steps[-1][0]:g} came before"))
        else:
            steps.append(step)
    if not mistakes and not steps:
        mistakes.append(Mistake(source, text.strip(), "write at least one line of seconds and a rate"))
    elif not mistakes and steps[-1][1] == 0:
        mistakes.append(Mistake(source, steps[-1], "end with a rate above 0, or nothing would ever arrive"))
    if mistakes:
        raise OperatorFault(f"the bandwidth profile {source} cannot be used", mistakes)
    return Profile(steps)


def _pairs(text: str, source: str) -> list[tuple[str, str]]:
    """Each step as written, with where it stands."""
    if not text.lstrip().startswith("["):
        lines = ((number, line.partition("#")[0].strip()) for number, line in enumerate(text.splitlines(), 1))
        return [(f"line {number}", line) for number, line in lines if line]
    try:
        document = read_json(text)
    except ValueError as fault:
        raise OperatorFault(f"the bandwidth profile {source} is not JSON: {fault}") from None
    return [
        (f"step {number}", " ".join(map(str, step)) if isinstance(step, list) else str(step))
        for number, step in enumerate(document, 1)
    ]


def _step(pair: str) -> tuple[float, float] | None:
    seconds, rate_text = (*pair.split(maxsplit=1), "", "")[:2]
    rate = parse_rate(rate_text)
    if rate is None or not re.fullmatch(r"\d+(\.\d+)?", seconds) or not isfinite(float(seconds)):
        return None
    return float(seconds), rate
