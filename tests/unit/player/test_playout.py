"""The play-out clock."""

from __future__ import annotations

import pytest

from nearcast.player.playout import PlayOut


def test_nothing_plays_before_the_first_arrival() -> None:
    playout = PlayOut()
    playout.arrived(1.0, 0.0)
    assert playout.began is None
    assert playout.level(5.0) == 0


def test_the_buffer_drains_with_the_clock() -> None:
    playout = PlayOut()
    playout.arrived(1.0, 4.0)
    assert [playout.level(now) for now in (1.0, 3.0, 5.0, 9.0)] == [4.0, 2.0, 0.0, 0.0]


def test_what_comes_in_time_is_no_stall() -> None:
    playout = PlayOut()
    playout.arrived(1.0, 4.0)
    playout.arrived(5.0, 4.0)
    assert (playout.stalls, playout.rebuffer_seconds) == (0, 0)


def test_what_comes_late_is_a_stall_of_its_lateness() -> None:
    playout = PlayOut()
    playout.arrived(1.0, 4.0)
    playout.arrived(6.5, 4.0)
    assert (playout.stalls, playout.rebuffer_seconds) == (1, 1.5)
    assert playout.level(6.5) == pytest.approx(4.0)
