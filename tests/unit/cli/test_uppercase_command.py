"""`nearcast uppercase` as people and scripts meet it: what it prints, and with which code it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

COMMAND = [sys.executable, "-c", "from nearcast.cli.uppercase import app; app(prog_name='uppercase')"]
HERE = "127.0.0.1"


def uppercase(*words: str | bytes, typed: bytes = b"", before: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Run the command to its end: its code, what it printed, what it said on standard error."""
    done = subprocess.run(
        [*before, *COMMAND, *words], input=typed, capture_output=True, check=False, timeout=30
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def serving(*words: str) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen([*COMMAND, "serve", "--json", *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    document = ""
    while not document.endswith("}\n"):
        line = process.stdout.readline()
        assert line, "ended before it answered"
        document += line
    return process, json.loads(document)["port"]


@pytest.fixture(scope="module")
def port() -> Iterator[str]:
    process, port = serving("--port", "0")
    yield str(port)
    process.terminate()
    assert process.wait(20) == 0


@pytest.fixture
def closed_port() -> str:
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind((HERE, 0))
        return str(probe.getsockname()[1])


@pytest.mark.parametrize("way", [[], ["--udp"], ["--tcp"]])
def test_the_reply_is_printed(port: str, way: list[str]) -> None:
    assert uppercase("ask", "--port", port, *way, "straße") == (0, "STRASSE\n", "")


def test_a_host_by_name(port: str) -> None:
    assert uppercase("ask", "--host", "localhost", "--port", port, "x") == (0, "X\n", "")
    assert uppercase("ask", "--host", "localhost", "--port", port, "--tcp", "x") == (0, "X\n", "")


@pytest.mark.parametrize("way", ["--udp", "--tcp"])
def test_json(port: str, way: str) -> None:
    code, printed, _ = uppercase("ask", "--port", port, way, "--json", "hello")
    document = json.loads(printed)
    assert code == 0
    assert document.pop("seconds") >= 0
    assert document == {
        "text": "hello",
        "reply": "HELLO",
        "error": False,
        "transport": way[2:],
        "server": f"{HERE}:{port}",
        "tries": 1,
    }


@pytest.mark.parametrize("way", ["--udp", "--tcp"])
def test_without_a_text_each_line_typed_is_asked(port: str, way: str) -> None:
    assert uppercase("ask", "--port", port, way, typed=b"one\ntwo\nlast") == (0, "ONE\nTWO\nLAST\n", "")


@pytest.mark.parametrize("way", ["--udp", "--tcp"])
def test_what_is_not_utf8_is_a_no(port: str, way: str) -> None:
    code, printed, _ = uppercase("ask", "--port", port, way, b"caf\xe9")
    assert (code, printed) == (1, "error: this is not UTF-8: octet 0xe9 at offset 3\n")
    code, printed, _ = uppercase("ask", "--port", port, way, typed=b"caf\xe9\nnext\n")
    assert (code, printed.splitlines()[1]) == (1, "NEXT")


def test_what_does_not_fit_a_datagram_is_refused_with_a_remedy(port: str) -> None:
    code, printed, said = uppercase("ask", "--port", port, "x" * 3000)
    assert (code, printed) == (2, "")
    assert "up to 2048 octets, this text has 3000" in said
    assert "--tcp" in said
    assert uppercase("ask", "--port", port, "--tcp", "x" * 3000) == (0, "X" * 3000 + "\n", "")


def test_a_typed_line_that_cannot_be_asked_does_not_end_the_others(port: str) -> None:
    code, printed, said = uppercase("ask", "--port", port, typed=b"one\n\ntwo\n")
    assert (code, printed) == (2, "ONE\nTWO\n")
    assert "no text to send" in said


@pytest.mark.parametrize("way", ["--udp", "--tcp"])
def test_nobody_listens(closed_port: str, way: str) -> None:
    code, _, said = uppercase("ask", "--port", closed_port, way, "hello")
    assert code == 3
    assert "nobody listens" in said
    assert "→ start it: nearcast uppercase serve" in said


def test_nobody_answers() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as deaf:
        deaf.bind((HERE, 0))
        place = str(deaf.getsockname()[1])
        code, _, said = uppercase("ask", "--port", place, "--timeout", "0.05", "--tries", "2", "hello")
    assert code == 3
    assert "sent again (2 of 2)" in said
    assert "no reply after 2 tries of 0.05 s each: datagrams may be lost" in said


def test_ways_exclude_one_another() -> None:
    code, _, said = uppercase("ask", "--tcp", "--raw", "hello")
    assert code == 2
    assert "exclude one another" in said


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@needs_root
def test_raw_shows_the_packet_that_it_built_and_the_reply(port: str) -> None:
    code, printed, said = uppercase("ask", "--port", port, "--raw", "hello")
    if "CAP_NET_RAW" in said:
        pytest.skip("root without CAP_NET_RAW")
    assert code == 0
    rows = printed.splitlines()
    assert rows[0].startswith("0000  45 ")
    assert rows[-2].endswith("68 65 6c 6c 6f  text  hello")
    assert rows[-1] == "HELLO"
    assert any(row.endswith(f"to port {port}") for row in rows)


@needs_root
@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
def test_raw_without_the_capability_is_one_sentence_and_how_to_get_it(port: str) -> None:
    dropped = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
    code, printed, said = uppercase("ask", "--port", port, "--raw", "hello", before=dropped)
    assert (code, printed) == (2, "")
    sentence, remedy = said.splitlines()
    assert "only with the capability CAP_NET_RAW" in sentence
    assert "as root: sudo" in remedy


@pytest.mark.parametrize("workers", ["1", "3"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_drains_and_gives_the_port_back(workers: str, number: signal.Signals) -> None:
    process, port = serving("--port", "0", "--workers", workers)
    with socket.create_connection((HERE, port)) as client:
        client.sendall(b"begun")
        process.send_signal(number)
        answered = client.makefile("rb").read()
    assert process.wait(20) == 0
    assert answered in (b"BEGUN", b"")  # b"": told to end before the octets had come
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(type=kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
            probe.bind((HERE, port))


def test_workers_share_the_work() -> None:
    process, port = serving("--port", "0", "--workers", "2")
    replies: list[bytes] = []

    def client() -> None:
        with socket.create_connection((HERE, port)) as connection:
            connection.sendall(b"hello\n")
            replies.append(connection.recv(99))

    clients = [threading.Thread(target=client) for _ in range(32)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    process.terminate()
    assert process.wait(20) == 0
    assert replies == [b"HELLO\n"] * 32


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_taken_port_is_a_sentence_even_when_it_is_shared(workers: str, kind: socket.SocketKind) -> None:
    with socket.socket(type=kind) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind((HERE, 0))
        if kind is socket.SOCK_STREAM:
            other.listen()
        port = str(other.getsockname()[1])
        code, printed, said = uppercase("serve", "--port", port, "--workers", workers)
    assert (code, printed) == (2, "")
    assert f"port {port} of {HERE} is taken" in said
    assert "→ end the program that has it" in said


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("192.0.2.1", "192.0.2.1 is no address of this machine"),
        ("2001:db8::1", "this machine has no IPv6 address 2001:db8::1"),
        ("no-such-name.invalid", "the name no-such-name.invalid has no address"),
    ],
)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_address_that_cannot_be_had_is_a_sentence(host: str, sentence: str, workers: str) -> None:
    code, _, said = uppercase("serve", "--host", host, "--port", "0", "--workers", workers)
    assert code == 2
    assert sentence in said


@needs_root
@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare")
def test_without_ipv6_on_the_machine_a_sentence_says_so() -> None:
    alone = ("unshare", "--net")  # a network without any address
    for words in (["serve", "--host", "::1"], ["ask", "--host", "::1", "x"]):
        code, _, said = uppercase(*words, before=alone)
        assert code in (2, 3)
        assert "IPv" in said


@pytest.mark.parametrize("words", [[], ["serve"], ["ask"]])
def test_help_is_there(words: list[str]) -> None:
    code, printed, _ = uppercase(*words, "--help")
    assert code == 0
    assert "Usage" in printed
