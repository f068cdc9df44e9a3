"""A real browser for the pages: headless Chromium with a fresh profile, that can reach this machine only.

`browser.open(url)`, `browser.until("return …")`, `browser.complaints()`, `browser.screenshot(name)`.
Programs run beside it on a loop of their own: `beside(coroutine)` runs one there to its end.
"""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from nearcast.packager.ladder import Rung
from nearcast.packager.package import package
from nearcast.packager.test_pattern import DrawnSource

ARTIFACTS = Path(__file__).parents[1] / "artifacts"
PATIENCE_SECONDS = 30

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.*",  # nothing comes from elsewhere
)


class Browser:
    """What the tests need of a browser."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get(url)

    def script(self, text: str, *arguments: Any) -> Any:
        """The value of `text`, a function body in JavaScript."""
        return self.driver.execute_script(text, *arguments)

    def until(self, text: str, *arguments: Any) -> Any:
        """Wait until `text` gives something true; that is returned."""
        try:
            return WebDriverWait(self.driver, PATIENCE_SECONDS, poll_frequency=0.1).until(
                lambda _: self.script(text, *arguments)
            )
        except TimeoutException:
            page = self.script("return document.body.innerText")
            complaints = "\n".join(self.complaints())
            pytest.fail(f"never true: {text}\n\nconsole:\n{complaints}\n\npage:\n{page[:3000]}")

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return str(self.script("return document.querySelector(arguments[0]).innerText", selector))

    def complaints(self) -> list[str]:
        """What the console said since it was asked last: errors and warnings."""
        return [
            f"{entry['level']} {entry['message']}"
            for entry in self.driver.get_log("browser")  # type: ignore[no-untyped-call]
            if entry["level"] in ("SEVERE", "WARNING")
        ]

    def screenshot(self, name: str, width: int = 1280, height: int = 900, *, dark: bool = False) -> Path:
        """The page as it is now, kept in tests/artifacts/<name>.png."""
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.script("return new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
        ARTIFACTS.mkdir(exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        assert self.driver.save_screenshot(str(path))
        return path

    def plays(self) -> None:
        """Wait until the video has moved on by a second, without an error."""
        self.until("const v = document.querySelector('video'); return v.error || v.readyState >= 2")
        begun = self.script("return document.querySelector('video').currentTime")
        self.until(
            "const v = document.querySelector('video');"
            "return v.error || v.ended || v.currentTime > arguments[0] + 1",
            begun,
        )
        assert self.script("return document.querySelector('video').error") is None


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver_path = shutil.which("chromedriver")
    if not chromium or not driver_path:
        pytest.fail("chromium or chromedriver is missing")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1280,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(executable_path=driver_path))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


Beside = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def beside() -> Iterator[Beside]:
    """Runs coroutines on a loop in another thread, so that programs serve while the test drives."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="programs", daemon=True)
    thread.start()

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(timeout=PATIENCE_SECONDS)

    try:
        yield run
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)
        loop.close()


@pytest.fixture(scope="session")
def titles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small title, `clock`: 30 s in three renditions."""
    folder = tmp_path_factory.mktemp("titles")
    clip = DrawnSource(seconds=30, width=640, height=360, frame_rate=Fraction(12))
    ladder = (Rung(256, 144, 120_000), Rung(426, 240, 250_000), Rung(640, 360, 500_000))
    package(clip, folder / "clock", name="Moving clock", ladder=ladder, segment_seconds=2)
    return folder


@pytest.fixture(scope="session")
def fake_cdn() -> Any:
    """The stand-ins of the control program's own tests."""
    path = Path(__file__).parents[1] / "unit" / "control" / "fake_cdn.py"
    spec = importlib.util.spec_from_file_location("fake_cdn", path)
    assert spec and spec.loader
    module = sys.modules.setdefault("fake_cdn", importlib.util.module_from_spec(spec))
    if not hasattr(module, "FakeCdn"):
        spec.loader.exec_module(module)
    return module
