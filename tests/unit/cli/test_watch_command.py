"""`nearcast watch`, as typed: lines, JSON, files, exit codes."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from nearcast.cli.watch import Saved, default_resolver, read_client, read_resolver, speak_bytes, watch
from nearcast.model.faults import OperatorFault
from nearcast.player.fetch import RetryPolicy
from nearcast.serve.http_server import Exchange, listen_http
from nearcast.wire.http.ranges import Span, content_range, requested_span
from nearcast.wire.manifest import dash
from nearcast.wire.manifest.presentation import Presentation, Representation, SegmentReference

INIT, PIECE, SOUND = b"init" * 10, b"picture" * 1000, b"sound" * 100


def title() -> dict[str, bytes]:
    def cut(folder: str) -> tuple[SegmentReference, ...]:
        return tuple(
            SegmentReference(f"{folder}/{number}.m4s", Fraction(number * 2 - 2), Fraction(2))
            for number in (1, 2, 3)
        )

    pictures = Representation(
        "v360", "video", 28_000, "x", "v360/init.mp4", cut("v360"), width=640, height=360
    )
    sound = Representation("a64", "audio", 2_000, "x", "a64/init.mp4", cut("a64"))
    objects = {"/clock/manifest.mpd": dash.build(Presentation(Fraction(6), (pictures, sound))).encode()}
    for folder, octets in (("v360", PIECE), ("a64", SOUND)):
        objects[f"/clock/{folder}/init.mp4"] = INIT
        objects |= {f"/clock/{folder}/{number}.m4s": octets for number in (1, 2, 3)}
    objects["/clock/progressive/360p.mp4"] = PIECE * 20
    objects["/broken/manifest.mpd"] = b"<html>"
    return objects


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """A content server on loopback, in a thread of its own; its URL."""
    objects = title()

    def answer(exchange: Exchange) -> None:
        octets = objects.get(exchange.request.path)
        fields = {"cache-status": "ia2.cdn.test; hit", "etag": '"1"'}
        if octets is None:
            exchange.respond(404, fields)
            return
        span = requested_span(exchange.request.fields.get("range"), len(octets))
        if isinstance(span, Span):
            more = {"content-range": content_range(span, len(octets))}
            exchange.respond(206, fields | more, octets[span.start : span.stop])
        else:
            exchange.respond(200, fields, octets)

    ready: Any = threading.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        stop = asyncio.Event()
        room = await listen_http(answer, "127.0.0.1", 0, clock=lambda: 0.0)
        ready.port, ready.stop = room.port, stop
        ready.set()
        await stop.wait()
        await room.drain(1.0)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    yield f"http://127.0.0.1:{ready.port}"
    loop.call_soon_threadsafe(ready.stop.set)
    thread.join(10)
    loop.close()


def typed(*words: str) -> Result:
    app = typer.Typer()
    app.command()(watch)
    return CliRunner().invoke(app, list(words), env={"COLUMNS": "200", "NO_COLOR": "1"})


def test_each_object_gets_a_line_and_the_whole_a_summary(site: str) -> None:
    result = typed(f"{site}/clock")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len([line for line in lines if re.search(r"360p/[123] +hit +7\.0 kB", line)]) == 3
    assert all("ia2.cdn.test 127.0.0.1" in line for line in lines if "/s " in line and " hit " in line)
    assert "complete: 6.0 s of film" in lines[-2]
    assert lines[-1].startswith("started after")
    assert lines[-1].endswith("changed rendition 0 times")


def test_the_choice_is_told_with_its_reason(site: str) -> None:
    assert "360p  the only rendition there is to choose" in typed(f"{site}/clock").stdout


def test_json_is_one_document_and_nothing_else(site: str) -> None:
    result = typed(f"{site}/clock", "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["complete"] is True
    assert {each["cache_status"] for each in document["fetched"]} == {"hit"}


def test_the_film_is_saved_and_its_sound_beside_it(site: str, tmp_path: Path) -> None:
    result = typed(f"{site}/clock", "--save", str(tmp_path / "film.mp4"))
    assert result.exit_code == 0
    assert result.stdout.endswith(f"saved as {tmp_path}/film.mp4, {tmp_path}/film.audio.mp4\n")
    assert (tmp_path / "film.mp4").read_bytes() == INIT + PIECE * 3
    assert (tmp_path / "film.audio.mp4").read_bytes() == INIT + SOUND * 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.audio.mp4", "film.mp4"]


def test_a_progressive_film_is_saved_as_it_is(site: str, tmp_path: Path) -> None:
    result = typed(f"{site}/clock/progressive/360p.mp4", "--save", str(tmp_path / "film.mp4"))
    assert result.exit_code == 0
    assert (tmp_path / "film.mp4").read_bytes() == PIECE * 20


def test_a_film_that_broke_off_does_not_get_its_name(site: str, tmp_path: Path) -> None:
    result = typed(f"{site}/nothing.mp4", "--save", str(tmp_path / "film.mp4"))
    assert result.exit_code == 1
    assert not (tmp_path / "film.mp4").exists()


def test_a_place_that_cannot_be_written_is_told(site: str, tmp_path: Path) -> None:
    result = typed(f"{site}/clock", "--save", str(tmp_path / "no" / "film.mp4"))
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


@pytest.mark.parametrize("path", ["/nothing", "/broken", "/clock/none.mp4"])
def test_what_cannot_be_watched_ends_with_1(site: str, path: str) -> None:
    result = typed(f"{site}{path}")
    assert result.exit_code == 1
    assert result.stderr.startswith("nearcast: ")
    assert "→" in result.stderr


def test_who_cannot_be_reached_ends_with_3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RetryPolicy.__init__, "__defaults__", (1, 0.0, 0.0, 0.0))  # one round, no pause
    result = typed("http://127.0.0.1:1/clock", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["reached"] is False


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["clock"], "cannot be watched"),
        (["http://127.0.0.1:1/"], "names no title"),
        (["http://127.0.0.1:1/a", "--bandwidth", "fast"], "neither a bandwidth nor a file"),
        (["http://127.0.0.1:1/a", "--resolver", "dns.test"], "is no address"),
        (["http://127.0.0.1:1/a", "--resolver", "127.0.0.1:0"], "is no address"),
        (["http://127.0.0.1:1/a", "--client", "Iowa"], "is no address"),
        (["http://127.0.0.1:1/a.mp4", "--quality", "720p"], "names one file"),
    ],
)
def test_what_users_get_wrong_ends_with_2_and_a_sentence(words: list[str], said: str) -> None:
    result = typed(*words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr + result.stdout


@pytest.mark.parametrize(
    ("text", "resolver"),
    [
        ("127.0.10.1:5300", ("127.0.10.1", 5300)),
        ("127.0.10.1", ("127.0.10.1", 53)),
        ("[::1]:5300", ("::1", 5300)),
        ("::1", ("::1", 53)),
    ],
)
def test_resolvers_as_people_write_them(text: str, resolver: tuple[str, int]) -> None:
    assert read_resolver(text) == resolver


def test_a_client_is_told_as_its_subnet() -> None:
    assert str(read_client("203.0.113.7")) == "203.0.113.0/24"
    with pytest.raises(OperatorFault):
        read_client("203.0.113.777")


def test_every_stretch_of_a_film_gets_a_name_of_its_own(tmp_path: Path) -> None:
    with Saved(tmp_path / "film.mp4") as saved:
        for kind in ("video", "audio", "video", "video"):
            assert saved.keep_for(kind)
    names = ["film.mp4", "film.audio.mp4", "film.2.mp4", "film.3.mp4"]
    assert saved.names == ", ".join(str(tmp_path / name) for name in names)


def test_without_a_lab_the_system_resolves() -> None:
    assert default_resolver() is None


@pytest.mark.parametrize(("octets", "spoken"), [(812, "812 B"), (4200, "4.2 kB"), (1_048_576, "1.05 MB")])
def test_sizes_are_spoken(octets: int, spoken: str) -> None:
    assert speak_bytes(octets) == spoken
