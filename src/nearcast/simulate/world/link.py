"""Links between hosts: what the network does to what is sent through it.

A link has two channels, one per direction. A channel turns "sent now, so many bytes" into "arrives then"
(or never); it knows neither TCP nor UDP contents. Its dice are its own, derived from the world's seed and
its name, so that leaving out one fault changes as little as possible elsewhere.
"""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass

QUEUE_SECONDS_MAX = 0.5  # what a bandwidth-limited channel queues before it drops datagrams
DICE_TRIES_MAX = 10


@dataclass(frozen=True, slots=True)
class LinkShape:
    """How one direction of a link behaves.

    `latency_seconds`: one way. `jitter_seconds`: up to this much more, evenly spread.
    `bits_per_second`: None is unlimited. `loss`, `duplication`, `reordering`: probabilities in 0..1;
    in TCP, loss shows as the delay of a retransmission, and the other two do not show.
    """

    latency_seconds: float = 0.01
    jitter_seconds: float = 0.0
    bits_per_second: float | None = None
    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0

    def __post_init__(self) -> None:
        if self.latency_seconds < 0 or self.jitter_seconds < 0:
            raise ValueError("latency_seconds and jitter_seconds must not be negative")
        if self.bits_per_second is not None and self.bits_per_second <= 0:
            raise ValueError("bits_per_second must be positive, or None for unlimited")
        for name in ("loss", "duplication", "reordering"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability, from 0 to 1")


LOOPBACK = LinkShape(latency_seconds=0.000_02)


class Direction:
    """One direction of a link, from one host to another."""

    __slots__ = (
        *("_busy_until", "_dice", "_disturbances", "_name", "_seed", "_undisturbed"),
        *("cuts", "latency", "plain", "shape"),
    )

    def __init__(self, name: str, seed: int, shape: LinkShape) -> None:
        self._name = name
        self._seed = seed
        self._dice: random.Random | None = None  # made when first thrown: a generator weighs 2.5 kB
        self._busy_until = 0.0
        self.cuts = 0  # how many partitions cut it now
        self._disturbances: list[dict[str, float]] = []
        self.reshape(shape)

    def reshape(self, shape: LinkShape) -> None:
        """Give the channel its shape; what disturbs it goes on disturbing."""
        self._undisturbed = shape
        for members in self._disturbances:
            shape = dataclasses.replace(shape, **members)
        self.shape = shape
        self.latency = shape.latency_seconds
        self.plain = not (shape.jitter_seconds or shape.bits_per_second or shape.loss)

    def disturb(self, members: dict[str, float]) -> None:
        """Replace members of the shape until `calm` is called with the same dictionary."""
        self._disturbances.append(members)
        self.reshape(self._undisturbed)

    def calm(self, members: dict[str, float]) -> None:
        self._disturbances = [each for each in self._disturbances if each is not members]
        self.reshape(self._undisturbed)

    @property
    def dice(self) -> random.Random:
        if self._dice is None:
            self._dice = random.Random(f"{self._seed}/channel/{self._name}")
        return self._dice

    def piece_bytes_max(self) -> int:
        """The most bytes sent in one go, so that flows share a narrow channel: about 10 ms of it."""
        rate = self.shape.bits_per_second
        return 1 << 18 if rate is None else int(min(max(rate / 8 * 0.01, 1460), 65536))

    def carry(self, now: float, size: int, retry_seconds: float) -> tuple[float, float]:
        """Send `size` bytes of a reliable stream: when the sender has them out, and when they arrive."""
        shape = self.shape
        leaves = self._serialise(now, size)
        arrives = leaves + shape.latency_seconds
        if shape.jitter_seconds:
            arrives += shape.jitter_seconds * self.dice.random()
        if shape.loss:
            for _ in range(DICE_TRIES_MAX):
                if self.dice.random() >= shape.loss:
                    break
                arrives += retry_seconds
                retry_seconds *= 2
        return leaves, arrives

    def carry_datagram(self, now: float, size: int) -> list[float]:
        """Send one datagram: the times at which it arrives, none when it is lost."""
        shape = self.shape
        if self._busy_until - now > QUEUE_SECONDS_MAX:
            return []
        arrives = self._serialise(now, size) + shape.latency_seconds
        if self.loses():
            return []
        if shape.jitter_seconds:
            arrives += shape.jitter_seconds * self.dice.random()
        if shape.reordering and self.dice.random() < shape.reordering:
            arrives += (shape.latency_seconds + 0.001) * self.dice.random()
        if shape.duplication and self.dice.random() < shape.duplication:
            return [arrives, arrives + 0.001 * self.dice.random()]
        return [arrives]

    def loses(self) -> bool:
        """Throw the dice for one packet."""
        loss = self.shape.loss
        return loss > 0 and self.dice.random() < loss

    def _serialise(self, now: float, size: int) -> float:
        rate = self.shape.bits_per_second
        if rate is None:
            return now
        self._busy_until = max(now, self._busy_until) + size * 8 / rate
        return self._busy_until
