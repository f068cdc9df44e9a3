"""The access log: one JSON object a line for every request, when it has ended.

    time      when the request came, Unix seconds
    client    the viewer's address
    method    as asked
    host      the Host field as it came
    target    the path and query as they came
    site      whose content it was, null when nobody's
    status    of the answer, 0 when none was begun
    bytes     of the body that were handed to the network
    outcome   hit, miss, stale, collapsed, bypass, refused, preflight, crashed (edge/outcome.py)
    end       whole, error, broken off, left (the viewer went before the end)
    fill_ms   how long the origin took for its head, null when it was not asked
    ms        from the request to the end of the answer
    range     the Range field as it came, null when there was none
    agent     the User-Agent field as it came, null when there was none
    referer   the Referer field as it came, null when there was none

On the path of a request a line is a tuple on a list. A timer writes them out, so that whoever answers never
waits for a disk. What waits is bounded in bytes: what does not fit is counted and not written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from json.encoder import encode_basestring_ascii

from nearcast.edge.outcome import Outcome
from nearcast.wire.http.message import Fields, RequestHead

FLUSH_SECONDS = 0.1
WAITING_BYTES_MAX = 16 * 1024 * 1024
TEXT_CHARACTERS_MAX = 2048  # of each thing that a viewer says; the rest is cut off
LINE_BYTES = 512  # of memory that a line takes beside what the viewer said, at most


def described(fields: Fields) -> str:
    """The members of a line that a request's fields say, ready to be put into it."""
    return (
        f'"host":{_text(fields.get("host"))},"range":{_text(fields.get("range"))},'
        f'"agent":{_text(fields.get("user-agent"))},"referer":{_text(fields.get("referer"))}'
    )


class AccessLog:
    """Takes outcomes and has `write` append them, as lines, to wherever the log is kept."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.dropped_total = 0  # lines that did not fit, or could not be written
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._lines: list[tuple[float, float, str, str, str, str, Outcome]] = []
        self._waiting_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(
        self, came_at: float, seconds: float, client: str, request: RequestHead, part: str, outcome: Outcome
    ) -> None:
        """A request that came at `came_at` (Unix seconds) ended after `seconds`; `part`: see `described`."""
        method, target, _ = request
        size = LINE_BYTES + len(target) + len(part)
        if self._waiting_bytes + size > WAITING_BYTES_MAX:
            self.dropped_total += 1
            return
        self._waiting_bytes += size
        self._lines.append((came_at, seconds, client, method, target, part, outcome))
        if self._timer is None:
            self._timer = self._loop.call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Write out what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, []
        self._waiting_bytes = 0
        if not lines:
            return
        try:
            self._write("".join([_line(*line) for line in lines]).encode("ascii"))
        except OSError:
            self.dropped_total += len(lines)


def _line(
    came_at: float, seconds: float, client: str, method: str, target: str, part: str, outcome: Outcome
) -> str:
    site = "null" if outcome.site is None else _text(outcome.site)
    fill = "null" if outcome.fill_seconds is None else f"{outcome.fill_seconds * 1000:.1f}"
    return (
        f'{{"time":{came_at:.3f},"client":{_text(client)},"method":{_text(method)},"target":{_text(target)},'
        f'"site":{site},"status":{outcome.status},"bytes":{outcome.bytes_sent},"outcome":"{outcome.kind}",'
        f'"end":"{outcome.end}","fill_ms":{fill},"ms":{seconds * 1000:.1f},{part}}}\n'
    )


def _text(text: str | None) -> str:
    """JSON in ASCII. Names and values are latin-1; quotes, backslashes and controls are escaped."""
    return "null" if text is None else encode_basestring_ascii(text[:TEXT_CHARACTERS_MAX])
