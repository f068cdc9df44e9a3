"""The decision: near first, healthy only, not the overloaded, spread by content, two failure domains."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.zones import first_router

from nearcast.model.read import read_config
from nearcast.selection.conditions import Condition, Conditions
from nearcast.selection.decide import Selector
from nearcast.selection.decision import Decision

SNAPSHOT = first_router(read_config(Path(__file__).parents[3] / "examples" / "demo.toml"))
SITE = SNAPSHOT.sites["movie"]
IOWA, FRANKFURT, CHICAGO, NOWHERE = "203.0.113.7", "198.51.100.9", "192.0.2.5", "8.8.8.8"


def decide(client: str, shard: str = "", **servers: Condition) -> Decision:
    selector = Selector(SNAPSHOT, Conditions(1, servers))
    return selector.decide(selector.locate(ip_address(client)).zone, SITE, shard)


def pops(decision: Decision) -> list[str]:
    return [server.pop for server in decision.servers]


DOWN = Condition(healthy=False, why="refused")
FULL = Condition(load=0.95)


def test_a_client_of_the_isp_is_served_inside_it() -> None:
    decision = decide(IOWA)
    assert pops(decision) == ["ia", "ia"]
    assert [each.pop for each in decision.candidates] == ["ia", "ord", "fra"]
    assert decision.candidates[0].reason == "prefix 203.0.113.0/24 is its own"
    assert [each.chosen for each in decision.candidates] == [True, False, False]


def test_others_go_to_the_nearest_exchange_not_into_somebody_elses_isp() -> None:
    assert pops(decide(FRANKFURT)) == ["fra", "fra"]
    assert pops(decide(CHICAGO)) == ["ord", "ord"]
    assert "ia" not in pops(decide(NOWHERE))


def test_a_dead_server_is_not_named_and_the_next_pop_lends_the_standby() -> None:
    decision = decide(IOWA, ia1=DOWN)
    assert decision.servers[0].name == "ia2"
    assert pops(decision) == ["ia", "ord"]


def test_a_dead_pop_gives_way_and_says_why() -> None:
    decision = decide(IOWA, ia1=DOWN, ia2=DOWN)
    assert pops(decision) == ["ord", "ord"]
    assert "no healthy server" in decision.candidates[0].reason


def test_an_overloaded_pop_spills_to_the_next_and_serves_when_all_are() -> None:
    decision = decide(IOWA, ia1=FULL, ia2=FULL)
    assert pops(decision) == ["ord", "ord"]
    assert "too loaded" in decision.candidates[0].reason
    all_full = {name: Condition(load=0.9) for name in SNAPSHOT.servers} | {"fra1": Condition(load=0.85)}
    assert decide(IOWA, **all_full).servers[0].pop == "fra"


def test_nothing_healthy_is_a_result() -> None:
    decision = decide(IOWA, **dict.fromkeys(SNAPSHOT.servers, DOWN))
    assert decision.servers == ()
    assert not any(each.chosen for each in decision.candidates)


def test_shards_spread_over_the_servers_of_a_pop() -> None:
    first = Counter(decide(IOWA, f"s{n:02}").servers[0].name for n in range(32))
    assert set(first) == {"ia1", "ia2"} and min(first.values()) >= 8


@given(st.integers(0, 500), st.sets(st.sampled_from(sorted(SNAPSHOT.servers))))
def test_only_healthy_servers_are_named_and_only_the_keys_of_lost_ones_move(
    shard: int, dead: set[str]
) -> None:
    before = decide(IOWA, f"s{shard}")
    after = decide(IOWA, f"s{shard}", **dict.fromkeys(dead, DOWN))
    assert not {server.name for server in after.servers} & dead
    assert bool(after.servers) == (len(dead) < len(SNAPSHOT.servers))
    assert len({(server.pop, server.failure_domain) for server in after.servers}) == len(after.servers)
    if before.servers[0].name not in dead:
        assert after.servers[0] == before.servers[0]


@given(st.ip_addresses(v=4), st.dictionaries(st.sampled_from(sorted(SNAPSHOT.servers)), st.floats(0, 1)))
def test_the_decision_is_a_function(client: object, loads: dict[str, float]) -> None:
    conditions = {name: Condition(load=load) for name, load in loads.items()}
    assert decide(str(client), **conditions) == decide(str(client), **conditions)
