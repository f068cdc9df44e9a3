"""YouTube's way: one file, fetched range by range while it plays (progressive HTTP streaming)."""

from __future__ import annotations

from nearcast.model.faults import OperatorFault
from nearcast.model.title import TITLE_JSON, Title
from nearcast.player.download import ProgressiveFile, WholeObject
from nearcast.player.fetch import Unwatchable
from nearcast.player.stage import RedirectedSource, Stage
from nearcast.player.url import Url

RANGE_BYTES = 1024 * 1024  # enough to keep a line busy, little enough to lose when the viewer leaves
RANGE_BYTES_MIN = 64 * 1024
RANGE_SECONDS = 4.0  # of a slow line; the server should not wait for us longer than it must
RESTARTS_MAX = 3
TITLE_BYTES_MAX = 4 * 1024 * 1024


async def find_progressive(stage: Stage, folder: Url, quality: str) -> tuple[Url, str]:
    """The URL and name of the rendition that a person calls `quality` (`720p`), from `title.json`.

    Raises OperatorFault with the qualities there are.
    """
    download = WholeObject("title", bytes_max=TITLE_BYTES_MAX)
    source = await stage.whole(folder.join(TITLE_JSON), download)
    try:
        title = Title.from_json(download.octets)
    except OperatorFault as fault:
        raise Unwatchable(f"{source} does not describe a title: {fault.mistakes[0]}") from None
    name = quality.strip().lower()
    rendition = title.rendition(name) or title.rendition(f"{name}p")
    if rendition is None:
        names = ", ".join(each.name for each in title.renditions)
        raise OperatorFault(f"there is no quality {quality} of {title.name}; choose one of {names}")
    return source.join(rendition.progressive), rendition.name


def range_bytes_for(bits_per_second: float | None) -> int:
    """How much to ask for at once on a line of this rate (None: not known to be slow)."""
    if bits_per_second is None:
        return RANGE_BYTES
    return int(min(RANGE_BYTES, max(RANGE_BYTES_MIN, bits_per_second / 8 * RANGE_SECONDS)))


async def watch_progressive(stage: Stage, url: Url, rendition: str | None, range_bytes: int) -> None:
    """Watch the file at `url` from its first byte to its last."""
    film = ProgressiveFile(
        rendition,
        range_bytes,
        stage.keep_for("progressive"),
        lambda sentence: stage.trace.tell("restarted", sentence),
    )
    source = RedirectedSource(url, stage)
    while not film.complete:
        if film.restarts > RESTARTS_MAX:
            raise Unwatchable(f"{url} keeps changing while it is watched")
        before = film.reached
        await stage.room_for(_seconds_of(film, range_bytes))
        await source.fetch(film)
        stage.playout.arrived(stage.trace.now(), _seconds_of(film, film.reached - before))
    stage.trace.digests[str(source.at)] = film.film_sha256
    stage.film_seconds = film.duration
    await stage.play_to_end()


def _seconds_of(film: ProgressiveFile, octets: int) -> float:
    """About how long `octets` bytes of the film play: as if its rate were the same throughout."""
    if not film.size or not film.duration:
        return 0.0
    return film.duration * octets / film.size
