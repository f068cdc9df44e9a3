from __future__ import annotations

import pytest

from nearcast.cache.key import TARGET_BYTES_MAX, cache_key, normal_target


@pytest.mark.parametrize(
    ("target", "normal"),
    [
        ("/a?b=c", "/a?b=c"),
        ("/%7euser/%2d", "/~user/-"),
        ("/a%2fb%3f", "/a%2Fb%3F"),
        ("/%zz%4", "/%zz%4"),
        ("/a//../b?", "/a//../b?"),
        ("/%C3%a9", "/%C3%A9"),
        ("/%2541", "/%2541"),  # decoded once only
    ],
)
def test_equivalent_spellings_and_no_others_become_equal(target: str, normal: str) -> None:
    assert normal_target(target) == normal
    assert normal_target(normal) == normal


def test_no_path_and_an_endless_one() -> None:
    with pytest.raises(ValueError, match="no path"):
        normal_target("*")
    assert normal_target("/" * TARGET_BYTES_MAX)
    with pytest.raises(ValueError, match="longer"):
        normal_target("/" * (TARGET_BYTES_MAX + 1))


def test_sites_do_not_share_keys() -> None:
    assert cache_key("a", "/b/c") != cache_key("a-b", "/c")
