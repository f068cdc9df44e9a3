"""Names of contents by the path that asks, and kinds by name."""

from __future__ import annotations

import pytest

from nearcast.origin.media import UNKNOWN, kind_of
from nearcast.origin.paths import content_name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a", "a"),
        ("/a/b.mp4", "a/b.mp4"),
        ("/", "index.html"),
        ("/a/", "a/index.html"),
        ("/a%20b", "a b"),
        ("/%C3%A9", "é"),
        ("/a%25b", "a%b"),
        ("/%2561", "%61"),
        ("/a..b", "a..b"),
        ("/a.", "a."),
        ("/a:b;c=d", "a:b;c=d"),
        ("", None),
        ("*", None),
        ("a", None),
        ("//a", None),
        ("/a//b", None),
        ("/./a", None),
        ("/../a", None),
        ("/a/..", None),
        ("/a/../b", None),
        ("/%2e%2e/a", None),
        ("/.%2e/a", None),
        ("/a%2fb", None),
        ("/a%5Cb", None),
        ("/a\\b", None),
        ("/a%00", None),
        ("/a%0a", None),
        ("/a%7f", None),
        ("/a%", None),
        ("/a%2", None),
        ("/a%g0", None),
        ("/a%ff", None),
        ("/a%c0%af", None),
        ("/é", None),
        ("/.htaccess", None),
        ("/a/.git/config", None),
        ("/%2egit", None),
        ("/a.mp4.part", None),
        ("/a.part/b", None),
    ],
)
def test_names(path: str, name: str | None) -> None:
    assert content_name(path) == name


def test_kinds() -> None:
    assert kind_of("a/B.MP4").media_type == "video/mp4"
    assert kind_of("a.mp4/b") == kind_of("mp4") == kind_of("a.xyz") == UNKNOWN
