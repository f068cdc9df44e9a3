"""The status page and the API documentation in Chromium, over a CDN of stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nearcast.control.program import start_control

pytestmark = [pytest.mark.browser, pytest.mark.peer("chromedriver")]


class Control:
    """A control program and its CDN of stand-ins."""

    def __init__(self, fake_cdn: Any, beside: Any) -> None:
        self._fake_cdn, self._beside = fake_cdn, beside
        self.cdn = beside(self._make())
        self.program = beside(
            start_control(
                self.cdn.snapshot,
                self.cdn.catalogue,
                clock=lambda: fake_cdn.NOW,
                viewers=self.cdn.viewers,
            )
        )

    async def _make(self) -> Any:
        cdn = self._fake_cdn.FakeCdn()
        await cdn.start()
        return cdn

    def url(self, path: str) -> str:
        address, port = self.cdn.control
        return f"http://{address}:{port}{path}"

    def stop_programs(self, *names: str) -> None:
        async def stop() -> None:
            self.cdn.stop(*names)

        self._beside(stop())

    def stop(self) -> None:
        self._beside(self.program.drain(1))


@pytest.fixture
def control(fake_cdn: Any, beside: Any) -> Iterator[Control]:
    control = Control(fake_cdn, beside)
    yield control
    control.stop()
    control.stop_programs()


def test_the_status_page_is_live(browser: Any, control: Control) -> None:
    browser.open(control.url("/"))
    browser.until("return document.querySelector('#fresh').textContent === 'live'")
    assert browser.text("#hit-ratio") == "75 %"
    assert browser.text("#healthy") == "6 of 6"
    assert len(browser.script("return [...document.querySelectorAll('.name')].map(e => e.textContent)")) == 6
    assert browser.script("return document.querySelectorAll('#map .route').length") == 2
    browser.script("document.querySelector('#decisions details').open = true")
    control.cdn.statistics["ia2"]["hits"] = 0
    control.cdn.decisions.append(control.cdn.decision(1_700_000_000.0, "192.0.2.0/24", "ord"))
    browser.until("return document.querySelector('#hit-ratio').textContent === '70 %'")
    browser.until("return document.querySelectorAll('#decisions details').length === 3")
    assert browser.script("return document.querySelectorAll('#decisions details[open]').length") == 1
    browser.screenshot("status", height=1150)
    browser.screenshot("status-dark", height=1150, dark=True)
    browser.screenshot("status-phone", 390, 2600)
    assert browser.script("return document.documentElement.scrollWidth") <= 390
    assert browser.complaints() == []


def test_what_is_away_is_shown_as_away(browser: Any, control: Control) -> None:
    control.stop_programs("router", "fra2")
    browser.open(control.url("/status"))
    browser.until("return !document.querySelector('#router-trouble').hidden")
    assert "cannot be asked: no connection" in browser.text("#router-trouble")
    assert "no statistics" in browser.text("#pops")
    browser.screenshot("status-router-away", height=1150)
    assert browser.complaints() == []


def test_the_page_says_when_it_is_not_live(browser: Any, control: Control) -> None:
    browser.open(control.url("/status"))
    browser.until("return document.querySelector('#fresh').textContent === 'live'")
    control.stop()
    browser.until("return document.querySelector('#fresh').textContent === 'not live'")
    assert "The control program does not answer. What you see is of" in browser.text("#trouble")


def test_orders_and_explanations(browser: Any, control: Control) -> None:
    browser.open(control.url("/status"))
    browser.until("return document.querySelectorAll('.orders button').length === 2")
    browser.find(".orders button:last-child").click()
    browser.until("return document.querySelector('#order-report').textContent.includes('6 of 6')")
    assert {path for _, path, _ in control.cdn.orders} == {"/purge"}
    browser.find("#explain [name=client]").send_keys("203.0.113.7")
    browser.find("#explain button").click()
    browser.until("return document.querySelector('#explained table')")
    assert "← chosen" in browser.text("#explained")
    assert "www.movie.test for 203.0.113.7 → ia1, ia2" in browser.text("#explained")
    assert browser.script("return document.querySelectorAll('#explained tbody tr').length") == 3
    browser.screenshot("status-explained", height=1150)
    assert browser.complaints() == []


def test_the_api_documentation_needs_no_other_host(browser: Any, control: Control) -> None:
    browser.open(control.url("/v1/docs"))
    browser.until("return document.querySelectorAll('.opblock').length >= 6")
    hosts = browser.script(
        "return [...new Set(performance.getEntriesByType('resource').map(e => new URL(e.name).host))]"
    )
    assert hosts == [control.url("").removeprefix("http://")]
    browser.screenshot("api-docs")
    assert browser.complaints() == []
