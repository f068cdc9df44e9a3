"""The Snapshot answers what programs ask of it."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from nearcast.model.read import parse_config, read_config
from nearcast.model.snapshot import (
    Revision,
    RouterSnapshot,
    control_snapshot,
    edge_snapshot,
    router_snapshot,
)

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


def test_a_revision_survives_its_json_and_equal_configurations_have_equal_digests() -> None:
    revision = Revision(7, read_config(DEMO))
    again = Revision.from_json(revision.to_json())
    assert again == revision and again.digest == revision.digest
    assert Revision(8, read_config(DEMO)).digest == revision.digest
    cdn = revision.config.cdn.model_copy(update={"shards": 31})
    assert Revision(7, revision.config.model_copy(update={"cdn": cdn})).digest != revision.digest


@pytest.mark.parametrize("spoilt", ['"shards":31', '"shards":"x"'])
def test_a_revision_that_was_changed_on_its_way_is_refused(spoilt: str) -> None:
    text = Revision(7, read_config(DEMO)).to_json()
    assert '"shards":32' in text
    for broken in (text.replace('"shards":32', spoilt), text[:-1], "[]", '{"number": 7}'):
        with pytest.raises(ValueError):
            Revision.from_json(broken)


def test_each_role_gets_what_it_needs_and_no_more() -> None:
    revision = Revision(7, read_config(DEMO))
    edge, control = edge_snapshot(revision, "ia2"), control_snapshot(revision)
    assert edge.server.name == "ia2" and not hasattr(edge, "zones") and not hasattr(edge, "servers")
    assert edge.number == control.number == 7 and edge.digest == control.digest == revision.digest
    assert (control.address, control.port) == ("127.0.30.2", 8080)
    for compiled in (edge, control, snapshot()):
        assert not hasattr(compiled, "config"), "nobody consults the configuration"
    for missing in (edge_snapshot, router_snapshot):
        with pytest.raises(KeyError):
            missing(revision, "nobody")


def test_addresses_ports_and_listening_addresses_may_be_said_one_by_one() -> None:
    text = DEMO.read_text().replace(
        'addresses = ["127.0.51.2"]',
        'addresses = ["192.0.2.2", "2001:db8::2"]\nlisten = ["0.0.0.0"]\nhttp_port = 80\nadmin_port = 81',
    )
    server = edge_snapshot(Revision(1, parse_config(text)), "ia2").server
    assert server.addresses == ("192.0.2.2", "2001:db8::2") and server.address == "192.0.2.2"
    assert (server.listen, server.http_port, server.admin_port) == (("0.0.0.0",), 80, 81)
