"""What the lab adds to a configuration: read from the same file, checked with it, told to no program."""

from __future__ import annotations

from pathlib import Path

import pytest

from nearcast.lab.config import parse_internet, read_internet
from nearcast.model.faults import OperatorFault
from nearcast.model.read import parse_config

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.toml"))
DEMO = (Path(__file__).parents[3] / "examples" / "demo.toml").read_text()


def mistakes_of(text: str) -> dict[str, str]:
    with pytest.raises(OperatorFault) as caught:
        parse_internet(text)
    return {mistake.path: mistake.remedy for mistake in caught.value.mistakes}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_has_a_lab(path: Path) -> None:
    assert read_internet(path).lab.viewers


def test_the_cdn_can_be_read_without_its_lab_and_does_not_know_of_it() -> None:
    alone = DEMO[: DEMO.index("[lab]")]
    assert parse_config(alone) == parse_config(DEMO) == parse_internet(DEMO).config
    assert set(mistakes_of(alone)) == {"lab"}


@pytest.mark.parametrize(
    ("old", "new", "path", "word"),
    [
        ('place = "Iowa City"\nclient', 'place = "Atlantis"\nclient', "lab.viewers.0.place", "Frankfurt"),
        ('zone = "movie.test"', 'zone = "cdn.test"', "lab.providers.0.zone", "own"),
        ('resolver = "127.0.10.1"', 'resolver = "127.0.11.1"', "lab.root", "lab.resolver"),
        ('address = "127.0.20.1"', 'address = "127.0.30.1"', "lab.providers.0.address", "routers.0"),
        ("admin_port = 8081", "admin_port = 5300", "lab.admin_port", "used twice"),
        ("dns_port = 5300", "dns_port = 5301", "ports.dns", "lab.dns_port"),
        ('origin = "127.0.40.1"', 'origen = "127.0.40.1"', "lab.origen", "unknown option"),
    ],
)
def test_each_mistake_names_its_path_and_a_remedy(old: str, new: str, path: str, word: str) -> None:
    assert old in DEMO
    assert word in mistakes_of(DEMO.replace(old, new, 1))[path]


def test_mistakes_of_the_cdn_and_of_the_lab_are_told_together() -> None:
    text = DEMO.replace("answer_ttl_seconds = 30", "answer_ttl_seconds = -1").replace("127.0.11.1", "nowhere")
    assert set(mistakes_of(text)) == {"cdn.answer_ttl_seconds", "lab.root"}
