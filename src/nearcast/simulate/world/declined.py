"""What the virtual world does not simulate, and how it says so.

An API of the loop that is not simulated raises `NotSimulated`, which names it; it never half-works. The
names below are the whole list. TLS, ready-made sockets and host names are declined where they are given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

DECLINED = (
    *("add_reader", "remove_reader", "add_writer", "remove_writer"),
    *("sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into"),
    *("sock_sendall", "sock_sendto", "sock_connect", "sock_accept", "sock_sendfile"),
    *("create_unix_connection", "create_unix_server", "connect_accepted_socket"),
    *("connect_read_pipe", "connect_write_pipe", "subprocess_shell", "subprocess_exec"),
    *("add_signal_handler", "remove_signal_handler", "sendfile", "start_tls"),
    *("getnameinfo", "set_default_executor"),
)


WITHOUT_WORLD = ("create_connection", "create_server", "create_datagram_endpoint", "getaddrinfo")


class NotSimulated(NotImplementedError):
    """Something of the real world that has no counterpart in the virtual one; the message names it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not simulated in the virtual world")


def _decline(name: str, why: str = "") -> Callable[..., NoReturn]:
    def declined(*args: Any, **keywords: Any) -> NoReturn:
        raise NotSimulated(f"loop.{name}{why}")

    declined.__name__ = name
    declined.__doc__ = "Not simulated: raises NotSimulated."
    return declined


def declines(loop_class: type) -> type:
    """Give a loop class a refusing method for every name in DECLINED, and for what only a network can do."""
    for name in DECLINED:
        setattr(loop_class, name, _decline(name))
    for name in WITHOUT_WORLD:
        setattr(loop_class, name, _decline(name, " without a World"))
    return loop_class
