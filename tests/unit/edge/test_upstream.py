"""What goes to the origin and what comes back from it."""

from __future__ import annotations

from random import Random

import pytest

from nearcast.edge.upstream import Upstream
from nearcast.serve.http_client import HttpClient

UPSTREAM = Upstream(HttpClient(), "ia2.cdn.test", Random(1))


def test_fields_of_one_hop_are_not_passed_on() -> None:
    came = {"connection": "close, X-Hop", "x-hop": "1", "keep-alive": "5", "te": "x", "content-length": "3"}
    assert UPSTREAM.passed_on(came | {"etag": '"1"'}) == {"etag": '"1"', "via": "1.1 ia2.cdn.test"}


def test_the_way_is_continued() -> None:
    came = {"via": "1.1 a", "cdn-loop": "a", "cookie": "secret"}
    assert UPSTREAM.forwarded(came) == {"via": "1.1 a, 1.1 ia2.cdn.test", "cdn-loop": "a, ia2.cdn.test"}


@pytest.mark.parametrize(
    ("loop", "here"),
    [("ia2.cdn.test", True), ("a, IA2.cdn.test; v=1", True), ("a", False), ("xia2.cdn.test", False)],
)
def test_a_loop_is_seen(loop: str, here: bool) -> None:
    assert UPSTREAM.was_here({"cdn-loop": loop}) is here


def test_a_request_without_the_field_was_not_here() -> None:
    assert not UPSTREAM.was_here({})
