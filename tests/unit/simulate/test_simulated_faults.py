"""Faults as nouns: what they do to a world, how they are written down and read back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nearcast.simulate.play.faults import (
    FAULTS,
    BadPage,
    BitRot,
    BlackHole,
    ClockSkew,
    Crash,
    DiskError,
    DiskFull,
    DiskReadOnly,
    Disturb,
    Drain,
    Fault,
    Hang,
    Heal,
    Impostor,
    Kill,
    Partition,
    Pause,
    Refuse,
    Reset,
    Restart,
    read_faults,
)
from nearcast.simulate.world.host import EPOCH
from nearcast.simulate.world.world import World

EXAMPLES: list[Fault] = [
    Crash(at=1.0, host="a", seconds=5.0, resets=True),
    Kill(at=1.0, host="a"),
    Restart(at=2.0, host="a"),
    Drain(at=1.0, host="a", grace_seconds=2.0, seconds=4.0),
    Impostor(at=1.0, host="a", port=80, seconds=2.0),
    Hang(at=1.0, host="a", seconds=3.0),
    Pause(at=1.0, host="a", seconds=3.0),
    ClockSkew(at=1.0, host="a", skew_seconds=-5.0, rate=1.1),
    Partition(at=1.0, one="a", other="b", one_way=True, seconds=2.0),
    Heal(at=1.0, one="a", other="b"),
    Disturb(at=1.0, one="a", other="b", loss=0.5, seconds=4.0),
    Reset(at=1.0, one="a", other="b"),
    Refuse(at=1.0, host="a", port=80, seconds=1.0),
    BlackHole(at=1.0, host="a"),
    DiskFull(at=1.0, host="a", free_bytes=10, seconds=1.0),
    DiskError(at=1.0, host="a", operation="sync", code="ENOSPC", times=3),
    DiskReadOnly(at=1.0, host="a", seconds=1.0),
    BitRot(at=1.0, host="a", path="x", bits=4),
    BadPage(at=1.0, host="a", path="x", how="zero"),
]


def observe(faults: list[Fault], look: Any, *moments: float) -> list[Any]:
    """What `look(world)` sees at the given moments of a world struck by `faults`."""

    async def main() -> list[Any]:
        seen = []
        for moment in moments:
            await asyncio.sleep(moment - world.loop.time())
            seen.append(look(world))
        return seen

    world = World(1)
    for name in ("a", "b"):
        world.host(name, [f"192.0.2.{ord(name)}"])
    world.schedule(faults)
    seen = world.run(main())
    assert seen is not None
    return seen


def test_there_is_an_example_of_every_fault() -> None:
    assert {fault.word for fault in EXAMPLES} == set(FAULTS)


@pytest.mark.parametrize("fault", EXAMPLES, ids=lambda fault: fault.word)
def test_a_fault_is_read_back_as_it_was_written(fault: Fault) -> None:
    assert read_faults([fault.document()], "faults") == ([fault], [])


@pytest.mark.parametrize("fault", EXAMPLES, ids=lambda fault: fault.word)
def test_a_fault_strikes_once_and_says_so(fault: Fault) -> None:
    (events,) = observe([fault], lambda world: world.history.events(), 60)
    assert [event[:3] for event in events if event[1] == "fault"] == [(fault.at, "fault", str(fault))]


def test_a_crash_ends_and_starts_again() -> None:
    assert observe([Crash(at=1, host="a", seconds=2)], lambda w: w.hosts["a"].up, 0.5, 2, 4) == [
        True,
        False,
        True,
    ]


def test_partitions_add_up_and_undo_themselves() -> None:
    faults = [
        Partition(at=1, one="a", other="b", seconds=4),
        Partition(at=2, one="a", other="b", one_way=True, seconds=6),
    ]

    def cuts(world: World) -> tuple[int, int]:
        a, b = world.hosts["a"], world.hosts["b"]
        return world.network.channel(a, b).cuts, world.network.channel(b, a).cuts

    assert observe(faults, cuts, 0.5, 1.5, 3, 6, 9) == [(0, 0), (1, 1), (2, 1), (1, 0), (0, 0)]
    healed = [Partition(at=1, one="a", other="b"), Heal(at=2, one="b", other="a")]
    assert observe(healed, cuts, 1.5, 3) == [(1, 1), (0, 0)]


def test_disturbances_overlap_and_leave_no_trace() -> None:
    faults = [
        Disturb(at=1, one="a", other="b", loss=0.1, latency_seconds=1.0, seconds=4),
        Disturb(at=3, one="a", other="b", loss=0.2, seconds=4),
    ]

    def shape(world: World) -> tuple[float, float]:
        channel = world.network.channel(world.hosts["b"], world.hosts["a"])
        return channel.shape.loss, channel.latency

    assert observe(faults, shape, 0, 2, 4, 6, 8) == [
        (0, 0.01),
        (0.1, 1.0),
        (0.2, 1.0),
        (0.2, 0.01),
        (0, 0.01),
    ]


def test_disks_fill_and_recover() -> None:
    def free(world: World) -> int:
        return world.hosts["a"].disk.bytes_free()

    faults = [
        DiskFull(at=1, host="a", free_bytes=7, seconds=4),
        DiskFull(at=2, host="a", free_bytes=3, seconds=1),
    ]
    assert [min(each, 100) for each in observe(faults, free, 0, 1.5, 2.5, 4, 6)] == [100, 7, 3, 7, 100]


def test_clocks_jump_and_drift() -> None:
    faults = [ClockSkew(at=10, host="a", skew_seconds=-3, rate=2)]
    assert observe(faults, lambda w: w.hosts["a"].clock() - EPOCH, 9, 20) == [9, 27]


def test_every_mistake_is_told_with_its_place_and_remedy() -> None:
    documents = [
        {"fault": "explode", "at": 1},
        {"fault": "kill", "at": -1, "hots": "a"},
        {"fault": "disturb", "at": 1, "one": "a", "other": "b", "loss": 2, "bits_per_second": 0},
        {"fault": "partition", "at": True, "one": 7, "other": "b", "one_way": 1},
        {"fault": "disk_error", "at": 1, "host": "a", "code": "EWHAT", "operation": "wirte"},
        {"fault": "bad_page", "at": 1, "host": "a", "how": "burn"},
    ]
    faults, mistakes = read_faults(documents, "faults")
    assert faults == []
    told = {mistake.path: mistake.remedy for mistake in mistakes}
    assert set(told) == {
        "faults[0].fault",
        *("faults[1].host", "faults[1].at", "faults[1].hots"),
        *("faults[2].loss", "faults[2].bits_per_second"),
        *("faults[3].at", "faults[3].one", "faults[3].one_way"),
        *("faults[4].code", "faults[4].operation"),
        "faults[5].how",
    }
    assert "write one of crash, kill" in told["faults[0].fault"]
    assert told["faults[1].host"] == "give host: kill needs it"
    assert told["faults[2].loss"] == "write a probability, from 0 to 1"
    assert told["faults[3].at"] == "write a number"
