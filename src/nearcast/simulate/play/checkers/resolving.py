"""The viewers' resolver: what it says, held against what it was told, to whom and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from nearcast.simulate.play.checkers.checker import Checker
from nearcast.simulate.play.overheard.dns_ear import Network, Records, Told
from nearcast.simulate.play.stage import Stage

SLACK_SECONDS = 1.5  # TTLs count whole seconds
REMEMBERED_MAX = 64  # per name and type; more than any play tells within a TTL
NXDOMAIN = 3


@dataclass(slots=True)
class _Word:
    """What an authority told the resolver."""

    at: float
    until: float
    subnet: Network | None
    """For whom it holds; None: for everybody."""
    unnamed: bool
    """It was asked without a subnet."""
    texts: frozenset[str] | None
    """None: there is no such thing."""


class ToldOnly(Checker):
    """Every record that the resolver hands on must have come from an authority, for clients like this one,
    not longer ago than its TTL says, and with what is left of that TTL. Denials likewise (RFC 2308, 5)."""

    sentence = "A resolver tells what it was told: to those for whom it holds, and as long as it does."

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._words: dict[tuple[str, str], list[_Word]] = {}

    def heard(self, told: Told) -> None:
        if told.to != "resolver":
            return
        reply = told.reply
        scope = reply.scope
        subnet = reply.subnet
        holds = None
        if subnet is not None and scope:
            holds = subnet.supernet(new_prefix=min(scope, subnet.prefixlen))
        for each in reply.answer:
            self._learn(
                each.owner, each.rdtype, told.at, each.ttl, holds, subnet is None, frozenset(each.texts)
            )
        if not reply.answer and reply.denial_seconds is not None and reply.rcode in (0, NXDOMAIN):
            kind = "*" if reply.rcode == NXDOMAIN else reply.rdtype
            self._learn(reply.name, kind, told.at, reply.denial_seconds, holds, subnet is None, None)

    def _learn(
        self, name: str, kind: str, at: float, seconds: int, holds: Network | None, unnamed: bool,
        texts: frozenset[str] | None,
    ) -> None:  # fmt: skip
        words = self._words.setdefault((name, kind), [])
        words.append(_Word(at, at + seconds, holds, unnamed, texts))
        del words[:-REMEMBERED_MAX]

    def told(self, told: Told) -> None:
        if told.by != "resolver" or told.reply.rcode not in (0, NXDOMAIN):
            return
        reply = told.reply
        for each in reply.answer:
            self._judge(told, each.owner, (each.rdtype,), each)
        if not reply.answer and reply.denial_seconds is not None:
            self._judge(told, reply.name, (reply.rdtype, "*"), None)

    def _judge(self, told: Told, name: str, kinds: tuple[str, ...], records: Records | None) -> None:
        subnet, texts = told.reply.subnet, None if records is None else frozenset(records.texts)
        words = [word for kind in kinds for word in self._words.get((name, kind), ())]
        alike = [word for word in words if word.texts == texts]
        ours = [word for word in alike if _holds_for(word, subnet)]
        told_seconds = records.ttl if records is not None else told.reply.denial_seconds or 0
        what = f"{name} {kinds[0]} to {subnet or told.to}"
        if not ours:
            why = "which holds for others" if alike else "which nobody has told it"
            self.broke(f"It told {what}: {sorted(texts or ())}, {why}.")
        elif all(word.until < told.at - SLACK_SECONDS for word in ours):
            over = told.at - max(word.until for word in ours)
            self.broke(f"It told {what} {over:.1f} s after its time was over.")
        elif all(told.at + told_seconds > word.until + SLACK_SECONDS for word in ours):
            self.broke(f"It told {what} for {told_seconds} s, longer than it was told itself.")
        elif records is not None and all(
            told.at + told_seconds < min(word.until, word.at + 86_400) - SLACK_SECONDS for word in ours
        ):
            self.broke(f"It told {what} for {told_seconds} s, although more was left.")


def _holds_for(word: _Word, subnet: Network | None) -> bool:
    if word.subnet is None:
        return True
    if subnet is None or subnet.version != word.subnet.version:
        return False
    return subnet.overlaps(word.subnet)
