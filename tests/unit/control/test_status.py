"""GET /v1/status and /v1/catalogue: everything there is, and who is away."""

from __future__ import annotations

from typing import Any

import pytest


def servers_of(status: Any) -> dict[str, Any]:
    return {server["name"]: server for pop in status["pops"] for server in pop["servers"]}


def test_the_status_brings_together_what_everybody_says(play: Any) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        status = (await call("GET", "/v1/status")).json
        assert status["zone"] == "cdn.test"
        assert status["snapshot"] == 7
        assert status["router"] == {"address": "127.0.30.1", "conditions": 4, "trouble": None}
        assert [(pop["name"], pop["kind"]) for pop in status["pops"]] == [
            ("ia", "isp"),
            ("ord", "ixp"),
            ("fra", "ixp"),
        ]
        ia2 = servers_of(status)["ia2"]
        assert (ia2["healthy"], ia2["load"], ia2["why"]) == (True, 0.03, "answered in 1 ms")
        assert ia2["statistics"]["bytes_sent"] == 12_345_678
        assert ia2["hit_ratio"] == 0.75
        assert servers_of(status)["ia1"]["hit_ratio"] is None  # nothing requested yet
        assert status["totals"] == {
            "requests": 600,
            "hits": 450,
            "bytes_sent": 15 * 12_345_678,
            "bytes_filled": 45_000_000,
            "hit_ratio": 0.75,
        }
        assert status["viewers"][0]["place"]["name"] == "Iowa City"

    play(scene)


def test_decisions_come_newest_first(play: Any) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        decisions = (await call("GET", "/v1/status")).json["decisions"]
        assert [each["client"] for each in decisions] == ["198.51.100.0/24", "203.0.113.0/24"]
        assert [each["pop"] for each in decisions[1]["candidates"] if each["chosen"]] == ["ia"]

    play(scene)


def test_a_server_that_is_away_is_shown_and_the_others_are_counted(play: Any) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        cdn.stop("fra2")
        answered = await call("GET", "/v1/status")
        assert answered.status == 200
        fra2 = servers_of(answered.json)["fra2"]
        assert fra2["statistics"] is None
        assert "no connection" in fra2["trouble"]
        assert answered.json["totals"]["requests"] == 400

    play(scene)


def test_a_router_that_is_away_leaves_health_unknown(play: Any) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        cdn.stop("router")
        answered = await call("GET", "/v1/status")
        assert answered.status == 200
        assert answered.json["router"]["conditions"] is None
        assert "no connection" in answered.json["router"]["trouble"]
        assert answered.json["decisions"] == []
        ia1 = servers_of(answered.json)["ia1"]
        assert (ia1["healthy"], ia1["why"]) == (None, "the router cannot be asked")
        assert ia1["statistics"] is not None

    play(scene)


@pytest.mark.parametrize("nonsense", ["<html>", "[]", '"x"', "{}", '{"requests": -1}', "[1, 2]", "null"])
def test_nonsense_from_a_program_is_no_fault_of_ours(play: Any, nonsense: str) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        cdn.statistics["ia1"] = cdn.conditions = cdn.decisions = nonsense
        answered = await call("GET", "/v1/status")
        assert answered.status == 200
        assert answered.json["decisions"] == []
        if nonsense != "{}":
            assert servers_of(answered.json)["ia1"]["trouble"]
        assert (await call("GET", "/metrics")).status == 200

    play(scene)


def test_nonsense_about_one_server_is_unknown_health(play: Any) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        cdn.conditions["servers"]["ia1"] = "fine"
        cdn.conditions["servers"]["ia2"] = {"healthy": "perhaps", "load": []}
        status = (await call("GET", "/v1/status")).json
        assert servers_of(status)["ia1"]["healthy"] is None
        assert servers_of(status)["ia2"]["healthy"] is None
        assert servers_of(status)["ord1"]["healthy"] is True

    play(scene)


def test_the_catalogue_says_where_to_watch(play: Any) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        (clock,) = (await call("GET", "/v1/catalogue")).json
        assert (clock["key"], clock["name"], clock["host"]) == ("clock", "Moving clock", "www.movie.test")
        port = cdn.snapshot.port
        assert clock["watch_url"] == f"http://127.0.30.1:{port}/watch/clock"
        assert clock["watch_as"]["frankfurt"] == clock["watch_url"] + "?client=198.51.100.9"
        assert [each["name"] for each in clock["renditions"]] == ["360p", "720p"]

    play(scene)
