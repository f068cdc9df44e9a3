"""Heads of HTTP/1.1 messages: bytes to values and back (RFC 9112).

A head is everything up to and including the empty line. Whoever reads a connection cuts the head out
with `end_of_head` and hands it over whole; llhttp (through httptools) checks its grammar, strictly:
CRLF only, no folded lines, no control characters, no space before a colon. What follows a head is
framed by `wire.http.body`, never by the parser, so that there is one opinion about where a message
ends. That, and refusing whatever two readers might frame differently, is the defence against request
smuggling (RFC 9112 11.2):

- both Content-Length and Transfer-Encoding, or several Content-Lengths: refused;
- a transfer coding other than "chunked" alone, or any in HTTP/1.0: refused;
- no Host, several, or one that is no host: refused (RFC 9112 3.2);
- a head that llhttp would end earlier than `end_of_head`: refused.

What a head says of its connection (does it persist, and which minor version is spoken) stands beside
the request or the response, not in it: that is HTTP/1.1's affair alone.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import NamedTuple

import httptools

from nearcast.wire.http.field_block import FieldBlock, field_lines
from nearcast.wire.http.message import Fields, HttpFault, RequestHead, ResponseHead

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(r"[!-\"$-~]+")  # visible ASCII without "#": a fragment is never sent
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~%!$&'()*+,;=]*)(?::[0-9]{0,5})?")
_ABSOLUTE = re.compile(r"https?://([^/?]*)(.*)", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]{1,18}")

STATUS_MIN, STATUS_MAX = 100, 999  # three digits, the first no 0 (RFC 9110 15)

# Python before 3.13 has the names of RFC 2616 for these.
RENAMED = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
REASONS = {status.value: status.phrase for status in HTTPStatus} | RENAMED
_STATUS_LINES = {code: f"HTTP/1.1 {code} {phrase}\r\n".encode() for code, phrase in REASONS.items()}


class ReceivedRequest(NamedTuple):
    """A request's head, and what its sender says of the connection."""

    head: RequestHead
    keep_alive: bool = True
    minor_version: int = 1  # of HTTP/1


class RequestLine(NamedTuple):
    """The first line of a request; `host` is the authority of a target in absolute form."""

    method: str
    target: str
    minor_version: int
    host: str | None = None


class RequestFields(NamedTuple):
    """The fields of a request, as they came."""

    fields: Fields
    persist: tuple[bool, bool]  # whether their sender keeps the connection, in HTTP/1.0 and in HTTP/1.1


class ReceivedResponse(NamedTuple):
    """A response's head, and whether its sender keeps the connection."""

    head: ResponseHead
    keep_alive: bool


def end_of_head(octets: bytes | bytearray, start: int = 0, searched: int = 0) -> int:
    """The index after the head that begins at `start`, or -1 when it is not all here yet.

    `searched` says how many of `octets` were here when the last search came to nothing: a head that
    comes in small pieces is then searched once, not once for each piece.
    A bare LF may end a head as well: such a head is cut here and refused by the parser, so that its
    sender gets an answer instead of a time-out.
    """
    start = max(start, searched - 3)  # an end may have begun in what was searched
    end = octets.find(b"\r\n\r\n", start)
    if end >= 0:
        end += 4
    bare = octets.find(b"\n\n", start, end if end >= 0 else len(octets))
    return bare + 2 if bare >= 0 else end


class _Gathered:
    """What llhttp reports about one head."""

    __slots__ = ("complete", "extra", "fields", "repeated", "target")

    def __init__(self) -> None:
        self.target = b""
        self.fields: dict[str, str] = {}
        self.repeated: dict[str, list[str]] = {}
        self.complete = False
        self.extra = False  # something came after the head: its end is in dispute

    def on_message_begin(self) -> None:
        self.extra = self.complete

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key = name.decode("latin-1").lower()
        text = value.strip(b" \t").decode("latin-1")
        fields = self.fields
        if key in fields:
            self.repeated.setdefault(key, [fields[key]]).append(text)
        else:
            fields[key] = text

    def on_headers_complete(self) -> None:
        for key, values in self.repeated.items():  # joined once, not once for each line
            self.fields[key] = ", ".join(values)
        self.complete = True

    def on_body(self, body: bytes) -> None:
        self.extra = True


def parse_request_head(octets: bytes) -> ReceivedRequest:
    """The request whose whole head is `octets`. Raises HttpFault with the status to answer.

    The target comes out in origin form or as `*`; the authority of an absolute-form target replaces
    the Host field (RFC 9112 3.2.2).
    """
    line, _, block = octets.partition(b"\r\n")
    return join_request(parse_request_line(line), parse_request_fields(block))


def join_request(line: RequestLine, parsed: RequestFields) -> ReceivedRequest:
    """The request that `line` and `parsed` make up. Raises HttpFault when they do not go together."""
    method, target, minor, host = line
    fields = parsed.fields
    if minor == 1:
        if "host" not in fields:
            raise HttpFault(400, "A request has a Host field.")
    elif "transfer-encoding" in fields:
        raise HttpFault(400, "HTTP/1.0 beside Transfer-Encoding: the end is in doubt.")
    if host is not None:
        fields = {**fields, "host": host}
    return ReceivedRequest(RequestHead(method, target, fields), parsed.persist[minor], minor)


def parse_request_fields(block: bytes) -> RequestFields:
    """The fields in `block`, which is a request's head without its first line. Raises HttpFault."""
    gathered = _Gathered()
    try:
        # The request line has no part in the fields, so any valid one may stand in for it.
        httptools.HttpRequestParser(gathered).feed_data(b"GET / HTTP/1.1\r\n" + block)
    except httptools.HttpParserUpgrade:
        pass  # we never switch protocols: an Upgrade field is ignored (RFC 9110 7.8)
    except httptools.HttpParserError as fault:
        if not _unknown_coding(gathered):
            raise HttpFault(400, f"The request's head is malformed: {fault}.") from None
    if gathered.extra or not gathered.complete:
        raise HttpFault(400, "The request's head is malformed.")
    fields = gathered.fields
    host = fields.get("host")
    if host is not None and not _HOST.fullmatch(host):  # several were joined with ", ", which is no host
        raise HttpFault(400, "The Host field is not one host.")
    if "transfer-encoding" in fields:
        _check_coding(fields)
    elif "content-length" in fields and not _DIGITS.fullmatch(fields["content-length"]):
        raise HttpFault(400, "Content-Length is no single number.")
    return RequestFields(fields, (_keep_alive(fields, 0), _keep_alive(fields, 1)))


def parse_request_line(octets: bytes) -> RequestLine:
    """The request line `octets`, without its CRLF. Raises HttpFault."""
    parts = octets.decode("latin-1").split(" ")
    if len(parts) != 3 or not _TOKEN.fullmatch(parts[0]) or not _TARGET.fullmatch(parts[1]):
        raise HttpFault(400, "The request line is malformed.")
    method, target, version = parts
    if version == "HTTP/1.1":
        return _origin_form(method, target, 1)
    if version == "HTTP/1.0":
        return _origin_form(method, target, 0)
    if version.startswith("HTTP/"):
        raise HttpFault(505, "This server speaks HTTP/1.1 and HTTP/1.0.")
    raise HttpFault(400, "The request line is malformed.")


def _origin_form(method: str, target: str, minor: int) -> RequestLine:
    if target.startswith("/") or (target == "*" and method == "OPTIONS"):
        return RequestLine(method, target, minor)
    if method == "CONNECT":
        raise HttpFault(501, "This server opens no tunnels.")
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or not absolute[1] or not _HOST.fullmatch(absolute[1]):
        raise HttpFault(400, "The target is neither a path nor an http URL.")
    host, rest = absolute[1], absolute[2]
    if not rest:
        rest = "*" if method == "OPTIONS" else "/"
    elif not rest.startswith("/"):
        rest = "/" + rest
    return RequestLine(method, rest, minor, host)


def _unknown_coding(gathered: _Gathered) -> bool:
    """llhttp refuses unknown transfer codings; `_check_coding` has the better status for them."""
    fields = gathered.fields
    return gathered.complete and "transfer-encoding" in fields and "content-length" not in fields


def _check_coding(fields: Fields) -> None:
    if "content-length" in fields:
        raise HttpFault(400, "Content-Length beside Transfer-Encoding: the end is in doubt.")
    if fields["transfer-encoding"].lower() != "chunked":
        raise HttpFault(501, "The only transfer coding here is chunked.")


def _keep_alive(fields: Fields, minor: int) -> bool:
    connection = fields.get("connection")
    if connection is None:
        return minor == 1
    options = {option.strip() for option in connection.lower().split(",")}
    return "close" not in options and (minor == 1 or "keep-alive" in options)


def parse_response_head(octets: bytes) -> ReceivedResponse:
    """The response whose whole head is `octets`. Raises ValueError when it is malformed.

    A status of 600 to 999 means nothing to anyone (RFC 9110 15), but its framing is not in doubt: it is
    delivered as it came. One below 100 is malformed, for it would be neither interim nor final.
    """
    if octets[8:12] == b" 101":
        raise ValueError("a change of protocol that nobody asked for")
    gathered = _Gathered()
    parser = httptools.HttpResponseParser(gathered)
    try:
        parser.feed_data(octets)
    except httptools.HttpParserError as fault:
        raise ValueError(f"malformed response head: {fault}") from None
    version = octets[:8]
    if gathered.extra or not gathered.complete or version not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise ValueError("malformed response head")
    fields, status = gathered.fields, parser.get_status_code()
    if status < STATUS_MIN:
        raise ValueError(f"malformed response head: its status is {status}")
    if "transfer-encoding" in fields and "content-length" in fields:
        raise ValueError("both Content-Length and Transfer-Encoding: the body's end is in doubt")
    keep_alive = _keep_alive(fields, 1 if version == b"HTTP/1.1" else 0)
    return ReceivedResponse(ResponseHead(status, fields), keep_alive)


def encode_request_head(method: str, target: str, fields: Fields) -> bytes:
    """A request's head, in HTTP/1.1. ValueError when a part would change the message's structure."""
    if not _TOKEN.fullmatch(method) or not _TARGET.fullmatch(target):
        raise ValueError(f"no method and target: {method!r} {target!r}")
    return f"{method} {target} HTTP/1.1\r\n{field_lines(fields)}\r\n".encode("latin-1")


def encode_response_head(status: int, fields: Fields | FieldBlock, more: bytes = b"") -> bytes:
    """A response's head; `more` are further field lines, already checked and with their CRLF.

    ValueError when `status` has not three digits, or a field would change the message's structure.
    """
    line = _STATUS_LINES.get(status)
    if line is None:
        if not STATUS_MIN <= status <= STATUS_MAX:
            raise ValueError(f"no status: {status}")
        line = b"HTTP/1.1 %d \r\n" % status
    lines = fields.lines if isinstance(fields, FieldBlock) else field_lines(fields).encode("latin-1")
    return b"%b%b%b\r\n" % (line, lines, more)
