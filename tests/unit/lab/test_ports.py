"""LabPorts: the configured ones, the next free set, or a sentence that says what to do."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from nearcast.lab.config import Internet, parse_internet
from nearcast.lab.ports import LabPorts, addresses_of, find_ports, ports_of, with_ports
from nearcast.model.faults import OperatorFault

TEXT = (Path(__file__).parents[3] / "examples" / "demo.toml").read_text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.51.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def internet() -> Internet:
    """The demo on ports that are free at this moment."""
    while True:
        base = free_port() % 20_000 + 20_000
        moved = with_ports(parse_internet(TEXT), LabPorts(base, base + 1, base + 2))
        if find_ports(moved, fixed=False) == ports_of(moved):
            return moved


def observer(address: str, port: int, *, shared: bool = False) -> socket.socket:
    held = socket.socket()
    if shared:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind((address, port))
    held.listen()
    return held


def test_a_taken_port_moves_all_three_together(internet: Internet) -> None:
    wanted = ports_of(internet)
    with observer("127.0.51.2", wanted.http):
        found = find_ports(internet, fixed=False)
    assert found == wanted.shifted(100)


def test_a_port_that_is_taken_for_sharing_counts_as_taken(internet: Internet) -> None:
    with observer("127.0.53.1", ports_of(internet).admin, shared=True):
        assert find_ports(internet, fixed=False) != ports_of(internet)


def test_a_taken_udp_port_counts_too(internet: Internet) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.30.1", ports_of(internet).dns))
        assert find_ports(internet, fixed=False) != ports_of(internet)


def test_ports_the_user_named_are_refused_with_a_remedy(internet: Internet) -> None:
    with (
        observer("127.0.51.2", ports_of(internet).http),
        pytest.raises(OperatorFault, match=r"127\.0\.51\.2:\d+ is taken .* --http-port"),
    ):
        find_ports(internet, fixed=True)


def test_origins_inside_the_lab_move_with_the_ports_and_others_stay() -> None:
    moved = with_ports(parse_internet(TEXT), LabPorts(6300, 9080, 9081))
    assert moved.config.distributions[0].origin == "http://127.0.40.1:9080"
    elsewhere = parse_internet(TEXT.replace("http://127.0.40.1:8080", "http://192.0.2.9:8080"))
    assert (
        with_ports(elsewhere, LabPorts(6300, 9080, 9081)).config.distributions[0].origin
        == "http://192.0.2.9:8080"
    )


def test_an_address_that_is_not_on_this_machine_is_named_with_its_path() -> None:
    internet = parse_internet(TEXT.replace("127.0.51.2", "2001:db8::51").replace("127.0.40.1", "192.0.2.40"))
    with pytest.raises(OperatorFault) as caught:
        find_ports(internet, fixed=False)
    remedies = {mistake.path: mistake.remedy for mistake in caught.value.mistakes}
    assert set(remedies) == {"content_servers.1.addresses.0", "lab.origin"}
    assert "IPv6" in remedies["content_servers.1.addresses.0"]
    assert "127.0.0.0/8" in remedies["lab.origin"]


def test_every_listening_address_is_looked_at(internet: Internet) -> None:
    with ExitStack() as held:
        for path, address in addresses_of(internet):
            with observer(str(address), ports_of(internet).http):
                assert find_ports(internet, fixed=False) != ports_of(internet), path
        held.close()
    assert find_ports(internet, fixed=True) == ports_of(internet)
