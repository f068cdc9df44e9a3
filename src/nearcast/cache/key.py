"""The cache key: what makes two requests ask for the same object.

key = name of the site + normalised target. Host names are not part of it: the provider's name, the
CDN's name and every shard name of a site lead to the same objects.

Normalisation is conservative. Only what RFC 3986 6.2.2 declares equivalent under every scheme becomes
equal: the case of hex digits in `%2f`, and percent-encoded unreserved characters (`%7E` is `~`). Dot
segments, empty segments, the order of the query and a trailing `?` stay as they are: they may mean
something to the origin. The origin is asked for the normalised target too, so that the key and what
was fetched under it always belong together.
"""

from __future__ import annotations

import re

TARGET_BYTES_MAX = 4096

_TRIPLET = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def normal_target(target: str) -> str:
    """`target` (origin form, `/path?query`) in the spelling of the key. ValueError when it is longer
    than TARGET_BYTES_MAX or no path."""
    if not target.startswith("/"):
        raise ValueError("the target is no path")
    if len(target) > TARGET_BYTES_MAX:
        raise ValueError(f"the target is longer than {TARGET_BYTES_MAX} bytes")
    if "%" not in target:
        return target
    return _TRIPLET.sub(_normal_triplet, target)


def cache_key(site: str, normal: str) -> str:
    """The key of a normalised target of a site. A site's name has no slash, so no two keys collide."""
    return site + normal


def _normal_triplet(triplet: re.Match[str]) -> str:
    character = chr(int(triplet[1], 16))
    return character if character in _UNRESERVED else triplet[0].upper()
