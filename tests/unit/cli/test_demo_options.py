"""What users type at `nearcast demo`: every mistake gets a sentence and a remedy, and exit code 2."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nearcast.cli.demo import key_of, prepare
from nearcast.cli.main import app
from nearcast.lab.ports import LabPorts
from nearcast.model.faults import OperatorFault

runner = CliRunner()
EXAMPLES = Path(__file__).parents[3] / "examples"


def test_help_of_every_command_says_what_it_does() -> None:
    top = runner.invoke(app, ["--help"])
    assert top.exit_code == 0
    for command in ("demo", "watch", "explain", "package", "lab", "uppercase"):
        assert command in top.output
        told = runner.invoke(app, [command, "--help"])
        assert told.exit_code == 0 and len(told.output) > 300, command


def test_three_mistakes_in_a_file_are_told_together(tmp_path: Path) -> None:
    text = (EXAMPLES / "demo.toml").read_text()
    broken = tmp_path / "broken.toml"
    broken.write_text(
        text.replace("answer_ttl_seconds = 30", "answer_ttl_seconds = -1")
        .replace('kind = "isp"', 'kind = "isb"')
        .replace("probe_seconds = 0.5", "probe_secs = 0.5")
    )
    told = runner.invoke(app, ["demo", "--config", str(broken)])
    assert told.exit_code == 2
    for word in ("3 mistakes", "cdn.answer_ttl_seconds", "pops.0.kind", "health.probe_secs"):
        assert word in told.stderr
    assert "Traceback" not in told.stderr


def test_an_unknown_place_lists_the_known_ones() -> None:
    told = runner.invoke(app, ["demo", "--viewer", "Atlantis"])
    assert told.exit_code == 2
    assert "Atlantis" in told.stderr and "Frankfurt" in told.stderr


def test_a_port_that_is_taken_says_which_and_what_to_do() -> None:
    with socket.socket() as held:
        held.bind(("127.0.51.1", 0))
        held.listen()
        port = held.getsockname()[1]
        told = runner.invoke(app, ["demo", "--http-port", str(port)])
    assert told.exit_code == 2
    assert f"127.0.51.1:{port} is taken" in told.stderr and "--http-port" in told.stderr


@pytest.mark.parametrize("ports", [["--dns-port", "8080"], ["--http-port", "8081"]])
def test_equal_ports_are_refused(ports: list[str]) -> None:
    told = runner.invoke(app, ["demo", *ports])
    assert told.exit_code == 2 and "different ports" in told.stderr


def test_commands_that_need_a_running_demo_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for command in (
        ["lab", "status"],
        ["lab", "kill", "ia2"],
        ["explain", "www.movie.test", "--client", "1.2.3.4"],
    ):
        told = runner.invoke(app, command)
        assert told.exit_code == 3 and "nearcast demo" in told.stderr, command


def test_viewers_are_chosen_by_place_or_name() -> None:
    internet, _ = prepare(None, LabPorts(0, 0, 0), ["Frankfurt"])
    assert [viewer.name for viewer in internet.lab.viewers] == ["frankfurt"]
    internet, _ = prepare(EXAMPLES / "lecture.toml", LabPorts(0, 0, 0), ["iowa"])
    assert internet.lab.providers[0].zone == "movie.com"
    with pytest.raises(OperatorFault, match="Atlantis"):
        prepare(None, LabPorts(0, 0, 0), ["iowa", "Atlantis"])


def test_a_files_name_becomes_a_place_in_urls() -> None:
    assert key_of(None) == "clock"
    assert key_of(Path("/x/Big Buck_Bunny (1).mp4")) == "big-buck-bunny-1"
    assert key_of(Path("/x/東京.mp4")) == "video"
