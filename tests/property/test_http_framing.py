"""Wherever the network cuts a message, it is the same message; and llhttp agrees with our framing."""

from __future__ import annotations

import itertools

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearcast.wire.http.body import ChunkedFraming, Framing, LengthFraming
from nearcast.wire.http.field_block import few_field_lines, field_lines
from nearcast.wire.http.head import (
    encode_request_head,
    encode_response_head,
    end_of_head,
    parse_request_head,
    parse_response_head,
)
from nearcast.wire.http.message import HttpFault

TOKENS = st.text("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12)
VALUES = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30
)
FRAMED = {"host", "content-length", "transfer-encoding", "connection", "upgrade"}
FIELDS = st.dictionaries(TOKENS.filter(lambda name: name not in FRAMED), VALUES, max_size=8)


def taken(framing: Framing, octets: bytes, cuts: list[int]) -> tuple[bytes, bytes]:
    """What a framing makes of `octets` that arrive cut at `cuts`."""
    edges = [0, *sorted(cut % (len(octets) + 1) for cut in cuts), len(octets)]
    content, rest = b"", b""
    for start, stop in itertools.pairwise(edges):
        if framing.complete:
            rest += octets[start:stop]
        else:
            piece, after = framing.take(octets[start:stop])
            content += piece
            rest += after
    return content, rest


CHUNKS = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
CUTS = st.lists(st.integers(0, 400), max_size=12)
EXTENSIONS = st.sampled_from([b"", b";a=b", b' ; c="d"'])
TRAILERS = st.sampled_from([b"", b"a: b\r\n", b"a: b\r\nc:\r\n"])


@given(CHUNKS, EXTENSIONS, TRAILERS, st.binary(max_size=20), CUTS)
def test_chunks_come_out_whole_wherever_they_are_cut(
    chunks: list[bytes], extension: bytes, trailers: bytes, after: bytes, cuts: list[int]
) -> None:
    body = b"".join(b"%x%s\r\n%s\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    octets = body + b"0\r\n" + trailers + b"\r\n" + after
    framing = ChunkedFraming()
    assert taken(framing, octets, cuts) == (b"".join(chunks), after)
    assert framing.complete


@given(st.binary(max_size=100), st.binary(max_size=20), CUTS)
def test_a_length_comes_out_whole_wherever_it_is_cut(body: bytes, after: bytes, cuts: list[int]) -> None:
    framing = LengthFraming(len(body))
    assert taken(framing, body + after, cuts) == (body, after)
    assert framing.complete


class Oracle:
    """What llhttp makes of a chunked body."""

    def __init__(self) -> None:
        self.body = b""
        self.complete = False

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


@given(
    st.lists(
        st.sampled_from(
            [b"0", b"1", b"2", b"a", b"\r\n", b"\r", b"\n", b"xx", b"xy", b";", b"=", b" ", b":"]
        ),
        max_size=14,
    )
)
def test_whatever_chunks_we_accept_llhttp_accepts_alike(pieces: list[bytes]) -> None:
    octets = b"".join(pieces)
    framing = ChunkedFraming()
    try:
        content, rest = framing.take(octets)
    except ValueError:
        return
    oracle = Oracle()
    parser = httptools.HttpRequestParser(oracle)
    parser.feed_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    if framing.complete:
        parser.feed_data(octets[: len(octets) - len(rest)])
        assert (oracle.body, oracle.complete) == (content, True)


@given(TOKENS, FIELDS)
def test_a_request_head_is_read_as_it_was_written(path: str, fields: dict[str, str]) -> None:
    target = "/" + path.replace("#", "")
    octets = encode_request_head("GET", target, {"host": "a.test", **fields})
    assert end_of_head(octets + b"\r\n\r\n") == len(octets)
    head = parse_request_head(octets).head
    assert (head.method, head.target) == ("GET", target)
    assert head.fields == {"host": "a.test", **fields}


@given(st.integers(200, 599), FIELDS)
def test_a_response_head_is_read_as_it_was_written(status: int, fields: dict[str, str]) -> None:
    head = parse_response_head(encode_response_head(status, fields)).head
    assert (head.status, head.fields) == (status, fields)


@given(st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=3))
def test_few_fields_are_judged_as_many_are(fields: dict[str, str]) -> None:
    try:
        lines = field_lines(fields).encode("latin-1")
    except ValueError:
        with pytest.raises(ValueError):
            few_field_lines(fields)
    else:
        assert few_field_lines(fields) == lines


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=4))
def test_no_field_can_break_out_of_its_line(fields: dict[str, str]) -> None:
    try:
        octets = encode_response_head(200, fields)
    except ValueError:
        return
    assert octets.endswith(b"\r\n\r\n")
    assert octets.count(b"\r\n") == octets.count(b"\n") == octets.count(b"\r") == len(fields) + 2


@given(st.binary(max_size=200))
def test_a_head_of_noise_is_refused_and_nothing_else_happens(noise: bytes) -> None:
    try:
        parse_request_head(noise + b"\r\n\r\n")
    except HttpFault as fault:
        assert 400 <= fault.status < 600
    try:
        parse_response_head(b"HTTP/1.1 " + noise + b"\r\n\r\n")
    except ValueError:
        pass


@given(
    st.lists(
        st.sampled_from(
            [
                b"Content-Length: 5\r\n",
                b"Content-Length: 0\r\n",
                b"content-length:5 \r\n",
                b"Content-Length: 5, 5\r\n",
                b"Transfer-Encoding: chunked\r\n",
                b"transfer-encoding:\tCHUNKED\r\n",
                b"Transfer-Encoding: identity\r\n",
                b"Transfer-Encoding: chunked, chunked\r\n",
                b"Transfer_Encoding: chunked\r\n",
                b"X: y\r\n",
                b"Transfer-Encoding\x0b: chunked\r\n",
                b" Transfer-Encoding: chunked\r\n",
                b"Content-Length: +5\r\n",
            ]
        ),
        max_size=3,
    )
)
def test_an_accepted_request_has_one_framing(lines: list[bytes]) -> None:
    octets = b"POST / HTTP/1.1\r\nHost: a\r\n" + b"".join(lines) + b"\r\n"
    try:
        fields = parse_request_head(octets).head.fields
    except HttpFault:
        return
    framed = [line for line in lines if line.lower().startswith((b"content-length", b"transfer-encoding"))]
    assert len(framed) <= 1
    assert ("content-length" in fields) + ("transfer-encoding" in fields) == len(framed)
