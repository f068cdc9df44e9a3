from __future__ import annotations

import pytest

from nearcast.edge.counters import SMOOTHING_SECONDS, LoadMeter


def test_a_steady_stream_shows_as_its_part_of_the_capacity() -> None:
    now = 0.0
    meter = LoadMeter(lambda: now)
    assert meter.load(1e6) == 0
    while now < 10 * SMOOTHING_SECONDS:
        now += 0.01
        meter.sent(625)  # 500 kb/s
    assert meter.load(1e6) == pytest.approx(0.5, rel=0.01)
    now += SMOOTHING_SECONDS
    assert meter.load(1e6) == pytest.approx(0.5 / 2.71828, rel=0.01)
    now += 100 * SMOOTHING_SECONDS
    assert meter.load(1e6) == pytest.approx(0, abs=1e-9)


def test_load_ends_at_one() -> None:
    meter = LoadMeter(lambda: 0.0)
    meter.sent(10**9)
    assert meter.load(1e6) == 1
