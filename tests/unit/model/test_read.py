"""Configuration files: good ones load, bad ones report every mistake at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from nearcast.model.faults import OperatorFault
from nearcast.model.read import parse_config, read_config

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.toml"))
DEMO = (Path(__file__).parents[3] / "examples" / "demo.toml").read_text()


def mistakes_of(text: str) -> dict[str, str]:
    with pytest.raises(OperatorFault) as caught:
        parse_config(text)
    return {mistake.path: mistake.remedy for mistake in caught.value.mistakes}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_loads(path: Path) -> None:
    config = read_config(path)
    assert len(config.pops) >= 3
    assert {server.name for server in config.content_servers} >= {"ia1", "ia2"}


def test_three_mistakes_are_reported_together_with_path_and_remedy() -> None:
    text = (
        DEMO.replace("answer_ttl_seconds = 30", "answer_ttl_seconds = -1")
        .replace('kind = "isp"', 'kind = "isb"')
        .replace("probe_seconds = 0.5", "probe_secs = 0.5")
    )
    mistakes = mistakes_of(text)
    assert set(mistakes) == {"cdn.answer_ttl_seconds", "pops.0.kind", "health.probe_secs"}
    assert "greater than or equal to 0" in mistakes["cdn.answer_ttl_seconds"]
    assert "'isp'" in mistakes["pops.0.kind"]
    assert "unknown option" in mistakes["health.probe_secs"]


@pytest.mark.parametrize(
    ("old", "new", "path", "word"),
    [
        ('place = "Chicago"', 'place = "Atlantis"', "pops.1.place", "Chicago"),
        ('name = "ord2"\npop = "ord"', 'name = "ord2"\npop = "ohare"', "content_servers.3.pop", "ord"),
        ('name = "ia2"', 'name = "ia1"', "content_servers.1.name", "already used"),
        ("127.0.51.2", "127.0.51.1", "content_servers.1.addresses.0", "content_servers.0.addresses.0"),
        ("127.0.51.2", "127.0.30.1", "content_servers.1.addresses.0", "routers.0.addresses.0"),
        ("127.0.51.2", "0.0.0.0", "content_servers.1.addresses.0", "routers.0.addresses.0"),
        ("127.0.51.2", "127.0.30.2", "content_servers.1.addresses.0", "control.address"),
        ("admin = 8081", "admin = 8080", "ports.admin", "used twice"),
        ("dns = 5300", "dns = 8080", "ports.http", "used twice"),
        ('addresses = ["127.0.30.1"]', "addresses = []", "routers.0.addresses", "at least 1"),
        (
            'hosts = ["www.movie.test"]',
            'hosts = ["ia1.cdn.test"]',
            "distributions.0.hosts.0",
            "content_servers.0",
        ),
        ('name = "router"', 'name = "ia1"', "content_servers.0.name", "routers.0.name"),
        ('name = "movie"', 'name = "ia1"', "distributions.0.name", "cdn.test"),
        ("203.0.113.0/24", "203.0.113.7/24", "places.0.prefixes.0", "host bits"),
        ('origin = "http://127.0.40.1:8080"', 'origin = "ftp://x/y"', "distributions.0.origin", "scheme"),
        ('zone = "cdn.test"', 'zone = "cdn..test"', "cdn.zone", "domain name"),
        ("latitude = 41.66", "latitude = 141.66", "places.0.latitude", "less than or equal to 90"),
    ],
)
def test_each_mistake_names_its_path_and_a_remedy(old: str, new: str, path: str, word: str) -> None:
    assert old in DEMO
    mistakes = mistakes_of(DEMO.replace(old, new, 1))
    assert word in mistakes[path]


def test_a_file_that_is_not_toml_or_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(OperatorFault, match="no configuration file"):
        read_config(tmp_path / "absent.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[cdn\n")
    with pytest.raises(OperatorFault, match=r"broken\.toml is not TOML.*line 1"):
        read_config(broken)
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(OperatorFault, match="cannot be read as UTF-8"):
        read_config(broken)
    with pytest.raises(OperatorFault, match="cannot be read"):
        read_config(tmp_path)
