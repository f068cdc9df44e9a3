"""What the origin had and when, and whom faults leave unable to do their work."""

from __future__ import annotations

import hashlib

from nearcast.simulate.play.faults import ClockSkew, DiskFull, Disturb, Fault, Kill, Partition, Reset
from nearcast.simulate.play.oracle import Oracle
from nearcast.simulate.play.outages import RESTART_SECONDS, Outages
from nearcast.simulate.play.script import Films


class Now:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def sha256(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


def test_a_new_version_has_the_same_paths_and_other_bytes() -> None:
    now = Now()
    oracle = Oracle(Films(titles=2, seconds=8, scale=0.01), ["film1", "film2"], now)
    names = oracle.content_names("film1")
    before = {name: oracle.find(name) for name in names}
    now.seconds = 9.0
    oracle.publish("film1")
    assert oracle.content_names("film1") == names
    for name in names:
        old, new = oracle.editions(f"/{name}")[:2]
        content = oracle.find(name)
        assert before[name] is not None and content is not None
        assert (old.since, old.until) == (0.0, 9.0) and new.since == 9.0 < new.until
        assert content.etag == new.etag != old.etag == before[name].etag  # type: ignore[union-attr]
        assert old.has(sha256(old.octets), 0, len(old.octets))
        assert old.octets != new.octets
    assert all(len(oracle.editions(name)) == 1 for name in oracle.content_names("film2"))


def test_a_part_belongs_to_its_version_only_at_its_place() -> None:
    oracle = Oracle(Films(seconds=8, scale=0.01), ["film1"], Now())
    (edition,) = oracle.editions("/film1/v360/1.m4s")
    part = edition.octets[10:50]
    assert edition.has(sha256(part), 10, 40)
    assert not edition.has(sha256(part), 11, 40)
    assert not edition.has(sha256(edition.octets[-5:]), len(edition.octets) - 5, 40)
    assert oracle.editions("/nothing") == [] and oracle.find("nothing") is None


def test_troubles_are_of_hosts_and_of_the_links_between_them() -> None:
    troubles = Outages([Kill(at=10, host="a", seconds=5), Partition(at=50, one="b", other="c", seconds=5)])
    assert troubles.free("a", since=0, until=10)
    assert not troubles.free("a", since=0, until=10.1)
    assert not troubles.free("x", "a", "y", since=15, until=20)
    assert troubles.free("a", since=15 + RESTART_SECONDS, until=100)
    assert troubles.free("a", "b", since=45, until=60)
    assert not troubles.free("a", "c", "b", since=45, until=60)


def test_what_lasts_is_trouble_for_ever() -> None:
    assert not Outages([Kill(at=10, host="a")]).free("a", since=1e6, until=1e6 + 1)


def test_what_a_cdn_has_to_bear_is_no_trouble() -> None:
    borne: list[Fault] = [
        DiskFull(at=1, host="a"),
        ClockSkew(at=1, host="a", skew_seconds=100),
        Reset(at=1, one="a", other="b"),
        Disturb(at=1, one="a", other="b", loss=0.01, latency_seconds=0.1),
    ]
    assert Outages(borne).free("a", "b", since=0, until=100)
    assert not Outages([Disturb(at=1, one="a", other="b", loss=0.5)]).free("a", "b", since=0, until=100)
