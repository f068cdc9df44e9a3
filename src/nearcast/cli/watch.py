"""`nearcast watch`: watch a title as a viewer does, and tell everything that happened on the way."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, BinaryIO, NoReturn

import typer
from rich.markup import escape

from nearcast.cli.lab import labs
from nearcast.cli.output import NO, UNREACHABLE, fail, fail_for, say, say_json, speak_bytes
from nearcast.model.faults import OperatorFault
from nearcast.player.abr import speak_rate
from nearcast.player.bandwidth import read_bandwidth
from nearcast.player.download import Keep
from nearcast.player.lookup import Lookup
from nearcast.player.session import Viewer
from nearcast.player.viewing import Fetched, Happening, RenditionChosen, Viewing, ViewingEvent
from nearcast.serve.loop import run
from nearcast.wire.addresses import IpNetwork, client_subnet

DNS_PORT = 53


def watch(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="A title's folder, a .mpd, a .m3u8, or a progressive .mp4.")
    ],
    resolver: Annotated[
        str | None, typer.Option(metavar="IP[:PORT]", help="The local DNS server to ask; else the system's.")
    ] = None,
    client: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Watch as if from this address: its subnet goes to the DNS."),
    ] = None,
    quality: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="One rendition (720p) as a progressive film, range by range."),
    ] = None,
    bandwidth: Annotated[
        str | None,
        typer.Option(
            metavar="RATE|FILE", help="The line: 800k, 3M, or a file of lines `seconds rate`, # for comments."
        ),
    ] = None,
    realtime: Annotated[
        bool, typer.Option("--realtime", help="At the pace of the film, not as fast as the line allows.")
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keep the film as FILE. Beside it, where they come apart: the sound as .audio.mp4, "
            "each change of rendition as .2.mp4, .3.mp4 …",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of lines.")] = False,
) -> None:
    """Watch URL: ask the DNS, connect to the content server it names, fetch the film.

    Exit codes: 0 all of it arrived, 1 it did not, 2 usage, 3 no server could be reached.
    """
    try:
        viewer = Viewer(
            clock=time.time,
            rng=random.SystemRandom(),
            resolver=read_resolver(resolver) if resolver else default_resolver(),
            client_subnet=read_client(client) if client else None,
        )
        profile = read_bandwidth(bandwidth) if bandwidth else None
        with Saved(save) as saved:
            viewing = run(
                viewer.watch(
                    url,
                    quality=quality,
                    bandwidth=profile,
                    realtime=realtime,
                    observer=None if as_json else tell,
                    keep_for=saved.keep_for,
                )
            )
            if viewing.complete:
                saved.finish()
    except OperatorFault as fault:
        fail_for(fault)
    if as_json:
        say_json(viewing.to_json())
    else:
        summarize(viewing)
        if viewing.complete and saved.names:
            say(f"saved as {escape(saved.names)}")
    if not viewing.complete:
        end(viewing)


# --- what users typed ---------------------------------------------------------------------------------


def default_resolver() -> tuple[str, int] | None:
    """The resolver of a lab that runs on this machine, or None for the system's."""
    for lab in labs():
        return lab["resolver"][0], lab["resolver"][1]
    return None


def read_resolver(text: str, option: str = "--resolver") -> tuple[str, int]:
    """`127.0.10.1:5300`, `[::1]:53` or an address alone (port 53); OperatorFault."""
    host, _, port = (
        text.rpartition(":") if text.count(":") == 1 or "]:" in text else (text, "", str(DNS_PORT))
    )
    host = host.removeprefix("[").removesuffix("]")
    try:
        ip_address(host)
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError
    except ValueError:
        raise OperatorFault(
            f"{option} {text!r} is no address; write one such as 127.0.10.1:5300 (without a port: 53)"
        ) from None
    return host, int(port)


def read_client(text: str) -> IpNetwork:
    """The subnet of a client's address; OperatorFault."""
    try:
        return client_subnet(ip_network(text, strict=False))
    except ValueError:
        raise OperatorFault(f"--client {text!r} is no address; write one such as 203.0.113.7") from None


# --- what they get ------------------------------------------------------------------------------------


def tell(happening: Happening) -> None:
    """One line for one thing that happened, while it happens."""
    match happening:
        case Lookup():
            say(lookup_line(happening))
        case Fetched():
            say(object_line(happening))
        case RenditionChosen() if happening.before is None or happening.switched:
            say(f"  [cyan]{happening.rendition:>9}[/]  [dim]{escape(happening.reason)}[/]")
        case ViewingEvent() if happening.kind != "ended":  # that is told at the end, with its remedy
            colour = "red" if happening.kind == "failed" else "yellow"
            say(f"  [{colour}]{happening.kind:>9}[/]  {escape(happening.sentence)}")


def lookup_line(lookup: Lookup) -> str:
    """`DNS  www.movie.test → movie.cdn.test → 127.0.51.2, 127.0.51.1  TTL 30  0.9 ms`"""
    found = ", ".join(lookup.addresses) or f"[red]{lookup.rcode}[/]"
    way = " → ".join([escape(lookup.name), *map(escape, lookup.chain), f"[bold]{found}[/]"])
    ttl = "" if lookup.ttl_seconds is None else f"  TTL {lookup.ttl_seconds}"
    asked = f"resolver {lookup.resolver}" if lookup.resolver else "the system's resolver"
    return f"  {'DNS':>9}  {way}{ttl}  [dim]{asked}, {lookup.ms:.1f} ms[/]"


def object_line(each: Fetched) -> str:
    """`720p/3  hit  812 kB  3.1 ms  2.10 Gb/s  ia2.cdn.test 127.0.51.2`"""
    name = each.kind
    if each.number is not None:
        name = f"{each.rendition or each.kind}/{each.number}"
    elif each.rendition is not None:
        name = f"{each.rendition}/{each.kind}"
    colour = {"hit": "green", "": "dim"}.get(each.cache_status, "yellow")
    server = f"{each.server_host or ''} {each.server_address}".strip()
    return (
        f"  {escape(name):>13}  [{colour}]{each.cache_status or '-':6}[/]  {speak_bytes(each.bytes):>8}"
        f"  {each.ms:7.1f} ms  {speak_rate(each.bits_per_second):>10}  [dim]{escape(server)}[/]"
    )


def summarize(viewing: Viewing) -> None:
    """The last lines: how much, how fast, from whom, and how it would have looked."""
    film = f"{viewing.film_seconds:.1f} s of film, " if viewing.film_seconds else ""
    state = "[green]complete[/]" if viewing.complete else "[red]not complete[/]"
    say(
        f"{state}: {film}{speak_bytes(viewing.bytes)} in {viewing.seconds:.2f} s, "
        f"{speak_rate(viewing.bits_per_second)}, from {escape(', '.join(viewing.servers) or 'nobody')}"
    )
    if viewing.startup_ms is not None:
        say(
            f"started after {viewing.startup_ms:.0f} ms, stood still {times(viewing.stalls)} for "
            f"{viewing.rebuffer_seconds:.1f} s, changed rendition {times(len(viewing.switches))}"
        )


def end(viewing: Viewing) -> NoReturn:
    """End with the reason why the film did not arrive whole, and what to do."""
    problem = viewing.problem or "the film did not arrive whole"
    if not viewing.reached:
        fail(problem, "See whether the name and port are right and the servers run.", UNREACHABLE)
    fail(problem, "What failed on the way is told above, or with --json under `events`.", NO)


def times(count: int) -> str:
    """`once`, `3 times`."""
    return "once" if count == 1 else f"{count} times"


# --- what they keep -----------------------------------------------------------------------------------


class SavedTrack:
    """A file that grows beside its name and gets it when the film is complete."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part = path.with_name(path.name + ".part")
        with self._blamed():
            self._file: BinaryIO = open(self._part, "wb")  # noqa: SIM115 - closed by `close`

    def write(self, octets: bytes) -> None:
        with self._blamed():
            self._file.write(octets)

    def restart(self) -> None:
        with self._blamed():
            self._file.seek(0)
            self._file.truncate()

    def close(self) -> None:
        with self._blamed():
            self._file.close()

    def finish(self) -> None:
        with self._blamed():
            self._part.replace(self.path)

    @contextmanager
    def _blamed(self) -> Iterator[None]:
        try:
            yield
        except OSError as fault:
            raise OperatorFault(f"{self.path} cannot be written: {fault.strerror}; choose another") from None


class Saved:
    """The tracks of one film, kept under names made from `path`; None keeps nothing.

    What is left unfinished, because the film broke off or the user had enough, stays as `.part`.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._tracks: list[SavedTrack] = []
        self._count: Counter[str] = Counter()

    def __enter__(self) -> Saved:
        return self

    def __exit__(self, *_: object) -> None:
        for track in self._tracks:
            track.close()

    def keep_for(self, kind: str) -> Keep | None:
        """Where bytes of this kind go from now on: each time a file of its own."""
        if self._path is None:
            return None
        suffixes = [".audio.mp4"] if kind == "audio" else [self._path.suffix]
        self._count[kind] += 1
        if self._count[kind] > 1:
            suffixes.insert(0, f".{self._count[kind]}")
        track = SavedTrack(self._path.with_suffix("".join(suffixes)))
        self._tracks.append(track)
        return track

    def finish(self) -> None:
        """The film is complete: the files get their names."""
        for track in self._tracks:
            track.close()
            track.finish()

    @property
    def names(self) -> str:
        return ", ".join(str(track.path) for track in self._tracks)
