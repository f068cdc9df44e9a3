"""The pages are found in the package, or said to be missing."""

from __future__ import annotations

from pathlib import Path

import pytest

import nearcast
from nearcast.model.faults import OperatorFault
from nearcast.model.pages import pages_directory


def test_the_pages_are_in_the_package() -> None:
    folder = pages_directory()
    assert (folder / "player" / "watch.html").is_file()
    assert (folder / "player" / "vendor" / "hls.min.js").is_file()
    assert (folder / "status" / "status.html").is_file()


def test_missing_pages_are_the_operators_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(nearcast, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(OperatorFault, match="pages are missing"):
        pages_directory()
