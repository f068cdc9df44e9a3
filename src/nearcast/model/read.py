"""TOML in, a checked `Config` out, or every mistake at once.

`text_in`, `parse_document` and `mistakes_in` are for whoever reads other files of the same kind.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nearcast.model.checks import cross_check
from nearcast.model.config import Config
from nearcast.model.faults import Mistake, OperatorFault


def read_config(path: Path) -> Config:
    """The configuration in the file at `path`; OperatorFault names every mistake in it."""
    return parse_config(
        text_in(path, f"there is no configuration file {path}; name one with --config"), str(path)
    )


def parse_config(text: str, source: str = "configuration") -> Config:
    """The configuration in `text`; `source` is how messages call it."""
    document = parse_document(text, source)
    mistakes: list[Mistake] = []
    config: Config | None = None
    try:
        config = Config.model_validate(document)
    except ValidationError as fault:
        mistakes += mistakes_in(fault)
    if config is not None:
        mistakes += cross_check(config)
    if mistakes or config is None:
        raise OperatorFault(f"{source} has {counted(mistakes)}; nothing was changed", mistakes)
    return config


def text_in(path: Path, missing: str) -> str:
    """The text of the file at `path`. OperatorFault, which says `missing` when there is no such file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise OperatorFault(missing) from None
    except (OSError, UnicodeDecodeError) as fault:
        raise OperatorFault(f"{path} cannot be read as UTF-8 text: {fault}") from None


def parse_document(text: str, source: str) -> dict[str, Any]:
    """The TOML document in `text`; OperatorFault when it is none."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise OperatorFault(f"{source} is not TOML: {fault}") from None


def counted(mistakes: Sequence[Mistake]) -> str:
    """`a mistake`, `3 mistakes`."""
    return "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"


def mistakes_in(fault: ValidationError) -> list[Mistake]:
    """What pydantic found, each with its path and a remedy."""
    return [_mistake(error) for error in fault.errors()]


def _mistake(error: Any) -> Mistake:
    path = ".".join(str(part) for part in error["loc"]) or "file"
    match error["type"]:
        case "missing":
            return Mistake(path, None, "missing; it is required")
        case "extra_forbidden":
            return Mistake(path, error["input"], "unknown option; correct its spelling or remove it")
        case "value_error":
            return Mistake(path, error["input"], str(error["ctx"]["error"]))
    return Mistake(path, error["input"], error["msg"])
