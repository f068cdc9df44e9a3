"""What a manifest says, whichever language it says it in: the nouns that DASH and HLS share.

Times are exact fractions of seconds: DASH counts ticks of a timescale, HLS writes decimals, and sums of
rounded numbers would drift apart over a long title.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal
from urllib.parse import urljoin

MANIFEST_BYTES_MAX = 16 * 1024 * 1024
SEGMENTS_MAX = 100_000
"""In all representations of a manifest: ten hours in ten renditions have fewer. A few bytes that stand
for more are an attack, and refused before they are expanded."""

URL_CHARS_MAX = 8192
URLS_CHARS_MAX = 64 * 1024 * 1024
"""Of all URLs of a manifest together: relative ones are short, and what they become is not."""


class MalformedManifest(ValueError):
    """The text is no manifest of a finished video that a player here could play; says what is wrong."""


class Urls:
    """Makes the URLs of one manifest absolute, within bounds for each and for all of them."""

    def __init__(self) -> None:
        self._chars = 0

    def join(self, base: str, url: str) -> str:
        """What `url` means in a text found at `base`. MalformedManifest when it means nothing."""
        if len(url) > URL_CHARS_MAX:
            raise MalformedManifest(f"a URL of more than {URL_CHARS_MAX} characters")
        try:
            joined = urljoin(base, url)
        except ValueError as error:
            raise MalformedManifest(f"{url[:80]!r} is not a URL: {error}") from None
        self._chars += len(joined)
        if len(joined) > URL_CHARS_MAX or self._chars > URLS_CHARS_MAX:
            raise MalformedManifest("URLs that are too long, each or together")
        return joined


@dataclass(frozen=True, slots=True)
class SegmentReference:
    """Where a segment is, when it begins in the presentation, and how long it is."""

    url: str
    start: Fraction
    seconds: Fraction


@dataclass(frozen=True, slots=True)
class Representation:
    """One rendition, or the sound. Unknown numbers are None.

    In HLS the segments stand in a text of their own at `playlist_url`: until `hls.with_segments` has
    read it, `segments` is empty and `init_url` None. In HLS `bandwidth` includes the sound's.
    """

    id: str
    kind: Literal["video", "audio"]
    bandwidth: int
    codecs: str
    init_url: str | None = None
    segments: tuple[SegmentReference, ...] = ()
    playlist_url: str | None = None
    average_bandwidth: int | None = None
    width: int | None = None
    height: int | None = None
    frame_rate: Fraction | None = None
    sample_rate: int | None = None
    channels: int | None = None


@dataclass(frozen=True, slots=True)
class Presentation:
    """A whole title as its manifest shows it. `seconds` is None while an HLS playlist has yet to say it."""

    seconds: Fraction | None
    representations: tuple[Representation, ...]

    @property
    def video(self) -> tuple[Representation, ...]:
        """The renditions, smallest bandwidth first."""
        chosen = (each for each in self.representations if each.kind == "video")
        return tuple(sorted(chosen, key=lambda each: each.bandwidth))

    @property
    def audio(self) -> tuple[Representation, ...]:
        """The sound, smallest bandwidth first."""
        chosen = (each for each in self.representations if each.kind == "audio")
        return tuple(sorted(chosen, key=lambda each: each.bandwidth))
