"""TOML in, a checked `Config` out, or every mistake at once.

A file may describe the lab around the CDN as well (`[lab]`): that table is not ours, and left alone.
`text_in`, `parse_document` and `validated` are for whoever reads other files, or that other part.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from nearcast.model.checks import cross_check
from nearcast.model.config import Config
from nearcast.model.faults import Mistake, OperatorFault

LAB = "lab"
"""The table of a file that is the lab's affair."""

M = TypeVar("M", bound=BaseModel)


def read_config(path: Path) -> Config:
    """The configuration in the file at `path`; OperatorFault names every mistake in it."""
    return parse_config(
        text_in(path, f"there is no configuration file {path}; name one with --config"), str(path)
    )


def parse_config(text: str, source: str = "configuration") -> Config:
    """The configuration in `text`; `source` is how messages call it."""
    config, mistakes = checked_config(parse_document(text, source))
    if mistakes or config is None:
        raise OperatorFault(f"{source} has {counted(mistakes)}; nothing was changed", mistakes)
    return config


def checked_config(document: Mapping[str, Any]) -> tuple[Config | None, list[Mistake]]:
    """The configuration of the CDN in `document`, None when it cannot be read, and all mistakes in it."""
    config, mistakes = validated(Config, {key: part for key, part in document.items() if key != LAB})
    if config is not None:
        mistakes += cross_check(config)
    return config, mistakes


def validated(kind: type[M], document: object) -> tuple[M | None, list[Mistake]]:
    """`document` as a `kind`, or None and what is wrong with it."""
    try:
        return kind.model_validate(document), []
    except ValidationError as fault:
        return None, mistakes_in(fault)


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
