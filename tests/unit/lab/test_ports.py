"""LabPorts: the configured ones, the next free set, or a sentence that says what to do."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from nearcast.lab.ports import LabPorts, addresses_of, find_ports, ports_of, with_ports
from nearcast.model.config import Config
from nearcast.model.faults import OperatorFault
from nearcast.model.read import parse_config

TEXT = (Path(__file__).parents[3] / "examples" / "demo.toml").read_text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.51.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def config() -> Config:
    """The demo on ports that are free at this moment."""
    while True:
        base = free_port() % 20_000 + 20_000
        moved = with_ports(parse_config(TEXT), LabPorts(base, base + 1, base + 2))
        if find_ports(moved, fixed=False) == ports_of(moved):
            return moved


def observer(address: str, port: int, *, shared: bool = False) -> socket.socket:
    held = socket.socket()
    if shared:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind((address, port))
    held.listen()
    return held


def test_a_taken_port_moves_all_three_together(config: Config) -> None:
    wanted = ports_of(config)
    with observer("127.0.51.2", wanted.http):
        found = find_ports(config, fixed=False)
    assert found == wanted.shifted(100)


def test_a_port_that_is_taken_for_sharing_counts_as_taken(config: Config) -> None:
    with observer("127.0.53.1", ports_of(config).admin, shared=True):
        assert find_ports(config, fixed=False) != ports_of(config)


def test_a_taken_udp_port_counts_too(config: Config) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.30.1", ports_of(config).dns))
        assert find_ports(config, fixed=False) != ports_of(config)


def test_ports_the_user_named_are_refused_with_a_remedy(config: Config) -> None:
    with (
        observer("127.0.51.2", ports_of(config).http),
        pytest.raises(OperatorFault, match=r"127\.0\.51\.2:\d+ is taken .* --http-port"),
    ):
        find_ports(config, fixed=True)


def test_origins_inside_the_lab_move_with_the_ports_and_others_stay() -> None:
    moved = with_ports(parse_config(TEXT), LabPorts(6300, 9080, 9081))
    assert moved.distributions[0].origin == "http://127.0.40.1:9080"
    elsewhere = parse_config(TEXT.replace("http://127.0.40.1:8080", "http://192.0.2.9:8080"))
    assert (
        with_ports(elsewhere, LabPorts(6300, 9080, 9081)).distributions[0].origin == "http://192.0.2.9:8080"
    )


def test_an_address_that_is_not_on_this_machine_is_named_with_its_path() -> None:
    config = parse_config(TEXT.replace("127.0.51.2", "2001:db8::51").replace("127.0.40.1", "192.0.2.40"))
    with pytest.raises(OperatorFault) as caught:
        find_ports(config, fixed=False)
    remedies = {mistake.path: mistake.remedy for mistake in caught.value.mistakes}
    assert set(remedies) == {"content_servers.1.address", "internet.origin"}
    assert "IPv6" in remedies["content_servers.1.address"]
    assert "127.0.0.0/8" in remedies["internet.origin"]


def test_every_listening_address_is_looked_at(config: Config) -> None:
    with ExitStack() as held:
        for path, address in addresses_of(config):
            with observer(str(address), ports_of(config).http):
                assert find_ports(config, fixed=False) != ports_of(config), path
        held.close()
    assert find_ports(config, fixed=True) == ports_of(config)
