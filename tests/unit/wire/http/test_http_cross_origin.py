"""What pages of other hosts may read is said in one place, and the same by whoever answers."""

from __future__ import annotations

from pathlib import Path

import nearcast
from nearcast.wire.http.cross_origin import METHODS, OPEN_TO_ALL, PREFLIGHT

SOURCES = Path(nearcast.__file__).parent


def test_a_preflight_allows_what_the_method_list_says() -> None:
    assert PREFLIGHT["allow"] == PREFLIGHT["access-control-allow-methods"] == METHODS
    assert OPEN_TO_ALL.items() <= PREFLIGHT.items()


def test_a_page_may_read_what_players_look_at() -> None:
    exposed = OPEN_TO_ALL["access-control-expose-headers"].split(", ")
    assert {"age", "cache-status", "content-range", "etag", "server-timing"} <= set(exposed)


def test_no_other_file_spells_these_fields() -> None:
    spelled = [path for path in SOURCES.rglob("*.py") if "access-control-" in path.read_text().lower()]
    assert [path.relative_to(SOURCES).as_posix() for path in spelled] == ["wire/http/cross_origin.py"]
