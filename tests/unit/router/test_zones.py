"""The zones of a configuration: who delegates to whom, and where a provider's hosts are handed over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import pytest
from tests.zones import zones_by_server

from nearcast.lab.config import Internet, parse_internet, read_internet
from nearcast.router.authority import Authority

EXAMPLES = Path(__file__).parents[3] / "examples"
DEMO = read_internet(EXAMPLES / "demo.toml")


def walk(internet: Internet, name: str, rdtype: str = "A") -> tuple[list[str], dns.message.Message]:
    """Follow referrals from the root; the servers asked, and the last reply."""
    served = {address: Authority(zones) for address, zones in zones_by_server(internet).items()}
    address, asked = str(internet.lab.root), []
    for _ in range(8):
        asked.append(address)
        octets = served[address].answer(dns.message.make_query(name, rdtype).to_wire(), ("127.0.0.1", 1))
        assert octets is not None
        reply = dns.message.from_wire(octets)
        if reply.flags & dns.flags.AA or reply.rcode():
            return asked, reply
        address = reply.additional[0][0].address
    raise AssertionError("the walk does not end")


def lines(reply: dns.message.Message) -> list[str]:
    return [line for rrset in reply.answer for line in str(rrset).splitlines()]


def changed(**sections: Any) -> Internet:
    """The demo's configuration with other `providers`, `hosts`, or `zone` of the CDN."""
    text = (EXAMPLES / "demo.toml").read_text()
    if "zone" in sections:
        text = text.replace('zone = "cdn.test"', f'zone = "{sections["zone"]}"')
    if "hosts" in sections:
        text = text.replace('hosts = ["www.movie.test"]', f"hosts = {sections['hosts']}".replace("'", '"'))
    if "providers" in sections:
        old = '[[lab.providers]]\nzone = "movie.test"\naddress = "127.0.20.1"\n'
        assert old in text
        entries = (
            f'[[lab.providers]]\nzone = "{zone}"\naddress = "{address}"\n'
            for zone, address in sections["providers"]
        )
        text = text.replace(old, "\n".join(entries))
    return parse_internet(text)


def test_the_demo_walks_from_the_root_to_the_handover_and_on_to_the_cdn() -> None:
    asked, reply = walk(DEMO, "www.movie.test")
    assert asked == ["127.0.11.1", "127.0.12.1", "127.0.20.1"]
    assert lines(reply) == ["www.movie.test. 300 IN CNAME movie.cdn.test."]
    asked, reply = walk(DEMO, "ia2.cdn.test")
    assert asked == ["127.0.11.1", "127.0.12.1", "127.0.30.1"]
    assert lines(reply) == ["ia2.cdn.test. 3600 IN A 127.0.51.2"]


def test_the_apex_is_the_providers_own_web_server() -> None:
    assert lines(walk(DEMO, "movie.test")[1]) == ["movie.test. 3600 IN A 127.0.20.1"]
    assert walk(DEMO, "movie.test", "SOA")[1].answer and walk(DEMO, "movie.test", "NS")[1].answer


def test_the_lectures_names() -> None:
    internet = read_internet(EXAMPLES / "lecture.toml")
    assert lines(walk(internet, "www.movie.com")[1]) == ["www.movie.com. 300 IN CNAME movie.cdn.com."]
    assert walk(internet, "movie.test")[1].rcode() == dns.rcode.NXDOMAIN


def test_other_top_level_domains_and_deeper_zones() -> None:
    internet = changed(
        providers=[("film.example.edu", "127.0.20.1"), ("movie.test", "127.0.20.2")],
        hosts=["www.film.example.edu", "a.b.film.example.edu", "www.movie.test"],
    )
    asked, reply = walk(internet, "a.b.film.example.edu")
    assert asked == ["127.0.11.1", "127.0.12.1", "127.0.20.1"]
    assert lines(reply) == ["a.b.film.example.edu. 300 IN CNAME movie.cdn.test."]
    assert not walk(internet, "example.edu")[1].rcode()  # exists: it has a child
    assert walk(internet, "www.movie.test")[0][-1] == "127.0.20.2"


def test_zones_nest_and_one_name_server_may_have_several() -> None:
    internet = changed(
        providers=[
            ("example.test", "127.0.20.1"),
            ("video.example.test", "127.0.20.3"),
            ("b.test", "127.0.20.4"),
        ],
        hosts=["www.example.test", "www.video.example.test", "www.b.test"],
    )
    asked, reply = walk(internet, "www.video.example.test")
    assert asked == ["127.0.11.1", "127.0.12.1", "127.0.20.1", "127.0.20.3"]
    assert lines(reply) == ["www.video.example.test. 300 IN CNAME movie.cdn.test."]
    first, second, third = internet.lab.providers
    shared = (first, second, third.model_copy(update={"address": first.address}))
    internet = replace(internet, lab=internet.lab.model_copy(update={"providers": shared}))
    assert len(zones_by_server(internet)["127.0.20.1"]) == 2
    assert walk(internet, "www.b.test")[0][-1] == "127.0.20.1"


def test_a_cdn_inside_a_providers_zone() -> None:
    internet = changed(zone="cdn.movie.test")
    asked, reply = walk(internet, "ia1.cdn.movie.test")
    assert asked == ["127.0.11.1", "127.0.12.1", "127.0.20.1", "127.0.30.1"]
    assert lines(reply) == ["ia1.cdn.movie.test. 3600 IN A 127.0.51.1"]


def test_a_provider_with_a_top_level_domain_of_its_own() -> None:
    internet = changed(providers=[("movie", "127.0.20.1")], hosts=["www.movie"])
    asked, reply = walk(internet, "www.movie")
    assert asked == ["127.0.11.1", "127.0.20.1"]
    assert lines(reply) == ["www.movie. 300 IN CNAME movie.cdn.test."]


def test_no_alias_at_an_apex_and_none_in_zones_of_others() -> None:
    internet = changed(hosts=["movie.test", "ns.movie.test", "www.elsewhere.test"])
    assert lines(walk(internet, "movie.test")[1]) == ["movie.test. 3600 IN A 127.0.20.1"]
    assert lines(walk(internet, "ns.movie.test")[1]) == ["ns.movie.test. 300 IN CNAME movie.cdn.test."]
    assert lines(walk(internet, "movie.test", "NS")[1]) == ["movie.test. 3600 IN NS ns1.movie.test."]
    assert walk(internet, "www.elsewhere.test")[1].rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize("name", ["demo", "lecture"])
def test_every_server_of_an_example_has_zones(name: str) -> None:
    internet = read_internet(EXAMPLES / f"{name}.toml")
    lab = internet.lab
    expected = {
        lab.root,
        lab.top,
        *internet.config.routers[0].addresses,
        *(each.address for each in lab.providers),
    }
    assert set(zones_by_server(internet)) == {str(address) for address in expected}
