"""What each kind of content is called and how long it may be kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

FOREVER = "public, max-age=31536000, immutable"  # never changes under its name
SHORT = "public, max-age=10"  # points to what may change
PAGE = "public, max-age=60"


class MediaType(NamedTuple):
    """Content-Type and Cache-Control."""

    media_type: str
    cache_control: str


KINDS: Mapping[str, MediaType] = {
    ".mpd": MediaType("application/dash+xml", SHORT),
    ".m3u8": MediaType("application/vnd.apple.mpegurl", SHORT),
    ".json": MediaType("application/json", SHORT),
    ".html": MediaType("text/html; charset=utf-8", SHORT),
    ".m4s": MediaType("video/iso.segment", FOREVER),
    ".mp4": MediaType("video/mp4", FOREVER),
    ".m4a": MediaType("audio/mp4", FOREVER),
    ".ts": MediaType("video/mp2t", FOREVER),
    ".vtt": MediaType("text/vtt; charset=utf-8", FOREVER),
    ".jpg": MediaType("image/jpeg", FOREVER),
    ".webp": MediaType("image/webp", FOREVER),
    ".js": MediaType("text/javascript; charset=utf-8", PAGE),
    ".mjs": MediaType("text/javascript; charset=utf-8", PAGE),
    ".css": MediaType("text/css; charset=utf-8", PAGE),
    ".svg": MediaType("image/svg+xml", PAGE),
    ".png": MediaType("image/png", PAGE),
    ".ico": MediaType("image/x-icon", PAGE),
    ".woff2": MediaType("font/woff2", PAGE),
    ".txt": MediaType("text/plain; charset=utf-8", PAGE),
}
UNKNOWN = MediaType("application/octet-stream", PAGE)


def kind_of(name: str, kinds: Mapping[str, MediaType] = KINDS) -> MediaType:
    """The kind of the content `name`, by its suffix."""
    dot = name.rfind(".")
    return kinds.get(name[dot:].lower(), UNKNOWN) if dot > name.rfind("/") else UNKNOWN
