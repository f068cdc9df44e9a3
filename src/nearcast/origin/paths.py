"""From the path of a request to the name of a content, or to nothing.

A name is what a source is asked for: segments joined with "/", without a leading one. The rules are
narrow, so that no source has to think about them: strict UTF-8 percent-decoding, done once; no empty,
`.` or `..` segment; no slash, backslash or control character that came in by an escape; nothing hidden
(a segment that begins with a dot) and nothing unfinished (`.part`). A path that ends in a slash names
the `index.html` below it. Dots are not resolved: whoever writes an URL resolves them (RFC 3986 5.2.4),
and whoever does not is up to something.
"""

from __future__ import annotations

import re

UNFINISHED_SUFFIX = ".part"

_ESCAPE = re.compile(r"%(?:[0-9A-Fa-f]{2})?")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\/]")


def content_name(path: str) -> str | None:
    """The name of what `path` (percent-encoded, `/` first) asks for; None when it can name nothing."""
    if not path.startswith("/") or not path.isascii():
        return None
    segments = path[1:].split("/")
    if segments[-1] == "":
        segments[-1] = "index.html"
    decoded = [_decoded(segment) for segment in segments]
    names = [name for name in decoded if name is not None and _is_servable(name)]
    return "/".join(names) if len(names) == len(segments) else None


def _decoded(segment: str) -> str | None:
    if "%" not in segment:
        return segment
    if "%" in _ESCAPE.findall(segment):
        return None  # an escape without its two digits
    octets = _ESCAPE.sub(lambda escape: chr(int(escape[0][1:], 16)), segment).encode("latin-1")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _is_servable(name: str) -> bool:
    hidden = name == "" or name.startswith(".") or name.endswith(UNFINISHED_SUFFIX)
    return not hidden and not _FORBIDDEN.search(name)
