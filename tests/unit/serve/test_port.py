"""Free ports for workers that share them, and the sentence for each way in which listening fails."""

from __future__ import annotations

import errno
import socket

import pytest

from nearcast.serve.port import find_free_port, why_not

HERE = "127.0.0.1"


def test_a_free_port_is_free_on_udp_and_tcp_and_given_back() -> None:
    port = find_free_port(HERE, 0)
    assert find_free_port(HERE, port) == port
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(type=kind) as sock:
            sock.bind((HERE, port))


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_port_that_somebody_shares_is_not_free(kind: socket.SocketKind) -> None:
    with socket.socket(type=kind) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind((HERE, 0))
        if kind is socket.SOCK_STREAM:
            other.listen()
        with pytest.raises(OSError) as caught:
            find_free_port(HERE, other.getsockname()[1])
    assert caught.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize(
    ("fault", "address", "port", "sentence"),
    [
        (OSError(errno.EADDRINUSE, "x"), HERE, 53, "port 53 of 127.0.0.1 is taken"),
        (OSError(errno.EADDRNOTAVAIL, "x"), "192.0.2.1", 1, "192.0.2.1 is no address of this machine"),
        (OSError(errno.EADDRNOTAVAIL, "x"), "::1", 1, "this machine has no IPv6 address ::1"),
        (OSError(errno.EAFNOSUPPORT, "x"), "::1", 1, "this machine has no IPv6 address ::1"),
        (OSError(errno.EACCES, "x"), HERE, 53, "port 53 is for privileged programs"),
        (socket.gaierror(-2, "x"), "nowhere", 1, "the name nowhere has no address"),
        (OSError(errno.ENOBUFS, "no space"), HERE, 1, "cannot listen on 127.0.0.1 port 1: no space"),
    ],
)
def test_each_failure_has_a_sentence_and_a_remedy(
    fault: OSError, address: str, port: int, sentence: str
) -> None:
    said, remedy = why_not(fault, address, port)
    assert said == sentence
    assert remedy
