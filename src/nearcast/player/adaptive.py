"""Netflix's way: a manifest, then segment after segment, each picture in the rendition that suits.

Picture and sound are fetched in turn, whichever is behind in the film. Segments are found by time, not
by number, so renditions need not be cut alike. When no server gives a segment any more, the manifest is
asked for again: whoever routed us may by now name another server.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from nearcast.player.abr import RenditionRate, Throughput, choose
from nearcast.player.download import Keep, WholeObject
from nearcast.player.fetch import Unreachable, Unwatchable
from nearcast.player.stage import Stage
from nearcast.player.url import Url
from nearcast.player.viewing import RenditionChosen
from nearcast.wire.manifest import dash, hls
from nearcast.wire.manifest.presentation import (
    MANIFEST_BYTES_MAX,
    Presentation,
    Representation,
    SegmentReference,
)

MOVES_MAX = 3


@dataclass(slots=True)
class AdaptiveTrack:
    """The picture or the sound: its representations, and how far it has come."""

    kind: str
    names: dict[str, Representation]
    """Representations by the names people call them (`720p`)."""
    keep: Keep | None = None
    playing: str | None = None
    fetched: int = 0
    """Segments, so far."""
    reached: Fraction = Fraction(0)
    """Where in the film what was fetched ends, in seconds."""
    ended: bool = False
    inits: dict[str, bytes] = field(default_factory=dict)

    def next_segment(self, segments: Sequence[SegmentReference]) -> SegmentReference | None:
        """The first segment of which most lies behind what was fetched."""
        at = bisect_right(segments, self.reached, key=lambda each: each.start + each.seconds / 2)
        return segments[at] if at < len(segments) else None


async def watch_adaptive(stage: Stage, url: Url, bandwidth_max: int | None = None) -> None:
    """Watch the title whose manifest (`.mpd` or `.m3u8`) is at `url`.

    Renditions above `bandwidth_max` bit/s are never chosen. Raises Unwatchable.
    """
    await _Adaptive(stage, url, bandwidth_max).watch()


class _Adaptive:
    def __init__(self, stage: Stage, url: Url, bandwidth_max: int | None) -> None:
        self._stage = stage
        self._url = url
        self._bandwidth_max = bandwidth_max
        self._throughput = Throughput()
        self._moves = 0
        self._tracks: list[AdaptiveTrack] = []  # the one whose rendition is chosen first

    async def watch(self) -> None:
        self._tracks = [
            AdaptiveTrack(kind, names) for kind, names in tracks_of(await self._read_manifest()).items()
        ]
        while behind := [track for track in self._tracks if not track.ended]:
            track = min(behind, key=lambda track: track.reached)
            try:
                await self._advance(track)
            except Unreachable as fault:
                await self._move(fault)
        self._stage.film_seconds = float(self._tracks[0].reached)
        await self._stage.play_to_end()

    # --- one segment ------------------------------------------------------------------------------
    async def _advance(self, track: AdaptiveTrack) -> None:
        """Fetch the next segment of `track`, or find that there is none."""
        if track.playing is not None:
            segment = track.next_segment((await self._complete(track, track.playing)).segments)
            if segment is None:
                track.ended = True
                return
            await self._stage.room_for(float(segment.seconds))
        name = self._choose(track)
        segment = track.next_segment((await self._complete(track, name)).segments)
        if segment is None:  # this rendition is shorter than the one before
            track.ended = True
            return
        await self._enter(track, name)
        await self._receive(track, WholeObject(track.kind, name, track.fetched + 1), segment)

    async def _receive(self, track: AdaptiveTrack, download: WholeObject, segment: SegmentReference) -> None:
        await self._stage.whole(Url.parse(segment.url), download)
        if track is self._tracks[0]:
            self._throughput.add(download.bytes, download.seconds)
        if track.keep:
            track.keep.write(download.octets)
        before = self._playable
        track.reached = segment.start + segment.seconds
        track.fetched += 1
        self._moves = 0
        self._stage.playout.arrived(self._stage.trace.now(), float(self._playable - before))

    @property
    def _playable(self) -> Fraction:
        """Up to where both picture and sound are here."""
        return min(track.reached for track in self._tracks if not track.ended)

    def _choose(self, track: AdaptiveTrack) -> str:
        if track is not self._tracks[0]:
            return next(iter(track.names))
        trace = self._stage.trace
        sound = next((next(iter(other.names.values())).bandwidth for other in self._tracks[1:]), 0)
        estimate = self._throughput.estimate
        choice = choose(
            [RenditionRate(name, each.bandwidth) for name, each in track.names.items()],
            track.playing,
            None if estimate is None else max(0.0, estimate - sound),
            self._stage.playout.level(trace.now()),
            bandwidth_max=self._bandwidth_max,
        )
        number = track.fetched + 1
        trace.add(RenditionChosen(trace.now(), number, choice.rendition, track.playing, choice.reason))
        return choice.rendition

    async def _enter(self, track: AdaptiveTrack, name: str) -> None:
        """Make `name` the rendition that plays: its init segment comes before its first segment."""
        if name == track.playing:
            return
        init_url = track.names[name].init_url
        if init_url is not None and name not in track.inits:
            download = WholeObject("init", name)
            await self._stage.whole(Url.parse(init_url), download)
            track.inits[name] = download.octets
        track.keep = self._stage.keep_for(track.kind)
        if track.keep:
            track.keep.write(track.inits.get(name, b""))
        track.playing = name

    # --- manifests --------------------------------------------------------------------------------
    async def _read_manifest(self) -> Presentation:
        download = WholeObject("manifest", bytes_max=MANIFEST_BYTES_MAX)
        source = str(await self._stage.whole(self._url, download))
        try:
            if self._url.path.endswith(".m3u8"):
                presentation = hls.parse_master(download.octets, source)
            else:
                presentation = dash.parse(download.octets, source)
            for each in presentation.representations:
                check_urls(each)
        except ValueError as fault:
            raise Unwatchable(f"the manifest {source} cannot be played: {fault}") from None
        return presentation

    async def _complete(self, track: AdaptiveTrack, name: str) -> Representation:
        """The representation with its segments, which HLS tells in a playlist of its own."""
        representation = track.names[name]
        if representation.segments or representation.playlist_url is None:
            return representation
        download = WholeObject("manifest", name, bytes_max=MANIFEST_BYTES_MAX)
        source = await self._stage.whole(Url.parse(representation.playlist_url), download)
        try:
            representation = hls.with_segments(representation, download.octets)
            check_urls(representation)
        except ValueError as fault:
            raise Unwatchable(f"the playlist {source} cannot be played: {fault}") from None
        track.names[name] = representation
        return representation

    async def _move(self, fault: Unreachable) -> None:
        """Read the manifest anew; when it still names the servers that failed, there is no going on."""
        if self._moves >= MOVES_MAX or {self._url.authority} == set().union(*map(hosts, self._tracks)):
            raise fault
        self._moves += 1
        groups = tracks_of(await self._read_manifest())
        before = [hosts(track) for track in self._tracks]
        for track in self._tracks:
            if groups.get(track.kind, {}).keys() != track.names.keys():
                raise Unwatchable(f"{fault.sentence}; the manifest has changed meanwhile")
            track.names = groups[track.kind]
        if before == [hosts(track) for track in self._tracks]:
            raise fault
        self._stage.trace.tell("moved", "the manifest now names another server")


def tracks_of(presentation: Presentation) -> dict[str, dict[str, Representation]]:
    """What is played, by kind: the picture with all its renditions first, then the best sound."""
    pictures, sounds = presentation.video, presentation.audio
    if not pictures:
        return {"audio": by_name(sounds)}
    return (
        {"video": by_name(pictures), "audio": by_name(sounds[-1:])}
        if sounds
        else {"video": by_name(pictures)}
    )


def by_name(group: Sequence[Representation]) -> dict[str, Representation]:
    """Representations, smallest first, under what people call them: `720p`, and their id where that is
    not one alone."""
    called = {
        each.id: f"{min(each.width, each.height)}p" if each.width and each.height else each.id
        for each in group
    }
    times = Counter(called.values())
    return {called[each.id] if times[called[each.id]] == 1 else each.id: each for each in group}


def check_urls(representation: Representation) -> None:
    """Raises ValueError for a URL that cannot be asked for: better here than in the middle of the film."""
    segments = (segment.url for segment in representation.segments)
    for url in (representation.init_url, representation.playlist_url, *segments):
        if url is not None:
            Url.parse(url)


def hosts(track: AdaptiveTrack) -> set[str]:
    """The servers that a track is to be had from."""
    urls = [each.playlist_url or each.segments[0].url for each in track.names.values()]
    return {Url.parse(url).authority for url in urls}
