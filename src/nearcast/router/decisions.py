"""A decision as JSON: what the status page shows and `explain` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from nearcast.router.selected import Decided
from nearcast.selection.conditions import Conditions
from nearcast.selection.decision import Decision
from nearcast.wire.dns.message import ClientSubnet
from nearcast.wire.dns.names import name_text


def decided_json(decided: Decided) -> dict[str, Any]:
    """One entry of the ring."""
    question, client = decided.question, decided.client
    return {
        "at": decided.at,
        "question": name_text(question) if isinstance(question, bytes) else question,
        "client": str(client.network) if isinstance(client, ClientSubnet) else client,
        **decision_json(decided.decision),
    }


def decision_json(decision: Decision) -> dict[str, Any]:
    """Who answers, and what every candidate had for and against it."""
    return {
        "site": decision.site,
        "shard": decision.shard,
        "zone": decision.zone,
        "zone_reason": decision.zone_reason,
        "servers": [
            {"name": each.name, "host": each.host, "address": each.address, "pop": each.pop}
            for each in decision.servers
        ],
        "candidates": [asdict(each) for each in decision.candidates],
        "ttl_seconds": decision.ttl_seconds,
        "snapshot": decision.snapshot,
        "conditions": decision.conditions,
    }


def conditions_json(conditions: Conditions) -> dict[str, Any]:
    return {
        "number": conditions.number,
        "servers": {name: asdict(condition) for name, condition in conditions.servers.items()},
    }
