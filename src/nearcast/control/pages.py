"""The pages of the control program, read into memory once: nothing on the disk is touched while serving."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response

# What status.html and docs.html load; the player's own files come from the origin, through the CDN.
FOLDERS = ("status", "player")


@dataclass(frozen=True, slots=True)
class _Page:
    body: bytes
    content_type: str
    etag: str


def _read(path: Path) -> _Page:
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    charset = "; charset=utf-8" if kind.startswith("text/") or kind.endswith("javascript") else ""
    return _Page(body, kind + charset, f'"{hashlib.sha256(body).hexdigest()[:20]}"')


def pages_routes(folder: Path) -> APIRouter:
    """`/status`, `/v1/docs` and the files they load, from the built pages in `folder`."""
    router = APIRouter(include_in_schema=False)
    _serve(router, "/status", _read(folder / "status" / "status.html"))
    _serve(router, "/v1/docs", _read(folder / "status" / "docs.html"))
    for path in _files(folder):
        _serve(router, f"/{path.relative_to(folder).as_posix()}", _read(path))
    return router


def _files(folder: Path) -> Iterable[Path]:
    return (path for name in FOLDERS for path in sorted((folder / name).rglob("*")) if path.is_file())


_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"


def _serve(router: APIRouter, url: str, page: _Page) -> None:
    fields = {
        "etag": page.etag,
        "cache-control": "no-cache",
        "content-security-policy": _POLICY,
        "x-content-type-options": "nosniff",
    }

    async def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == page.etag:
            return Response(status_code=304, headers=fields)
        return Response(page.body, media_type=page.content_type, headers=fields)

    router.add_api_route(url, answer, methods=["GET", "HEAD"])
