"""What the fields of a request ask for, whatever object is meant: worked out once per block of fields.

Players repeat their fields with every segment, and `serve` hands the same mapping over each time. So what
depends on the fields and the Snapshot alone is looked up by the mapping's identity. This is a lane: it dies
with its Snapshot, is emptied when it is full, and forgets nothing but work.
Paid for by bench/http_hit.py.
"""

from __future__ import annotations

from collections.abc import Callable

from nearcast.cache.key import cache_key
from nearcast.edge.access_log import described
from nearcast.model.snapshot import Site
from nearcast.wire.http.cache_control import parse_cache_control
from nearcast.wire.http.message import Fields, RequestHead

ASKINGS_MAX = 1024
FIELDS_CHARACTERS_MAX = 4096  # longer blocks are rare, and are not remembered

# Fields that may make the answer another one than the whole object (RFC 9110 13 and 14).
_CONDITIONAL = ("range", "if-none-match", "if-modified-since", "if-match", "if-unmodified-since")


class Asking:
    """What a block of fields says to this server."""

    __slots__ = (
        *("conditional", "fields", "host", "log_part", "looped", "only_if_cached", "plain", "private"),
        *("site", "site_name", "stem"),
    )

    def __init__(self, fields: Fields, site: Site | None, host: str, *, looped: bool) -> None:
        self.fields = fields
        self.host = host  # without its port, lower-case
        self.site = site  # whose content it is about
        self.looped = looped  # it has come through us before
        self.private = "authorization" in fields
        self.conditional = any(name in fields for name in _CONDITIONAL)
        control = fields.get("cache-control")
        self.only_if_cached = control is not None and parse_cache_control(control).only_if_cached
        self.log_part = described(fields)
        self.plain = site is not None and not (looped or self.private or self.conditional)
        self.site_name = None if site is None else site.name
        self.stem = "" if site is None else cache_key(site.name, "")


class Askings:
    """Remembers what blocks of fields say. `site_of` and `looped` are the Snapshot's word on them."""

    def __init__(self, site_of: Callable[[str], Site | None], looped: Callable[[Fields], bool]) -> None:
        self._site_of = site_of
        self._looped = looped
        self.known: dict[int, Asking] = {}  # by identity of the mapping, which the value keeps alive

    def of(self, request: RequestHead) -> Asking:
        fields = request.fields
        known = self.known.get(id(fields))
        if known is not None:
            return known
        host = request.host
        asking = Asking(fields, self._site_of(host), host, looped=self._looped(fields))
        if sum(map(len, fields.values())) <= FIELDS_CHARACTERS_MAX:
            if len(self.known) >= ASKINGS_MAX:
                self.known.clear()
            self.known[id(fields)] = asking
        return asking
