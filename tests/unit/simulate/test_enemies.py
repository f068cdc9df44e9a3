"""The cast's enemies, the second distribution and the swarm, as far as no play is needed to see them."""

from __future__ import annotations

import random
from pathlib import Path

import dns.message
import dns.rdatatype
import pytest

from nearcast.edge import stream
from nearcast.model.faults import OperatorFault
from nearcast.serve.http_client import ClientLimits
from nearcast.simulate.play.bounds import BOUNDS, bounded, drawn_bounds
from nearcast.simulate.play.distributions import WHOSE, OfOrigin
from nearcast.simulate.play.enemies.lies import LIES, Question
from nearcast.simulate.play.enemies.lure import LURE_ADDRESS
from nearcast.simulate.play.enemies.tricks import tricks_of
from nearcast.simulate.play.oracle import Oracle
from nearcast.simulate.play.scenario import Scenario, parse_scenario
from nearcast.simulate.play.script import Films
from nearcast.simulate.play.swarm import drawn

HERE = Path(__file__).parents[3] / "examples" / "scenarios" / "test.toml"
HEAD = (
    'config = "../demo.toml"\nseconds = 60\nswarm = {}\n[[audiences]]\nname = "fans"\nplace = "Frankfurt"\n'
)


def read(more: str = "", *, swarm: bool = False) -> Scenario:
    return parse_scenario(HEAD.format(str(swarm).lower()) + more, HERE)


def mistakes(more: str, *, swarm: bool = False) -> dict[str, str]:
    """Remedy by path."""
    with pytest.raises(OperatorFault) as caught:
        read(more, swarm=swarm)
    return {mistake.path: mistake.remedy for mistake in caught.value.mistakes}


# --- two distributions ------------------------------------------------------------------------------
def test_every_play_has_a_second_distribution_with_viewers_origin_and_name_server_of_its_own() -> None:
    scenario = read()
    distributions, roster = scenario.distributions(), scenario.roster()
    assert distributions.sites == ["movie", "other"]
    assert roster.select("other") == ("other-1", "other-2")
    assert roster.select("origin") == ("origin", "origin-other")
    assert roster.select("provider") == ("movie.test", "other.test")
    assert [distributions.origin(site) for site in distributions.sites] == ["origin", "origin-other"]
    assert [distributions.providers(site) for site in distributions.sites] == [["movie.test"], ["other.test"]]
    assert len({member.address for member in roster.members.values()}) == len(roster.members)


def test_the_second_may_be_a_guest_on_the_firsts_origin() -> None:
    scenario = read('[second]\norigin = "same"\n')
    assert scenario.distributions().further_origins() == {}
    assert scenario.roster().select("origin") == ("origin",)


def test_origins_have_their_own_titles_and_one_page_that_says_whose_it_is() -> None:
    distributions = read().distributions()
    titles = [title for site in distributions.sites for title in distributions.titles(site)]
    oracle = Oracle(Films(seconds=4, scale=0.01), titles, lambda: 0.0)
    first, other = (OfOrigin(oracle, distributions, name) for name in ("origin", "origin-other"))
    assert first.find("film1/manifest.mpd") and not other.find("film1/manifest.mpd")
    assert other.find("show1/manifest.mpd") and not first.find("show1/manifest.mpd")
    pages = [source.find(WHOSE) for source in (first, other)]
    assert pages[0] and pages[1] and pages[0].octets != pages[1].octets and pages[0].etag != pages[1].etag


# --- enemies ----------------------------------------------------------------------------------------
def test_mistakes_about_enemies_are_told() -> None:
    told = mistakes(
        '[second]\norigin = "same"\n'
        '[[enemies]]\nenemy = "viewer"\ntricks = ["dance"]\nfrom_seconds = 9\nuntil_seconds = 5\n'
        '[[enemies]]\nenemy = "origin"\n'
        '[[enemies]]\nenemy = "name_server"\n[[enemies]]\nenemy = "name_server"\n'
    )
    assert set(told) == {
        *("enemies.0.tricks", "enemies.0.until_seconds", "enemies.1.enemy"),
        *("enemies.2.enemy", "enemies.3.enemy"),
    }
    assert "great_fields" in told["enemies.0.tricks"]


def test_every_kind_of_enemy_has_tricks() -> None:
    assert "slow_reading" in tricks_of("viewer")
    assert "endless_103" in tricks_of("origin")
    assert "another_subnet" in tricks_of("name_server")


HONEST = ("foreign_records", "another_subnet", "silence", "no_sense", "truncated")


@pytest.mark.parametrize("name", LIES)
def test_every_lie_is_told_by_the_dice_alone_and_most_lead_to_the_lure(name: str) -> None:
    query = dns.message.make_query("www.other.test", "A", use_edns=0, id=7)
    honest = dns.message.make_response(query).to_wire()

    def told(seed: int) -> list[bytes]:
        dice = random.Random(seed)
        asked = Question(query, honest, LURE_ADDRESS, ["www.movie.test"], ["."], dice, stream=False)
        return LIES[name](asked)

    assert told(1) == told(1)
    if name not in HONEST:
        lie = dns.message.from_wire(told(1)[0])
        assert LURE_ADDRESS in lie.to_text()
        assert told(1)[0] != honest


def test_a_subnet_of_others_is_told_where_one_was_asked_for() -> None:
    query = dns.message.make_query("www.other.test", "A", id=7)
    query.use_edns(0, options=[dns.edns.ECSOption("203.0.113.0", 24)])
    honest = dns.message.make_response(query).to_wire()
    asked = Question(query, honest, LURE_ADDRESS, [], ["."], random.Random(1), stream=False)
    lie, truth = LIES["another_subnet"](asked)
    assert truth == honest
    (subnet,) = dns.message.from_wire(lie).options
    assert isinstance(subnet, dns.edns.ECSOption) and subnet.address == "100.64.0.0"


# --- swarm ------------------------------------------------------------------------------------------
def test_a_swarm_draws_another_cdn_with_every_seed_and_the_same_with_the_same() -> None:
    scenario = read(swarm=True)
    worlds = [drawn(scenario, seed) for seed in range(8)]
    assert worlds == [drawn(scenario, seed) for seed in range(8)]
    assert len({len(each.internet.config.content_servers) for each in worlds}) > 2
    assert len({each.internet.config.serving for each in worlds}) > 4
    for each in worlds:
        config = each.internet.config
        assert {server.pop for server in config.content_servers} == {pop.name for pop in config.pops}
        addresses = [member.address for member in each.roster().members.values()]
        assert len(set(addresses)) == len(addresses)


def test_what_is_no_swarm_stays_as_it_is() -> None:
    scenario = read()
    assert drawn(scenario, 1) is scenario


def test_a_swarm_is_not_struck_by_the_name_of_a_server() -> None:
    told = mistakes('[[faults]]\nfault = "kill"\nhost = "ia1"\nat = 1\n', swarm=True)
    assert "rates" in told["faults[0].host"]


def test_bounds_are_set_for_the_time_of_a_play_and_put_back() -> None:
    before = stream.WINDOW_BYTES, ClientLimits().kept_per_address_max
    values = {
        "nearcast.edge.stream:WINDOW_BYTES": 77,
        "nearcast.serve.http_client:ClientLimits.kept_per_address_max": 3,
    }
    with bounded(values):
        assert (stream.WINDOW_BYTES, ClientLimits().kept_per_address_max) == (77, 3)
    assert (stream.WINDOW_BYTES, ClientLimits().kept_per_address_max) == before


def test_every_bound_is_where_it_is_said_to_be() -> None:
    with bounded(drawn_bounds(random.Random(1))):
        pass
    assert len(BOUNDS) > 10


def test_a_bound_that_has_moved_is_missed() -> None:
    for where in ("nearcast.edge.stream:NOWHERE", "nearcast.serve.http_client:ClientLimits.nowhere"):
        with pytest.raises(AttributeError), bounded({where: 1}):
            pass
