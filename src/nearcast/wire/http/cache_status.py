"""Cache-Status (RFC 9211): what each cache on the way did with a request, nearest to the origin first."""

from __future__ import annotations

from dataclasses import dataclass

from nearcast.wire.http.structured import Bare, Token, encode_item, parse_list

# Why a request went forward (RFC 9211 2.2).
FORWARD_REASONS = ("bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial")


@dataclass(frozen=True, slots=True)
class CacheStatus:
    """One cache's report. Either it was a `hit`, or `fwd` says why the request went forward."""

    cache: str
    hit: bool = False
    fwd: str | None = None
    fwd_status: int | None = None
    ttl: int | None = None  # seconds of freshness left; negative: stale since
    stored: bool = False
    collapsed: bool = False
    key: str | None = None
    detail: str | None = None


def encode_cache_status(status: CacheStatus, before: str | None = None) -> str:
    """The field's value: our report, behind those (`before`) that came with the upstream's answer."""
    parameters: dict[str, Bare] = {}
    if status.hit:
        parameters["hit"] = True
    if status.fwd is not None:
        parameters["fwd"] = Token(status.fwd)
    if status.fwd_status is not None:
        parameters["fwd-status"] = status.fwd_status
    if status.ttl is not None:
        parameters["ttl"] = status.ttl
    if status.stored:
        parameters["stored"] = True
    if status.collapsed:
        parameters["collapsed"] = True
    if status.key is not None:
        parameters["key"] = status.key
    if status.detail is not None:
        parameters["detail"] = _word(status.detail)
    member = encode_item(_word(status.cache), parameters)
    return f"{before}, {member}" if before else member


def parse_cache_status(text: str) -> list[CacheStatus]:
    """The reports, nearest to the origin first. ValueError when the field is malformed.

    A parameter of the wrong type counts as absent (RFC 9211 2).
    """
    return [_status(item.value, item.parameters) for item in parse_list(text) if isinstance(item.value, str)]


def _status(cache: str, parameters: dict[str, Bare]) -> CacheStatus:
    def text(name: str) -> str | None:
        value = parameters.get(name)
        return str(value) if isinstance(value, str) else None

    def number(name: str) -> int | None:
        value = parameters.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    return CacheStatus(
        cache=str(cache),
        hit=parameters.get("hit") is True,
        fwd=text("fwd"),
        fwd_status=number("fwd-status"),
        ttl=number("ttl"),
        stored=parameters.get("stored") is True,
        collapsed=parameters.get("collapsed") is True,
        key=text("key"),
        detail=text("detail"),
    )


def _word(text: str) -> str:
    """`text` as a token where it can be one, else as a string."""
    try:
        encode_item(Token(text), {})
    except ValueError:
        return text
    return Token(text)
