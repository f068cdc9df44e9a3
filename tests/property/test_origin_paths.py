"""No path leads out of what an origin serves."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nearcast.origin.directory import DirectorySource
from nearcast.origin.paths import content_name

SECRET = b"not to be served"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with something to serve, beside something that must never be."""
    above = tmp_path_factory.mktemp("above")
    (above / "secret").write_bytes(SECRET)
    root = above / "root"
    (root / "a" / "b").mkdir(parents=True)
    for name in ("a/b/c", "a/x", "index.html"):
        (root / name).write_bytes(b"public")
    for name in (".hidden", "a/.hidden", "a/y.part"):
        (root / name).write_bytes(SECRET)
    (root / "out").symlink_to(above)
    (root / "a" / "out").symlink_to("../../secret")
    return root


PLAIN = ["a", "b", "c", "x", "out", "secret", "root", "index.html", "etc", "passwd", ".hidden", "y.part"]
CUNNING = [
    "..",
    ".",
    "",
    "/",
    "\\",
    "%2e",
    "%2E%2e",
    "%2f",
    "%5c",
    "%00",
    "%",
    "%2",
    "%c0%ae",
    "%252e",
    "\u2025",
]
PARTS = st.sampled_from(PLAIN + CUNNING)


@given(st.lists(PARTS, max_size=8).map("/".join), st.sampled_from(["", "/"]))
@example("../secret", "/")
@example("out/secret", "/")
@example("a/out", "/")
@example("%2e%2e/secret", "/")
@example("..%2fsecret", "/")
def test_nothing_outside_the_root_is_found(tree: Path, path: str, slash: str) -> None:
    name = content_name(slash + path)
    if name is None:
        return
    content = DirectorySource(tree).find(name)
    assert content is None or bytes(content.octets) == b"public"


@given(st.text(max_size=30))
def test_a_name_is_always_plain(path: str) -> None:
    name = content_name("/" + path)
    if name is not None:
        segments = name.split("/")
        assert not name.startswith("/") and "\x00" not in name
        assert os.path.normpath(name) == name
        assert all(segment and segment[0] != "." for segment in segments)


SEGMENTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\"), min_size=1, max_size=10
).filter(lambda text: not text.startswith(".") and not text.endswith(".part"))


@given(st.lists(SEGMENTS, min_size=1, max_size=4))
def test_every_honest_name_can_be_asked_for(segments: list[str]) -> None:
    name = "/".join(segments)
    assert content_name("/" + quote(name)) == name
