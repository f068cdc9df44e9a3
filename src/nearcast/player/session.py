"""A viewer, and one viewing from the URL to the last byte.

The steps are those of any CDN: the viewer asks its local resolver for the URL's host, the answer leads
(by CNAME) to the CDN's own names and to the addresses of content servers; the viewer connects to the
first and asks for the content. What goes wrong on the way is the affair of `fetch`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from nearcast.model.faults import OperatorFault
from nearcast.model.title import MANIFEST_DASH
from nearcast.player.adaptive import watch_adaptive
from nearcast.player.bandwidth import Line, Profile
from nearcast.player.download import Keep
from nearcast.player.fetch import Fetcher, RetryPolicy, Unwatchable
from nearcast.player.lookup import Lookup, Names
from nearcast.player.progressive import find_progressive, range_bytes_for, watch_progressive
from nearcast.player.stage import Stage
from nearcast.player.url import Url, read_url
from nearcast.player.viewing import Fetched, Observer, RenditionChosen, Trace, Viewing, ViewingEvent
from nearcast.serve.dns_client import DnsClient
from nearcast.serve.http_client import ClientLimits, HttpClient
from nearcast.wire.addresses import IpNetwork

BUFFER_SECONDS = 30.0
SLOW_LINE_LIMITS = ClientLimits(buffer_bytes=64 * 1024)  # so that the line, not our memory, sets the pace
FILMS = (".mp4", ".m4v", ".mov")


class Viewer:
    """Somebody who watches: where they are, and whom they ask for names."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        rng: random.Random,
        resolver: tuple[str, int] | None = None,
        client_subnet: IpNetwork | None = None,
        local_address: str | None = None,
        retry: RetryPolicy | None = None,
        limits: ClientLimits | None = None,
        buffer_seconds: float = BUFFER_SECONDS,
    ) -> None:
        """`clock` gives Unix seconds. Without a `resolver` the system's is asked. `client_subnet` goes
        along with questions (RFC 7871); `local_address` is where datagrams and connections come from.
        """
        self._clock = clock
        self._rng = rng
        self._resolver = resolver
        self._client_subnet = client_subnet
        self._local_address = local_address
        self._retry = retry or RetryPolicy()
        self._limits = limits
        self._buffer_seconds = buffer_seconds

    async def watch(
        self,
        url: str,
        *,
        quality: str | None = None,
        bandwidth: Profile | None = None,
        bandwidth_max: int | None = None,
        realtime: bool = False,
        observer: Observer | None = None,
        keep_for: Callable[[str], Keep | None] = lambda kind: None,
    ) -> Viewing:
        """Watch what is at `url`: a title's folder, a `.mpd`, a `.m3u8`, or a progressive `.mp4`.

        `quality` (`720p`) picks one rendition of a title, as a progressive film. `bandwidth` is the
        viewer's line; `bandwidth_max` bit/s bounds the renditions chosen. `observer` hears everything
        as it happens; `keep_for` says where the bytes of `video`, `audio` or `progressive` go besides,
        each time that a rendition begins to play.
        Raises OperatorFault for what the user got wrong; whatever the network does is in the result.
        """
        loop = asyncio.get_running_loop()
        start, mode = read_url(url), mode_of(url, quality)
        began, began_at = loop.time(), self._clock()
        trace = Trace(lambda: loop.time() - began, observer)
        limits = self._limits or (SLOW_LINE_LIMITS if bandwidth else None)
        client = HttpClient(limits, local_address=self._local_address)
        line = Line(bandwidth) if bandwidth else None
        fetcher = Fetcher(self._names(trace), client, trace, line, self._rng, self._retry, self._clock)
        stage = Stage(fetcher, trace, realtime, self._buffer_seconds, keep_for)
        problem = None
        try:
            if mode != "progressive":
                await watch_adaptive(stage, manifest_of(start), bandwidth_max)
            else:
                rendition = None
                if quality is not None:
                    start, rendition = await find_progressive(stage, manifest_of(start), quality)
                slowest = min(rate for _, rate in bandwidth.steps if rate) if bandwidth else None
                await watch_progressive(stage, start, rendition, range_bytes_for(slowest))
        except Unwatchable as fault:
            problem = fault.sentence
            trace.tell("ended", problem)
        finally:
            await client.close()
        return viewed(url, mode, began_at, problem, stage)

    def _names(self, trace: Trace) -> Names:
        client = DnsClient(self._local_address, rng=self._rng) if self._resolver else None
        return Names(self._resolver, client, self._client_subnet, trace.add, self._clock)


def mode_of(text: str, quality: str | None) -> str:
    """`dash`, `hls` or `progressive`, as the URL in `text` and the quality say; OperatorFault."""
    path = read_url(text).path
    if path.endswith(FILMS):
        if quality is not None:
            raise OperatorFault(f"{text} names one file; leave --quality, or name the title's folder")
        return "progressive"
    if path == "/":
        raise OperatorFault(f"{text} names no title; add its name, such as {text.rstrip('/')}/clock")
    if quality is not None:
        return "progressive"
    return "hls" if path.endswith(".m3u8") else "dash"


def manifest_of(url: Url) -> Url:
    """The manifest that `url` means: itself, or that of the title whose folder it names."""
    if url.path.endswith((".mpd", ".m3u8")):
        return url
    path, mark, query = url.target.partition("?")
    return Url(url.host, url.port, f"{path.rstrip('/')}/{MANIFEST_DASH}{mark}{query}")


def viewed(url: str, mode: str, began_at: float, problem: str | None, stage: Stage) -> Viewing:
    """The viewing that took place on `stage`."""
    trace, playout = stage.trace, stage.playout
    return Viewing(
        url=url,
        mode=mode,
        began_at=began_at,
        complete=problem is None,
        reached=trace.reached,
        problem=problem,
        lookups=tuple(each for each in trace.happenings if isinstance(each, Lookup)),
        fetched=tuple(each for each in trace.happenings if isinstance(each, Fetched)),
        choices=tuple(each for each in trace.happenings if isinstance(each, RenditionChosen)),
        events=tuple(each for each in trace.happenings if isinstance(each, ViewingEvent)),
        digests=dict(trace.digests),
        seconds=trace.now(),
        film_seconds=stage.film_seconds,
        startup_ms=None if playout.began is None else playout.began * 1000,
        rebuffer_seconds=playout.rebuffer_seconds,
        stalls=playout.stalls,
    )
