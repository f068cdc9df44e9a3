"""The values of HTTP, whatever its version: a request's head, a response's head, and the peer's faults.

Field names are lower-case `str`; a field that came several times is joined with ", " (RFC 9110 5.3),
so that fields are a plain mapping. Bytes outside ASCII are decoded as latin-1 (RFC 9110 5.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Fields = Mapping[str, str]

# Between two hops, not end to end (RFC 9110 7.6.1).
HOP_BY_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)


class HttpFault(Exception):
    """The peer's fault in HTTP: answered with `status` and `sentence`, then counted."""

    def __init__(self, status: int, sentence: str) -> None:
        self.status = status
        self.sentence = sentence
        super().__init__(f"{status} {sentence}")


class RequestHead(NamedTuple):
    """Method, target in origin form (`/path?query`), and fields of one request."""

    method: str
    target: str
    fields: Fields

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def host(self) -> str:
        """The Host field without its port, lower-case (`""` when there is none)."""
        host = self.fields.get("host", "")
        name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
        return name.lower()


class ResponseHead(NamedTuple):
    """Status and fields of one response."""

    status: int
    fields: Fields
