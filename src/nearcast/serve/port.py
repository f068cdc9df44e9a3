"""Ports before anybody listens on them: which is free, and why one could not be had, in a sentence."""

from __future__ import annotations

import errno
import socket

PRIVILEGED_PORTS = 1024
PORTS_TRIED = 20


def find_free_port(address: str, port: int) -> int:
    """`port`, or for 0 one of the kernel's choice, that nobody has on UDP or TCP.

    For workers that share a port: SO_REUSEPORT would let them join, without a word, whoever of the same
    user shares it already. Raises OSError as listening would.
    """
    for tried in range(1, PORTS_TRIED + 1):
        with _bound(address, port, socket.SOCK_STREAM) as stream:
            found = int(stream.getsockname()[1])
            try:
                _bound(address, found, socket.SOCK_DGRAM).close()
            except OSError:
                if port or tried == PORTS_TRIED:
                    raise
            else:
                return found
    raise AssertionError("the last try returns or raises")


def _bound(address: str, port: int, kind: socket.SocketKind) -> socket.socket:
    family, _, _, _, place = socket.getaddrinfo(address, port, type=kind)[0]
    sock = socket.socket(family, kind)
    try:
        if kind is socket.SOCK_STREAM:  # connections that linger do not make a port taken
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(place)
        if kind is socket.SOCK_STREAM:
            sock.listen(1)
    except OSError:
        sock.close()
        raise
    return sock


def why_not(fault: OSError, address: str, port: int) -> tuple[str, str]:
    """Why listening on `address`:`port` failed with `fault`, and what to do: a sentence and a remedy."""
    if isinstance(fault, socket.gaierror):
        return f"the name {address} has no address", "give an address of this machine, such as 127.0.0.1"
    if fault.errno == errno.EADDRINUSE:
        see = f"ss -lptun 'sport = :{port}'"
        return f"port {port} of {address} is taken", f"end the program that has it ({see}), or choose another"
    if fault.errno == errno.EAFNOSUPPORT or (fault.errno == errno.EADDRNOTAVAIL and ":" in address):
        return f"this machine has no IPv6 address {address}", "give an IPv4 address, such as 127.0.0.1"
    if fault.errno == errno.EADDRNOTAVAIL:
        return f"{address} is no address of this machine", "choose one that `ip address` shows, or 127.0.0.1"
    if fault.errno == errno.EACCES and port < PRIVILEGED_PORTS:
        return f"port {port} is for privileged programs", f"choose a port from {PRIVILEGED_PORTS} up"
    return f"cannot listen on {address} port {port}: {fault.strerror or fault}", "choose another"
