"""Distances against published great-circle figures."""

from __future__ import annotations

import pytest

from nearcast.model.config import Place
from nearcast.selection.geography import distance_km


def place(north: float, east: float) -> Place:
    return Place(name="somewhere", latitude=north, longitude=east)


def test_known_distances() -> None:
    # Quarter of a meridian of a sphere of mean radius: pi/2 * 6371.0088 km.
    assert distance_km(place(0, 0), place(90, 0)) == pytest.approx(10007.557, abs=0.01)
    assert distance_km(place(0, 179.5), place(0, -179.5)) == pytest.approx(111.195, abs=0.01), (
        "over the date line"
    )
    assert distance_km(place(41.66, -91.53), place(41.66, -91.53)) == 0
    assert distance_km(place(10, 20), place(-10, -160)) == pytest.approx(20015.11, abs=0.1), "antipodes"
