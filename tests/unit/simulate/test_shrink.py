"""Shrinking fault schedules: what is left still fails, and nothing of it can be left out."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from nearcast.simulate.play.faults import Crash, Fault, Kill, Partition, read_faults
from nearcast.simulate.play.shrink import as_toml, smallest


def crashes(count: int) -> list[Fault]:
    return [Crash(at=float(number), host="ia1") for number in range(count)]


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_exactly_the_culprits_are_left(case: tuple[int, set[int]]) -> None:
    count, culprits = case
    schedule = crashes(count)
    needed = [schedule[number] for number in sorted(culprits)]
    assert smallest(schedule, lambda faults: all(each in faults for each in needed)) == needed


def test_it_stops_when_it_may_not_go_on() -> None:
    tries = iter(range(5))
    schedule = crashes(64)
    left = smallest(schedule, lambda faults: schedule[7] in faults, lambda: next(tries, None) is not None)
    assert schedule[7] in left and 1 < len(left) <= 64


def test_what_is_shown_can_be_pasted() -> None:
    faults: list[Fault] = [
        Kill(at=1.5, host='a "strange" \\ name'),
        Partition(at=2.0, one="a", other="b", one_way=True, seconds=0.25),
    ]
    read, mistakes = read_faults(tomllib.loads(as_toml(faults))["faults"], "faults")
    assert not mistakes
    assert read == faults
