"""TOML in, a checked `Config` out, or every mistake at once."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nearcast.model.checks import cross_check
from nearcast.model.config import Config
from nearcast.model.faults import Mistake, OperatorFault


def read_config(path: Path) -> Config:
    """The configuration in the file at `path`; OperatorFault names every mistake in it."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise OperatorFault(f"there is no configuration file {path}; name one with --config") from None
    except (OSError, UnicodeDecodeError) as fault:
        raise OperatorFault(f"{path} cannot be read as UTF-8 text: {fault}") from None
    return parse_config(text, str(path))


def parse_config(text: str, source: str = "configuration") -> Config:
    """The configuration in `text`; `source` is how messages call it."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise OperatorFault(f"{source} is not TOML: {fault}") from None
    mistakes: list[Mistake] = []
    config: Config | None = None
    try:
        config = Config.model_validate(document)
    except ValidationError as fault:
        mistakes += [_mistake(error) for error in fault.errors()]
    if config is not None:
        mistakes += cross_check(config)
    if mistakes or config is None:
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise OperatorFault(f"{source} has {count}; nothing was changed", mistakes)
    return config


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
