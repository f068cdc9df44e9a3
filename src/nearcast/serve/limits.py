"""What a listener grants its peers, and a client its servers. Every bound has its unit in its name."""

from __future__ import annotations

from dataclasses import dataclass

from nearcast.model.config import Serving


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bounds of one TCP listener.

    `connections_max`: fewer where the process may not open as many files (`serve.descriptors`). A client is
    an IPv4 address or an IPv6 /64 network. `idle_seconds`: a connection is closed after it when nothing whole
    (a question, a request, a line) is received and nothing leaves.
    `write_buffer_bytes`: more unsent bytes than this pause the reading from that peer, so that a slow
    reader costs bounded memory.
    """

    connections_max: int = 10_000
    connections_per_client_max: int = 2_500
    idle_seconds: float = 30.0
    write_buffer_bytes: int = 256 * 1024


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of one HTTP listener, on top of `StreamLimits`."""

    head_bytes_max: int = 32 * 1024
    body_bytes_max: int = 1024 * 1024
    head_seconds_max: float = 10.0
    body_seconds_max: float = 30.0
    requests_per_connection_max: int = 100_000


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Bounds of one client.

    `head_seconds` and `head_bytes_max` are of all that comes before the body, interim responses included.
    `stall_seconds` is without progress, not in total: a film takes hours.
    """

    connect_seconds: float = 3.0
    head_seconds: float = 10.0
    stall_seconds: float = 10.0
    head_bytes_max: int = 32 * 1024
    buffer_bytes: int = 1024 * 1024
    kept_per_address_max: int = 8
    kept_seconds: float = 15.0


def stream_limits(serving: Serving) -> StreamLimits:
    """What a configuration grants the peers of a listener."""
    return StreamLimits(
        connections_max=serving.connections_max,
        connections_per_client_max=serving.connections_per_client_max,
        idle_seconds=serving.idle_seconds,
        write_buffer_bytes=serving.write_buffer_bytes,
    )


def http_limits(serving: Serving, *, body_bytes_max: int) -> HttpLimits:
    """What it grants their requests."""
    return HttpLimits(
        head_bytes_max=serving.request_head_bytes_max,
        body_bytes_max=body_bytes_max,
        head_seconds_max=serving.request_head_seconds_max,
        requests_per_connection_max=serving.requests_per_connection_max,
    )


def origin_limits(serving: Serving, *, buffer_bytes: int) -> ClientLimits:
    """What it grants origins."""
    return ClientLimits(
        connect_seconds=serving.origin_connect_seconds,
        head_seconds=serving.origin_head_seconds,
        stall_seconds=serving.origin_stall_seconds,
        buffer_bytes=buffer_bytes,
    )
