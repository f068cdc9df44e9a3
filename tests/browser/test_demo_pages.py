"""The pages of a running demo, as the URLs it prints lead to them: everything on them is real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from tests.commands import RunningDemo, nearcast

from nearcast.packager.ladder import Rung
from nearcast.packager.package import package
from nearcast.packager.test_pattern import DrawnSource

pytestmark = [pytest.mark.browser, pytest.mark.peer("chromedriver")]

IOWA = "203.0.113.7"
QUALITIES = ("144p", "240p", "360p")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """A demo of its own with a film of sixteen seconds."""
    folder = tmp_path_factory.mktemp("film")
    clip = DrawnSource(seconds=16, width=640, height=360, frame_rate=Fraction(12))
    package(clip, folder / "clip", name="clip", ladder=(Rung(640, 360, 500_000),))
    film = (folder / "clip" / "progressive" / "360p.mp4").rename(folder / "moving-clock.mp4")
    with RunningDemo("--video", str(film), temporary=tmp_path_factory.mktemp("demo")) as demo:
        yield demo.stays()
        assert demo.interrupt() == 0


def watch(demo: RunningDemo, **parameters: str) -> str:
    """The printed URL of the player page, with parameters."""
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return f"{demo.url('Watch it')}?{query}" if query else demo.url("Watch it")


def test_the_printed_url_leads_to_a_content_server_and_plays(browser: Any, demo: RunningDemo) -> None:
    browser.open(demo.url("Watch it"))
    browser.plays()
    assert browser.script("return location.host") != demo.url("Watch it").split("/")[2], "redirected"
    assert browser.script("return location.hostname").startswith("127.0.5")
    browser.until(
        "return /^(ia|ord|fra)[12]\\.cdn\\.test$/.test(document.querySelector('#server').innerText)"
    )
    assert browser.complaints() == []


@pytest.mark.parametrize("mode", ["dash", "hls"])
def test_adaptive_ways_play_from_the_pop_of_the_client(browser: Any, demo: RunningDemo, mode: str) -> None:
    browser.open(watch(demo, mode=mode, client=IOWA))
    browser.plays()
    browser.until("return document.querySelectorAll('#requests tr').length >= 8")
    assert browser.text("#server") in ("ia1.cdn.test", "ia2.cdn.test")
    browser.until("return parseFloat(document.querySelector('#buffer').textContent) > 1")
    assert browser.text("#showing") in QUALITIES
    browser.screenshot(f"demo-player-{mode}", height=1050)
    browser.open(watch(demo, mode=mode, client=IOWA))
    browser.until("return /^[1-9]/.test(document.querySelector('#hits').textContent)")
    assert browser.complaints() == []


def test_each_progressive_quality_plays(browser: Any, demo: RunningDemo) -> None:
    for quality in QUALITIES:
        browser.open(watch(demo, mode="progressive", quality=quality, client=IOWA))
        browser.plays()
        assert browser.script("return document.querySelector('video').videoHeight") == int(quality[:-1])
        browser.until("return document.querySelector('#server').innerText.startsWith('ia')")
    browser.screenshot("demo-player-progressive", height=1050)
    browser.screenshot("demo-player-phone", 390, 1700, dark=True)
    assert browser.complaints() == []


def test_the_status_page_shows_what_happened(browser: Any, demo: RunningDemo) -> None:
    browser.open(demo.url("See it"))
    browser.until("return document.querySelector('#fresh').textContent === 'live'")
    browser.until("return document.querySelector('#healthy').textContent === '6 of 6'")
    assert browser.script("return document.querySelectorAll('#map .route').length") == 2
    assert int(browser.text("#requests").replace(",", "")) > 20
    browser.until("return document.querySelectorAll('#decisions details').length >= 2")
    browser.find("#explain [name=client]").send_keys(IOWA)
    browser.find("#explain button").click()
    browser.until("return document.querySelector('#explained table')")
    assert "← chosen" in browser.text("#explained")
    browser.screenshot("demo-status", height=1250)
    browser.screenshot("demo-status-dark", height=1250, dark=True)
    browser.screenshot("demo-status-phone", 390, 2800)
    assert browser.script("return document.documentElement.scrollWidth") <= 390
    wider = "const it = document.querySelector('#explained .reasons'); return it.scrollWidth > it.clientWidth"
    assert not browser.script(wider), "the table of reasons fits a phone"
    assert browser.complaints() == []


def test_orders_of_the_status_page_reach_every_content_server(browser: Any, demo: RunningDemo) -> None:
    browser.open(demo.url("See it"))
    report = "return document.querySelector('#order-report').textContent"
    for button in browser.until("return document.querySelectorAll('.orders button')"):
        name = button.text
        button.click()
        said = browser.until(f"{report}.includes('of 6') && {report.removeprefix('return ')}")
        assert "6 of 6" in said, (name, said)
        browser.script("document.querySelector('#order-report').textContent = ''")
    assert browser.complaints() == []


def test_a_killed_server_is_shown_as_down_and_its_return_too(browser: Any, demo: RunningDemo) -> None:
    browser.open(demo.url("See it"))
    healthy = "return document.querySelector('#healthy').textContent === arguments[0]"
    browser.until(healthy, "6 of 6")
    try:
        assert nearcast("lab", "kill", "ord1", temporary=demo.temporary).returncode == 0
        browser.until(healthy, "5 of 6")
        browser.screenshot("demo-status-killed", height=1250)
    finally:
        assert nearcast("lab", "start", "ord1", temporary=demo.temporary).returncode == 0
    browser.until(healthy, "6 of 6")
    assert browser.complaints() == []


def test_the_api_documentation_loads_and_its_api_answers(browser: Any, demo: RunningDemo) -> None:
    browser.open(demo.url("Script it"))
    browser.until("return document.querySelectorAll('.opblock').length >= 6")
    browser.screenshot("demo-api-docs")
    assert browser.complaints() == []
    browser.open(demo.url("Script it").replace("/docs", "/status"))
    status = json.loads(browser.script("return document.body.innerText"))
    assert {server["name"] for pop in status["pops"] for server in pop["servers"]} >= {"ia1", "fra2"}
