"""Faults: what can go wrong in a world, as nouns that strike at a time.

A fault is a frozen record: it can be written down (`document`), read back (`read_faults`), compared, and
left out by whoever looks for the smallest schedule that still fails. A fault with `seconds` undoes itself
after them, so that leaving it out leaves out both ends; without `seconds` it lasts.
"""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, get_args, get_type_hints

from nearcast.model.faults import Mistake
from nearcast.simulate.play.impostor import impostor
from nearcast.simulate.world.disk import OPERATIONS, SPOILINGS
from nearcast.simulate.world.network import ALL_PORTS
from nearcast.simulate.world.world import World

FAULTS: dict[str, type[Fault]] = {}
"""Every kind of fault by its word; a class that is a Fault and has a word is in it once it is defined."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that goes wrong `at` a virtual second."""

    word: ClassVar[str]
    disk: ClassVar[bool] = False
    """Whether a disk may lose, refuse or change something by it."""

    at: float

    def __init_subclass__(cls) -> None:
        if "word" in vars(cls):
            FAULTS[cls.word] = cls

    @property
    def over(self) -> float:
        """When it has undone itself (virtual seconds); infinite when it lasts."""
        seconds: float | None = getattr(self, "seconds", 0.0)
        return float("inf") if seconds is None else self.at + seconds

    def strike(self, world: World) -> None:
        """Let it happen now, and write it into the history."""
        world.history.add((world.loop.time(), "fault", str(self)))
        self.happen(world)

    def happen(self, world: World) -> None:
        raise NotImplementedError

    def document(self) -> dict[str, Any]:
        """The fault as plain values, as a scenario file holds it; members at their default are left out."""
        members = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        }
        return {"fault": self.word, **members}

    def __str__(self) -> str:
        members = {name: value for name, value in self.document().items() if name not in ("fault", "at")}
        return " ".join([self.word, *(f"{name}={value}" for name, value in members.items())])


def _later(world: World, seconds: float | None, undo: Callable[..., None], *arguments: Any) -> None:
    if seconds is not None:
        world.loop.world_at(world.loop.time() + seconds, undo, *arguments)


# --- hosts ------------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class Crash(Fault):
    """A host loses power; after `seconds` it starts again. With `resets` its peers are told."""

    word = "crash"
    disk = True
    host: str
    resets: bool = False
    seconds: float | None = None

    def happen(self, world: World) -> None:
        host = world.named(self.host)
        host.crash(resets=self.resets)
        _later(world, self.seconds, host.restart)


@dataclass(frozen=True, kw_only=True)
class Kill(Fault):
    """A host's program is killed; after `seconds` it starts again. The disk keeps what was written."""

    word = "kill"
    host: str
    seconds: float | None = None

    def happen(self, world: World) -> None:
        host = world.named(self.host)
        host.kill()
        _later(world, self.seconds, host.restart)


@dataclass(frozen=True, kw_only=True)
class Drain(Fault):
    """A host's program is asked to end within `grace_seconds`; after `seconds` it starts again."""

    word = "drain"
    host: str
    grace_seconds: float = 10.0
    seconds: float | None = None

    def happen(self, world: World) -> None:
        host = world.named(self.host)
        host.drain(self.grace_seconds)
        _later(world, self.seconds, host.restart)


@dataclass(frozen=True, kw_only=True)
class Impostor(Fault):
    """Another program has a host's port and greets whoever asks, alone; after `seconds` all is as before."""

    word = "impostor"
    host: str
    port: int
    seconds: float

    def happen(self, world: World) -> None:
        host = world.named(self.host)
        greeter = impostor(self.port)
        host.stand_in(greeter)
        host.restart()

        def over() -> None:
            host.stand_back(greeter)
            host.restart()

        _later(world, self.seconds, over)


@dataclass(frozen=True, kw_only=True)
class Restart(Fault):
    """A host starts again; if it still runs, it is killed first."""

    word = "restart"
    host: str

    def happen(self, world: World) -> None:
        world.named(self.host).restart()


@dataclass(frozen=True, kw_only=True)
class Hang(Fault):
    """A host's program does nothing for `seconds`."""

    word = "hang"
    host: str
    seconds: float

    def happen(self, world: World) -> None:
        world.named(self.host).hang(self.seconds)


@dataclass(frozen=True, kw_only=True)
class Pause(Fault):
    """A host's program is paused for `seconds`, as a VM is; then its late timers run before it reads."""

    word = "pause"
    host: str
    seconds: float

    def happen(self, world: World) -> None:
        world.named(self.host).pause(self.seconds)


@dataclass(frozen=True, kw_only=True)
class ClockSkew(Fault):
    """A host's wall clock jumps by `skew_seconds` and runs at `rate` times the true speed from then on.

    A negative jump sets it back.
    """

    word = "clock_skew"
    host: str
    skew_seconds: float = 0.0
    rate: float = 1.0

    def happen(self, world: World) -> None:
        host = world.named(self.host)
        host.skew_clock(self.skew_seconds)
        host.drift_clock(self.rate)


# --- links ------------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class Partition(Fault):
    """Nothing passes between two hosts; with `one_way` only nothing from `one` to `other`."""

    word = "partition"
    one: str
    other: str
    one_way: bool = False
    seconds: float | None = None

    def happen(self, world: World) -> None:
        one, other = world.named(self.one), world.named(self.other)
        for sender, receiver in ((one, other), (other, one))[: 1 if self.one_way else 2]:
            world.network.cut(sender, receiver)
            _later(world, self.seconds, world.network.mend, sender, receiver)


@dataclass(frozen=True, kw_only=True)
class Heal(Fault):
    """Undo one partition between two hosts, in both directions."""

    word = "heal"
    one: str
    other: str

    def happen(self, world: World) -> None:
        one, other = world.named(self.one), world.named(self.other)
        world.network.mend(one, other)
        world.network.mend(other, one)


@dataclass(frozen=True, kw_only=True)
class Disturb(Fault):
    """The link between two hosts changes: each member that is given replaces the link's own."""

    word = "disturb"
    one: str
    other: str
    latency_seconds: float | None = None
    jitter_seconds: float | None = None
    bits_per_second: float | None = None
    loss: float | None = None
    duplication: float | None = None
    reordering: float | None = None
    seconds: float | None = None

    def happen(self, world: World) -> None:
        one, other = world.named(self.one), world.named(self.other)
        names = ("latency_seconds", "jitter_seconds", "bits_per_second", "loss", "duplication", "reordering")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        for channel in (world.network.channel(one, other), world.network.channel(other, one)):
            channel.disturb(given)
            _later(world, self.seconds, channel.calm, given)


@dataclass(frozen=True, kw_only=True)
class Reset(Fault):
    """Every connection between two hosts is reset, on both sides."""

    word = "reset"
    one: str
    other: str

    def happen(self, world: World) -> None:
        world.network.reset(world.named(self.one), world.named(self.other))


@dataclass(frozen=True, kw_only=True)
class Refuse(Fault):
    """New connections to a host's port (0: to every port) are refused."""

    word = "refuse"
    host: str
    port: int = ALL_PORTS
    seconds: float | None = None

    def happen(self, world: World) -> None:
        host = world.named(self.host)
        world.network.refuse(host, self.port)
        _later(world, self.seconds, lambda: world.network.refuse(host, self.port, times=-1))


@dataclass(frozen=True, kw_only=True)
class BlackHole(Fault):
    """Whatever opens a connection to a host's port (0: to every port) vanishes, datagrams too."""

    word = "black_hole"
    host: str
    port: int = ALL_PORTS
    seconds: float | None = None

    def happen(self, world: World) -> None:
        host = world.named(self.host)
        world.network.swallow(host, self.port)
        _later(world, self.seconds, lambda: world.network.swallow(host, self.port, times=-1))


# --- disks ------------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class DiskFull(Fault):
    """A host's disk has only `free_bytes` left."""

    word = "disk_full"
    disk = True
    host: str
    free_bytes: int = 0
    seconds: float | None = None

    def happen(self, world: World) -> None:
        disk = world.named(self.host).disk
        _later(world, self.seconds, disk.unfill, disk.fill(self.free_bytes))


@dataclass(frozen=True, kw_only=True)
class DiskError(Fault):
    """An operation of a host's disk (`*`: every one) fails with an errno, `times` times or until healed."""

    word = "disk_error"
    disk = True
    host: str
    operation: str = "*"
    code: str = "EIO"
    times: int | None = None
    seconds: float | None = None

    def happen(self, world: World) -> None:
        disk = world.named(self.host).disk
        disk.fail(self.operation, getattr(errno, self.code), times=self.times)
        _later(world, self.seconds, disk.heal, self.operation)


@dataclass(frozen=True, kw_only=True)
class DiskReadOnly(Fault):
    """A host's disk takes no more changes."""

    word = "disk_read_only"
    disk = True
    host: str
    seconds: float | None = None

    def happen(self, world: World) -> None:
        disk = world.named(self.host).disk
        disk.lock()
        _later(world, self.seconds, disk.unlock)


@dataclass(frozen=True, kw_only=True)
class BitRot(Fault):
    """Bits of a file (of any file, when none is named) flip on a host's disk."""

    word = "bit_rot"
    disk = True
    host: str
    path: str | None = None
    bits: int = 1

    def happen(self, world: World) -> None:
        world.named(self.host).disk.rot(self.path, bits=self.bits)


@dataclass(frozen=True, kw_only=True)
class BadPage(Fault):
    """A page of a file (of any file, when none is named) is spoilt on a host's disk, also where it is mapped:
    a bit flips, it turns to zeros, or reading it fails (`how`: flip, zero, fail)."""

    word = "bad_page"
    disk = True
    host: str
    path: str | None = None
    how: str = "flip"

    def happen(self, world: World) -> None:
        world.named(self.host).disk.spoil(self.path, how=self.how)


# --- reading ----------------------------------------------------------------------------------------
def read_faults(documents: Iterable[Mapping[str, Any]], path: str) -> tuple[list[Fault], list[Mistake]]:
    """The faults that `documents` describe, and every mistake in them, with its place below `path`."""
    faults: list[Fault] = []
    mistakes: list[Mistake] = []
    for position, document in enumerate(documents):
        found = _mistakes(document, f"{path}[{position}]")
        mistakes += found
        if not found:
            members = {name: value for name, value in document.items() if name != "fault"}
            faults.append(FAULTS[document["fault"]](**members))
    return faults, mistakes


def _mistakes(document: Mapping[str, Any], place: str) -> list[Mistake]:
    word = document.get("fault")
    if word not in FAULTS:
        return [Mistake(f"{place}.fault", word, f"write one of {', '.join(FAULTS)}")]
    kinds = get_type_hints(FAULTS[word])
    fields = {field.name: field for field in dataclasses.fields(FAULTS[word])}
    found = [
        Mistake(f"{place}.{name}", None, f"give {name}: {word} needs it")
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and name not in document
    ]
    for name, value in document.items():
        if name == "fault":
            continue
        if name not in fields:
            found.append(Mistake(f"{place}.{name}", value, f"leave it out; {word} has {', '.join(fields)}"))
        elif remedy := _remedy(name, value, kinds[name]):
            found.append(Mistake(f"{place}.{name}", value, remedy))
    return found


def _remedy(name: str, value: Any, kind: Any) -> str:
    kinds: list[Any] = [each for each in (get_args(kind) or (kind,)) if each is not type(None)]
    if float in kinds:
        kinds.append(int)
    if not isinstance(value, tuple(kinds)) or (isinstance(value, bool) and bool not in kinds):
        return f"write a {'number' if float in kinds else kinds[0].__name__}"
    if isinstance(value, (int, float)):
        if value < 0 and name != "skew_seconds":
            return "write a number that is not negative"
        if name in ("bits_per_second", "rate") and not value:
            return "write a number above 0"
        if name in ("loss", "duplication", "reordering") and value > 1:
            return "write a probability, from 0 to 1"
    if name == "code" and value not in errno.errorcode.values():
        return "write the name of an errno, such as EIO"
    if name == "how" and value not in SPOILINGS:
        return f"write one of {', '.join(SPOILINGS)}"
    if name == "operation" and value not in ("*", *OPERATIONS):
        return f"write * or one of {', '.join(OPERATIONS)}"
    return ""
