"""Where bodies end. That cuts make no difference is shown in tests/property/test_http_framing.py."""

from __future__ import annotations

import pytest

from nearcast.wire.http.body import (
    CHUNK_LINE_BYTES_MAX,
    TRAILER_BYTES_MAX,
    ChunkedFraming,
    LengthFraming,
    UntilCloseFraming,
    announced_length,
    request_framing,
    response_framing,
)


def test_a_length() -> None:
    framing = LengthFraming(5)
    assert framing.take(b"hel") == (b"hel", b"")
    assert not framing.complete
    assert framing.take(b"lo, world") == (b"lo", b", world")
    assert framing.complete


def test_chunks() -> None:
    framing = ChunkedFraming()
    assert framing.take(b'3;a=b;c="d"\r\nhel\r\n0002 ;x\r\nlo\r\n0\r\nX: y\r\n\r\nnext') == (
        b"hello",
        b"next",
    )
    assert framing.complete


@pytest.mark.parametrize(
    "octets",
    [
        b"x\r\n",
        b"\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x1\r\n",
        b" 1\r\n",
        b"1 \r\n",
        b"1_0\r\n",
        b"1\n\r\na\r\n",
        b"1;\n\r\na\r\n",
        b"1;\x00\r\n",
        b"f" * 16 + b"\r\n",
        b"1;" + b"x" * CHUNK_LINE_BYTES_MAX + b"\r\n",
        b"1;" + b"x" * CHUNK_LINE_BYTES_MAX,
        b"1\r\nab\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\nspace : x\r\n\r\n",
        b"0\r\n" + b"a: b\r\n" * (TRAILER_BYTES_MAX // 6 + 1),
    ],
)
def test_broken_chunks(octets: bytes) -> None:
    with pytest.raises(ValueError):
        ChunkedFraming().take(octets)


@pytest.mark.parametrize(
    ("fields", "framing"),
    [
        ({}, None),
        ({"content-length": "0"}, None),
        ({"content-length": "7"}, LengthFraming),
        ({"transfer-encoding": "chunked"}, ChunkedFraming),
    ],
)
def test_requests(fields: dict[str, str], framing: type | None) -> None:
    assert type(request_framing(fields)) is (framing or type(None))


@pytest.mark.parametrize(
    ("method", "status", "fields", "framing"),
    [
        ("GET", 200, {"content-length": "7"}, LengthFraming),
        ("GET", 200, {"transfer-encoding": "Chunked"}, ChunkedFraming),
        ("GET", 200, {}, UntilCloseFraming),
        ("HEAD", 200, {"transfer-encoding": "chunked"}, LengthFraming),
        ("GET", 304, {"content-length": "7"}, LengthFraming),
        ("GET", 204, {}, LengthFraming),
    ],
)
def test_responses(method: str, status: int, fields: dict[str, str], framing: type) -> None:
    found = response_framing(method, status, fields)
    assert type(found) is framing
    bodiless = method == "HEAD" or status in (204, 304)
    assert found.complete == bodiless


@pytest.mark.parametrize("text", ["", "-1", "+1", "1, 1", "1 ", "١", "9" * 19])
def test_lengths_that_are_none(text: str) -> None:
    with pytest.raises(ValueError):
        announced_length({"content-length": text})


def test_a_doubtful_coding() -> None:
    with pytest.raises(ValueError):
        response_framing("GET", 200, {"transfer-encoding": "gzip, chunked"})
