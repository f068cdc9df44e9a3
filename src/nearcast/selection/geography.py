"""Distance on the globe, the first guess of how near two places are."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

from nearcast.model.config import Place

EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG


def distance_km(here: Place, there: Place) -> float:
    """Great-circle distance in km (haversine formula)."""
    north_here, north_there = radians(here.latitude), radians(there.latitude)
    north, east = north_there - north_here, radians(there.longitude - here.longitude)
    half = sin(north / 2) ** 2 + cos(north_here) * cos(north_there) * sin(east / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(half)))
