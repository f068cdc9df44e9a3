"""What the demo proves: the checks, and everything as one JSON document."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import nearcast
from nearcast.lab.config import Internet
from nearcast.lab.demo_run import DemoRun
from nearcast.model.title import Title
from nearcast.player.viewing import Viewing

OriginBytes = Callable[[str], bytes | None]
"""Path of an object on the origin → its bytes as they are in the origin's folder."""


def matches_origin(viewing: Viewing, origin_bytes: OriginBytes) -> bool:
    """Whether the viewing is complete and every object in it is, byte for byte, the origin's."""
    if not viewing.complete or not viewing.digests:
        return False
    for url, digest in viewing.digests.items():
        octets = origin_bytes(urlsplit(url).path)
        if octets is None or hashlib.sha256(octets).hexdigest() != digest:
            return False
    return True


def statuses(viewing: Viewing) -> dict[str, int]:
    """How many objects were a hit, a miss …"""
    counts: dict[str, int] = {}
    for each in viewing.fetched:
        counts[each.cache_status] = counts.get(each.cache_status, 0) + 1
    return counts


def checks_of(showings: Iterable[DemoRun], origin_bytes: OriginBytes, *, pushed: bool) -> dict[str, bool]:
    """Every claim of the demo, as a sentence, and whether it held."""
    checks: dict[str, bool] = {}
    showings = list(showings)
    for each in showings:
        name = each.viewer.name
        checks[f"{name}: the five steps happened"] = [step.number for step in each.steps] == [1, 2, 3, 4, 5]
        checks[f"{name}: every object equals the origin's"] = matches_origin(each.first, origin_bytes)
        checks[f"{name}: the second viewing equals the origin's too"] = matches_origin(
            each.second, origin_bytes
        )
        first = statuses(each.first)
        wanted = "hit" if pushed else "miss"
        checks[f"{name}: the first viewing was a {wanted}"] = bool(first) and set(first) == {wanted}
        seen = {(fetched.url, fetched.first_byte) for fetched in each.first.fetched}
        again = [f.cache_status for f in each.second.fetched if (f.url, f.first_byte) in seen]
        checks[f"{name}: what was seen before is a hit the second time"] = bool(again) and set(again) == {
            "hit"
        }
    pops = [each.pop for each in showings]
    if len(pops) > 1:
        checks["the viewers were served from different PoPs"] = "" not in pops and len(set(pops)) == len(pops)
    return checks


def report(
    internet: Internet,
    title: Title,
    url: str,
    showings: Iterable[DemoRun],
    origin_bytes: OriginBytes,
    *,
    pushed: Mapping[str, Any] | None,
    seconds: Mapping[str, float],
    extra_checks: Mapping[str, bool] | None = None,
) -> dict[str, Any]:
    """The demo's document. `seconds`: how long its stages took."""
    showings = list(showings)
    checks = checks_of(showings, origin_bytes, pushed=pushed is not None) | dict(extra_checks or {})
    lab = internet.lab
    return {
        "nearcast": nearcast.__version__,
        "ok": all(checks.values()),
        "checks": checks,
        "title": {
            "name": title.name,
            "seconds": title.seconds,
            "url": url,
            "renditions": [
                {"name": each.name, "width": each.width, "height": each.height, "bandwidth": each.bandwidth}
                for each in title.renditions
            ],
        },
        "mode": "pull" if pushed is None else "push",
        "pushed": None if pushed is None else dict(pushed),
        "ports": {"dns": lab.dns_port, "http": lab.http_port, "admin": lab.admin_port},
        "seconds": {stage: round(taken, 3) for stage, taken in seconds.items()},
        "viewers": [_viewer(each, origin_bytes) for each in showings],
    }


def _viewer(showing: DemoRun, origin_bytes: OriginBytes) -> dict[str, Any]:
    return {
        "viewer": showing.viewer.name,
        "place": showing.viewer.place,
        "client": str(showing.viewer.client),
        "pop": showing.pop,
        "server": next(iter(showing.first.servers), ""),
        "steps": [step.to_json() for step in showing.steps],
        "first_viewing": _viewing(showing.first, origin_bytes),
        "second_viewing": _viewing(showing.second, origin_bytes),
    }


def _viewing(viewing: Viewing, origin_bytes: OriginBytes) -> dict[str, Any]:
    return {
        "complete": viewing.complete,
        "problem": viewing.problem,
        "addresses": list(dict.fromkeys(each.server_address for each in viewing.fetched)),
        "servers": list(viewing.servers),
        "bytes": viewing.bytes,
        "bits_per_second": round(viewing.bits_per_second),
        "seconds": round(viewing.seconds, 4),
        "sha256_matches_origin": matches_origin(viewing, origin_bytes),
        "cache_status": statuses(viewing),
        "objects": [
            {
                "path": urlsplit(each.url).path,
                "kind": each.kind,
                "rendition": each.rendition,
                "number": each.number,
                "server": each.server_host or each.server_address,
                "status": each.status,
                "cache_status": each.cache_status,
                "bytes": each.bytes,
                "ms": round(each.ms, 2),
                "sha256": each.sha256,
            }
            for each in viewing.fetched
        ],
        "events": [event.sentence for event in viewing.events],
    }
