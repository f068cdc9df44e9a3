"""What is known for a while is bounded, and the oldest gives way."""

from __future__ import annotations

from nearcast.resolver.expiring import Expiring


def test_what_is_over_is_not_known() -> None:
    known: Expiring[str, int] = Expiring(10)
    known.keep("a", 1, until=5.0)
    assert known.get("a", 4.9) == 1
    assert known.get("a", 5.0) is None and len(known) == 0
    known.keep("a", 2, until=9.0)
    known.forget("a")
    known.forget("a")
    assert known.get("a", 0.0) is None


def test_the_oldest_gives_way() -> None:
    known: Expiring[int, int] = Expiring(3)
    for number in range(3):
        known.keep(number, number, until=9.0)
    known.keep(0, 7, until=9.0)  # said again: the newest now
    known.keep(3, 3, until=9.0)
    assert [known.get(number, 0.0) for number in range(4)] == [7, None, 2, 3]
    assert len(known) == 3
