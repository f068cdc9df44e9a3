"""The player page in Chromium: every way and every quality plays, and says who answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nearcast.model.pages import pages_directory
from nearcast.origin.program import Origin, start_origin
from nearcast.serve.http_server import Exchange, listen_http

pytestmark = [pytest.mark.browser, pytest.mark.peer("chromedriver")]

MOVING = "return document.querySelector('video').currentTime > 0.2"


class Labelled:
    """An exchange that says it is a content server's: a miss the first time, then hits."""

    def __init__(self, exchange: Exchange, seen: set[str]) -> None:
        self._exchange = exchange
        outcome = "hit; ttl=9" if exchange.request.path in seen else "fwd=uri-miss; stored"
        seen.add(exchange.request.path)
        self._fields = {"cache-status": f"ia2.cdn.test; {outcome}", "via": "1.1 ia2.cdn.test"}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exchange, name)

    def respond(self, status: int, fields: Any, body: Any = b"") -> None:
        self._exchange.respond(status, {**fields, **self._fields}, body)

    def begin(self, status: int, fields: Any, length: int | None) -> None:
        self._exchange.begin(status, {**fields, **self._fields}, length)


class Site:
    """The origin, dressed up as a content server: `url(path)`, `asked` (paths), `stop()`."""

    def __init__(self, titles: Path, beside: Any) -> None:
        self._beside = beside
        self._seen: set[str] = set()
        self.asked: list[str] = []
        self.broken: tuple[str, ...] = ()  # the connection breaks when such a path is asked for
        beside(self._start(titles))

    async def _start(self, titles: Path) -> None:
        self._origin: Origin = await start_origin(
            titles, "127.0.51.2", 0, clock=lambda: 1.7e9, pages=pages_directory() / "player"
        )

        def answer(exchange: Exchange) -> Any:
            self.asked.append(exchange.request.path)
            if exchange.request.path.endswith(self.broken):
                exchange.break_off()
                return None
            return self._origin(Labelled(exchange, self._seen))  # type: ignore[arg-type]

        self._room = await listen_http(answer, "127.0.51.2", 0, clock=lambda: 1.7e9)

    def url(self, path: str) -> str:
        return f"http://127.0.51.2:{self._room.port}{path}"

    def stop(self) -> None:
        async def abort() -> None:
            self._room.abort()
            self._origin.abort()

        self._beside(abort())


@pytest.fixture
def site(titles: Path, beside: Any) -> Iterator[Site]:
    site = Site(titles, beside)
    yield site
    site.stop()


@pytest.mark.parametrize("mode", ["dash", "hls"])
def test_adaptive_ways_play_and_say_who_answered(browser: Any, site: Site, mode: str) -> None:
    browser.open(site.url(f"/watch/clock?mode={mode}"))
    browser.plays()
    browser.until("return document.querySelectorAll('#requests tr').length >= 8")
    assert browser.text("#server") == "ia2.cdn.test"
    requests = browser.text("#requests")
    assert "manifest" in requests
    assert "sound 1" in requests
    assert "miss" in requests
    assert browser.text("#showing") in ("144p", "240p", "360p")
    assert browser.text("#hits").startswith("0 of")
    browser.until("return parseFloat(document.querySelector('#buffer').textContent) > 1")
    assert browser.script("return document.querySelectorAll('#rates-chart circle').length") > 2
    browser.screenshot(f"player-{mode}", height=1000)
    browser.open(site.url(f"/watch/clock?mode={mode}&again"))
    browser.until("return /^[1-9]/.test(document.querySelector('#hits').textContent)")
    assert browser.complaints() == []


@pytest.mark.parametrize("mode", ["dash", "hls", "progressive"])
@pytest.mark.parametrize("quality", ["144p", "360p"])
def test_the_quality_asked_for_is_the_one_that_plays(
    browser: Any, site: Site, mode: str, quality: str
) -> None:
    browser.open(site.url(f"/watch/clock?mode={mode}&quality={quality}"))
    browser.plays()
    browser.until("return document.querySelector('#showing').textContent === arguments[0]", quality)
    assert browser.script("return document.querySelector('video').videoHeight") == int(quality[:-1])
    name = f"/clock/progressive/{quality}.mp4" if mode == "progressive" else f"/clock/v{quality[:-1]}/2.m4s"
    assert name in site.asked
    others = {"144": "v360", "360": "v144"}[quality[:-1]]
    assert not any(others in path and path.endswith(".m4s") for path in site.asked)
    assert browser.text("#server") == "ia2.cdn.test"
    assert browser.complaints() == []


def test_the_reader_changes_way_and_quality(browser: Any, site: Site) -> None:
    browser.open(site.url("/watch/clock?mode=dash&quality=144p"))
    browser.plays()
    choose = "document.querySelector(`input[value='${arguments[0]}']`).click()"
    browser.script(choose, "360p")
    browser.until("return document.querySelector('#showing').textContent === '360p'")
    assert "you chose it" in browser.text("#switches")
    browser.script(choose, "progressive")
    browser.until("return document.querySelector('video').src.endsWith('/clock/progressive/360p.mp4')")
    browser.plays()
    browser.script(choose, "240p")
    browser.until("return document.querySelector('video').videoHeight === 240")
    browser.plays()
    browser.script(choose, "hls")
    browser.plays()
    assert browser.script("return location.search") == "?mode=hls&quality=240p"
    browser.until("return document.querySelector('video').videoHeight === 240")
    assert browser.complaints() == []


def test_progressive_without_a_quality_takes_the_middle_one(browser: Any, site: Site) -> None:
    browser.open(site.url("/watch/clock?mode=progressive"))
    browser.plays()
    assert browser.script("return document.body.dataset.quality") == "240p"
    browser.until("return document.querySelector('#server').textContent === 'ia2.cdn.test'")
    browser.screenshot("player-progressive-phone", 390, 1500, dark=True)
    assert browser.complaints() == []


def test_nonsense_in_the_address_falls_back_to_adaptive_dash(browser: Any, site: Site) -> None:
    browser.open(site.url("/watch/clock?mode=telepathy&quality=<b>"))
    browser.plays()
    assert browser.script("return [document.body.dataset.mode, document.body.dataset.quality]") == [
        "dash",
        "auto",
    ]
    assert browser.complaints() == []


def test_a_title_that_is_not_there_is_said_in_words(browser: Any, site: Site) -> None:
    browser.open(site.url("/watch/bunny"))
    browser.until("return !document.querySelector('#trouble').hidden")
    assert "There is no title “bunny” here." in browser.text("#trouble")
    browser.screenshot("player-no-title")


@pytest.mark.parametrize("mode", ["dash", "hls"])
def test_a_server_that_dies_is_said_in_words(browser: Any, site: Site, mode: str) -> None:
    site.broken = ("/4.m4s", "/5.m4s", "/6.m4s")
    browser.open(site.url(f"/watch/clock?mode={mode}&quality=144p"))
    browser.until("return !document.querySelector('#trouble').hidden")
    assert "stopped answering" in browser.text("#trouble")
    assert "Reload this page" in browser.text("#trouble")
    assert browser.script("return document.querySelector('video').currentTime") > 0
