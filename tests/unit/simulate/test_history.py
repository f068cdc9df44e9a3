"""The event history: digest, what is kept, what people read."""

from __future__ import annotations

import pytest

from nearcast.simulate.world.history import BATCH_EVENTS, WORDS, History


def filled(count: int, keep: int | None = None, look_after: int = -1) -> History:
    history = History(keep)
    for number in range(count):
        history.add((number / 7, "note", "host", f"event {number}"))
        if number == look_after:
            history.digest()
    return history


def test_the_digest_depends_on_every_event_and_not_on_when_one_looks() -> None:
    count = 2 * BATCH_EVENTS + 10
    assert filled(count).digest() == filled(count, look_after=500).digest() == filled(count, keep=0).digest()
    assert filled(count).digest() != filled(count - 1).digest()


def test_only_the_last_events_are_kept_but_all_are_counted() -> None:
    history = filled(5000, keep=3)
    assert [event[3] for event in history.events()] == ["event 4997", "event 4998", "event 4999"]
    assert history.count == 5000


def test_a_closed_history_records_no_more() -> None:
    history = filled(3)
    history.close()
    before = history.digest()
    history.add((9.0, "note", "host", "too late"))
    assert (history.digest(), history.count) == (before, 3)


@pytest.mark.parametrize("word", WORDS)
def test_every_word_has_a_line_for_people(word: str) -> None:
    members = {"bytes": ("edge", 7, 65536, 0xABC), "datagram": ("edge", "192.0.2.1:53", 40, 0xABC)}
    history = History()
    history.add((12.5, word, *members.get(word, ("edge", 7, "a", "b"))))
    (line,) = history.lines()
    assert line.startswith("     12.500000  ")
    assert "{" not in line
