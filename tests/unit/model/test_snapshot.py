"""The Snapshot answers what programs ask of it."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from nearcast.model.read import read_config
from nearcast.model.snapshot import Revision, RouterSnapshot, router_snapshot

DEMO = Path(__file__).parents[3] / "examples" / "demo.toml"


def snapshot() -> RouterSnapshot:
    return router_snapshot(Revision(7, read_config(DEMO)), "router")


def test_servers_carry_their_name_in_the_zone_and_their_ports() -> None:
    server = snapshot().servers["ia2"]
    assert (server.host, server.address, server.http_port) == ("ia2.cdn.test", "127.0.51.2", 8080)
    assert server.failure_domain == "ia2", "by default a server fails alone"
    assert [each.name for each in snapshot().pops["ia"].servers] == ["ia1", "ia2"]


def test_a_site_is_found_by_every_name_it_has_and_by_no_other() -> None:
    compiled = snapshot()
    found = compiled.site_for
    for host in ("www.movie.test", "movie.cdn.test", "s00.movie.cdn.test", "s31.movie.cdn.test"):
        site = found(host)
        assert site is not None and site.name == "movie", host
    for host in (
        "movie.test",
        "cdn.test",
        "s32.movie.cdn.test",
        "sx.movie.cdn.test",
        "ia2.cdn.test",
        "",
        "s",
    ):
        assert found(host) is None, host
    assert compiled.sole_site is found("www.movie.test")


def test_an_isps_own_prefix_beats_the_map() -> None:
    match = snapshot().zones.find(ip_address("203.0.113.7"))
    assert match is not None and match.value.own_pop == "ia" and match.length == 24
    elsewhere = snapshot().zones.find(ip_address("198.51.100.9"))
    assert elsewhere is not None and elsewhere.value.own_pop is None
    assert elsewhere.value.place is not None and elsewhere.value.place.name == "Frankfurt"
