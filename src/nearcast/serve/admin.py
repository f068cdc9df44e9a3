"""The administration of a program: a few read-only pages by path, as JSON or as plain text.

It listens on a port of its own, so that what is for operators can be kept from viewers by a firewall.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from nearcast.serve.http_server import Application, Exchange
from nearcast.serve.metrics import CONTENT_TYPE
from nearcast.wire.http.message import HttpFault

Page = Callable[[Mapping[str, str]], Any]
"""Query parameters → what the page shows: a `str` as plain text, as metrics are; all else as JSON.

May raise HttpFault."""


def administration(pages: Mapping[str, Page]) -> Application:
    """The HTTP application that shows `pages`, by path."""

    def show(exchange: Exchange) -> None:
        request = exchange.request
        try:
            if request.method not in ("GET", "HEAD"):
                raise HttpFault(405, "only GET and HEAD are understood here")
            if request.path not in pages:
                raise HttpFault(404, f"no such page; there are {', '.join(pages)}")
            shown = pages[request.path](dict(parse_qsl(request.query, keep_blank_values=True)))
            status = 200
        except HttpFault as fault:
            status, shown = fault.status, {"error": fault.sentence}
        if isinstance(shown, str):
            kind, text = CONTENT_TYPE, shown
        else:
            kind, text = "application/json", json.dumps(shown) + "\n"
        exchange.respond(status, {"content-type": kind, "cache-control": "no-store"}, text.encode())

    return show
