"""A progressive film, put together from whatever servers give, is always one version and whole."""

from __future__ import annotations

import hashlib
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from nearcast.model.faults import UpstreamFault
from nearcast.player.download import ProgressiveFile
from nearcast.wire.http.message import ResponseHead
from nearcast.wire.http.ranges import Span, content_range, if_range_holds, requested_span


class Kept:
    def __init__(self) -> None:
        self.octets = bytearray()

    def write(self, octets: bytes) -> None:
        self.octets += octets

    def restart(self) -> None:
        self.octets.clear()


turns = st.lists(
    st.tuples(
        st.integers(0, 2),  # which version this server has
        st.sampled_from(["honest", "no ranges", "ignores if-range", "wrong part", "no etag"]),
        st.floats(0, 1),  # how much of the response comes before it breaks off
    ),
    max_size=12,
)


def answer(film: ProgressiveFile, version: bytes, tag: str, manner: str) -> tuple[ResponseHead, bytes]:
    asked = film.fields()
    fields = {} if manner == "no etag" else {"etag": tag}
    span = requested_span(asked.get("range"), len(version))
    holds = if_range_holds(asked.get("if-range"), fields.get("etag"), None, 0.0)
    if manner == "no ranges" or not isinstance(span, Span) or not (holds or manner == "ignores if-range"):
        return ResponseHead(200, {**fields, "content-length": str(len(version))}), version
    if manner == "wrong part":
        span = Span(span.start // 2, max(span.start // 2 + 1, span.stop - 1))
    head = ResponseHead(206, {**fields, "content-range": content_range(span, len(version))})
    return head, version[span.start : span.stop]


def feed(film: ProgressiveFile, head: ResponseHead, body: bytes, dice: random.Random) -> None:
    film.begin(head, "server")
    at = 0
    while at < len(body):
        size = dice.randint(1, 90)
        film.take(body[at : at + size])
        at += size


@settings(max_examples=300, deadline=None)
@given(turns, st.integers(20, 600), st.integers(5, 300), st.integers(0, 2**32))
def test_what_is_complete_is_one_version(
    script: list[tuple[int, str, float]], size: int, range_bytes: int, seed: int
) -> None:
    dice = random.Random(seed)
    versions = [dice.randbytes(size + extra) for extra in (0, 0, 1)]
    kept = Kept()
    film = ProgressiveFile("720p", range_bytes, kept, lambda sentence: None)
    for number, manner, share in script:
        if film.complete:
            break
        head, body = answer(film, versions[number], f'"{number}"', manner)
        cut = body[: int(len(body) * share)]
        try:
            feed(film, head, cut, dice)
            if cut == body:
                film.end("server")
        except UpstreamFault:
            continue
    for _ in range(3 * size + 3):  # in the end one honest server is reached
        if film.complete:
            break
        head, body = answer(film, versions[0], '"0"', "honest")
        try:
            feed(film, head, body, dice)
            film.end("server")
        except UpstreamFault:
            continue
    assert film.complete
    assert bytes(kept.octets) in versions
    assert film.film_sha256 == hashlib.sha256(kept.octets).hexdigest()
