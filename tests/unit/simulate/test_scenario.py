"""Reading scenarios: what is right is understood, and everything that is wrong is said at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from nearcast.model.faults import OperatorFault
from nearcast.simulate.play.faults import Crash, Disturb, Partition
from nearcast.simulate.play.scenario import Scenario, parse_scenario, read_scenario

HERE = Path(__file__).parents[3] / "examples" / "scenarios" / "test.toml"
HEAD = 'config = "../demo.toml"\nseconds = 60\n[[audiences]]\nname = "fans"\nplace = "Frankfurt"\ncount = 3\n'


def read(more: str = "") -> Scenario:
    return parse_scenario(HEAD + more, HERE)


def mistakes(text: str) -> dict[str, str]:
    """Remedy by path."""
    with pytest.raises(OperatorFault) as caught:
        parse_scenario(text, HERE)
    return {mistake.path: mistake.remedy for mistake in caught.value.mistakes}


def test_hosts_are_the_programs_and_the_viewers() -> None:
    roster = read().roster()
    assert roster.select("fans") == ("fans-1", "fans-2", "fans-3")
    assert roster.select("edge") == ("ia1", "ia2", "ord1", "ord2", "fra1", "fra2")
    assert roster.select("fra") == ("fra1", "fra2")
    assert roster.select("Frankfurt") == ("fra1", "fra2", "fans-1", "fans-2", "fans-3")
    assert roster.select("nobody") == ()
    assert len(roster.select("*")) == len(roster.members)
    assert {
        str(viewer.client).rpartition(".")[0] for viewer in roster.viewers if viewer.name.startswith("fans")
    } == {"198.51.100"}
    assert len({member.address for member in roster.members.values()}) == len(roster.members)


def test_faults_are_understood() -> None:
    scenario = read('[[faults]]\nfault = "crash"\nhost = "ia1"\nat = 2.5\nseconds = 1.0\n')
    assert scenario.schedule(1) == [Crash(at=2.5, host="ia1", seconds=1.0)]


RATES = """
[[rates]]
fault = "partition"
host = "edge"
other = "origin"
per_minute = 30
from_seconds = 10
until_seconds = 40
seconds_min = 2
seconds_max = 4

[[rates]]
fault = "disturb"
host = "fans"
other = "*"
per_minute = 20
until_seconds = 60
members = { loss = 0.1 }
"""


def test_rates_bring_faults_by_the_seed() -> None:
    scenario = read(RATES)
    schedule = scenario.schedule(5)
    assert schedule == scenario.schedule(5) != scenario.schedule(6)
    assert [fault.at for fault in schedule] == sorted(fault.at for fault in schedule)
    cuts = [fault for fault in schedule if isinstance(fault, Partition)]
    assert 5 < len(cuts) < 30
    assert all(10 <= fault.at < 40 and 2 <= (fault.seconds or 0) <= 4 for fault in cuts)
    assert {fault.other for fault in cuts} == {"origin", "origin-other"}
    disturbances = [fault for fault in schedule if isinstance(fault, Disturb)]
    assert disturbances
    assert all(fault.loss == 0.1 and fault.one != fault.other for fault in disturbances)


def test_leaving_out_a_rate_leaves_the_others_as_they_were() -> None:
    cuts = [fault for fault in read(RATES).schedule(5) if isinstance(fault, Partition)]
    assert read(RATES.partition("\n\n")[0] + "\n").schedule(5) == cuts


def test_every_mistake_is_said_at_once() -> None:
    text = """
    config = "../demo.toml"
    seconds = -1
    surprise = true
    [[audiences]]
    name = "fans"
    count = 0
    [[faults]]
    fault = "earthquake"
    [[faults]]
    fault = "crash"
    at = 1
    """
    found = mistakes(text)
    assert found["surprise"].startswith("unknown option")
    assert {"seconds", "audiences.0.count", "faults[0].fault", "faults[1].host"} <= found.keys()


def test_mistakes_between_the_parts_are_said_at_once() -> None:
    text = (
        HEAD
        + """
    quality = "540p"
    bandwidth = "fast"
    [[audiences]]
    name = "fans"
    place = "Atlantis"
    [[links]]
    one = "edge"
    other = "nowhere"
    [[faults]]
    fault = "kill"
    host = "ia9"
    at = 3
    [[rates]]
    fault = "crash"
    host = "edge"
    other = "origin"
    per_minute = 1
    from_seconds = 9
    until_seconds = 5
    seconds_min = 5
    seconds_max = 1
    [[rates]]
    fault = "disturb"
    host = "router"
    other = "router"
    per_minute = 1
    until_seconds = 5
    members = { loss = 7, at = 3 }
    [[rates]]
    fault = "flood"
    host = "*"
    per_minute = 1
    until_seconds = 5
    [[purges]]
    at = 1
    site = "music"
    title = "film9"
    servers = "origin"
    [[versions]]
    at = 1
    title = "film9"
    """
    )
    found = mistakes(text)
    assert set(found) == {
        "audiences.0.quality",
        "audiences.0.bandwidth",
        "audiences.1.name",
        "audiences.1.place",
        "links.0.other",
        "faults[0].host",
        "rates.0.other",
        "rates.0.until_seconds",
        "rates.0.seconds_max",
        "rates.1.other",
        "rates.1.members.loss",
        "rates.1.members.at",
        "rates.2.fault",
        "purges.0.site",
        "purges.0.title",
        "purges.0.servers",
        "versions.0.title",
    }
    assert "ia1" in found["faults[0].host"]


def test_mistakes_of_the_configuration_are_among_them(tmp_path: Path) -> None:
    (tmp_path / "cdn.toml").write_text('[cdn]\nzone = "cdn.test"\n')
    path = tmp_path / "play.toml"
    path.write_text('config = "cdn.toml"\nseconds = "soon"\n')
    with pytest.raises(OperatorFault) as caught:
        read_scenario(path)
    paths = {mistake.path for mistake in caught.value.mistakes}
    assert {"config: routers", "config: lab", "seconds", "audiences", "config"} <= paths


@pytest.mark.parametrize("text", ["", "seconds = 5"])
def test_what_is_missing_is_named(text: str) -> None:
    assert {"config", "audiences"} <= mistakes(text).keys()


def test_a_file_that_is_not_there_is_the_operators_affair(tmp_path: Path) -> None:
    with pytest.raises(OperatorFault, match="no scenario file"):
        read_scenario(tmp_path / "nothing.toml")
    with pytest.raises(OperatorFault, match="not TOML"):
        parse_scenario("[", HERE)
