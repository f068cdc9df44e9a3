"""What each kind of content is called and how long it may be kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

FOREVER = "public, max-age=31536000, immutable"  # never changes under its name
SHORT = "public, max-age=10"  # points to what may change
PAGE = "public, max-age=60"


class Kind(NamedTuple):
    """Content-Type and Cache-Control."""

    media_type: str
    cache_control: str


KINDS: Mapping[str, Kind] = {
    ".mpd": Kind("application/dash+xml", SHORT),
    ".m3u8": Kind("application/vnd.apple.mpegurl", SHORT),
    ".json": Kind("application/json", SHORT),
    ".html": Kind("text/html; charset=utf-8", SHORT),
    ".m4s": Kind("video/iso.segment", FOREVER),
    ".mp4": Kind("video/mp4", FOREVER),
    ".m4a": Kind("audio/mp4", FOREVER),
    ".ts": Kind("video/mp2t", FOREVER),
    ".vtt": Kind("text/vtt; charset=utf-8", FOREVER),
    ".jpg": Kind("image/jpeg", FOREVER),
    ".webp": Kind("image/webp", FOREVER),
    ".js": Kind("text/javascript; charset=utf-8", PAGE),
    ".mjs": Kind("text/javascript; charset=utf-8", PAGE),
    ".css": Kind("text/css; charset=utf-8", PAGE),
    ".svg": Kind("image/svg+xml", PAGE),
    ".png": Kind("image/png", PAGE),
    ".ico": Kind("image/x-icon", PAGE),
    ".woff2": Kind("font/woff2", PAGE),
    ".txt": Kind("text/plain; charset=utf-8", PAGE),
}
UNKNOWN = Kind("application/octet-stream", PAGE)


def kind_of(name: str, kinds: Mapping[str, Kind] = KINDS) -> Kind:
    """The kind of the content `name`, by its suffix."""
    dot = name.rfind(".")
    return kinds.get(name[dot:].lower(), UNKNOWN) if dot > name.rfind("/") else UNKNOWN
