"""What viewers got, held against what the origin had and when."""

from __future__ import annotations

from urllib.parse import urlsplit

from nearcast.simulate.play.checkers.checker import Checker
from nearcast.simulate.play.observations import Watched
from nearcast.simulate.play.overheard.transfer import Transfer
from nearcast.simulate.play.stage import Stage

TELLING_BYTES = 16


class ByteExact(Checker):
    """Looks at the digests of every finished viewing."""

    besieged = True
    sentence = "Every finished viewing is byte-exact."

    def watched(self, watched: Watched) -> None:
        viewing, oracle = watched.viewing, self.stage.oracle
        if viewing is None or not viewing.complete:
            return
        name, films = watched.viewer.name, self.stage.scenario.script.films
        for url, sha256 in viewing.digests.items():
            editions = oracle.editions(urlsplit(url).path)
            if not any(each.has(sha256, 0, len(each.octets)) for each in editions):
                self.broke(f"{name} finished with bytes of {url} that the origin never had.")
        if viewing.mode != "progressive" and viewing.film_seconds != films.seconds:
            self.broke(f"{name} finished after {viewing.film_seconds} of {films.seconds} s of the film.")


class NotTorn(Checker):
    """Compares every body on its way to a viewer, byte by byte, also of answers that break off."""

    besieged = True
    sentence = "No object is served torn, or mixed from two versions."

    def transferred(self, transfer: Transfer) -> None:
        if not transfer.gives or self.stage.kind(transfer.server) != "edge" or transfer.editions is None:
            return
        if not transfer.editions:
            self.broke(
                f"{transfer.server} gave {transfer.client} {transfer.size} bytes of {transfer.target} from "
                f"byte {transfer.first} that are in no version of it."
            )


class NotPurged(Checker):
    """Holds every answer against the purges that its server had acknowledged before it was asked."""

    sentence = "Nothing is served after its purge was acknowledged."

    def transferred(self, transfer: Transfer) -> None:
        if not self.stage.purges or not transfer.editions or not transfer.size:
            return
        edition = transfer.editions[-1]
        for purge in self.stage.purges:
            if (
                purge.server == transfer.server
                and purge.acknowledged < transfer.asked
                and edition.until < purge.sent
                and purge.covers(transfer.path)
            ):
                self.broke(
                    f"{transfer.server} acknowledged at {purge.acknowledged:.3f} s, yet gave "
                    f"{transfer.client} at {transfer.asked:.3f} s the {transfer.path} that the origin "
                    f"replaced at {edition.until:.3f} s."
                )
                return


class OwnName(Checker):
    """What a server gives under a name (path and query) it must have asked the origin for by that name."""

    sentence = "What is served was fetched under its own name."

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._fetched: set[tuple[str, str]] = set()

    def asked(self, transfer: Transfer) -> None:
        if self.stage.kind(transfer.server) == "origin":
            self._fetched.add((transfer.client, transfer.target))

    def answered(self, transfer: Transfer) -> None:
        if not transfer.gives or self.stage.kind(transfer.server) != "edge":
            return
        if (transfer.server, transfer.target) not in self._fetched:
            self.broke(f"{transfer.server} gave {transfer.client} {transfer.target}, and never asked for it.")


class ConditionHeeded(Checker):
    """A range that is asked for on condition (If-Range) must be of the version that the condition names."""

    sentence = "A range that is wanted of one version is of that version."

    def transferred(self, transfer: Transfer) -> None:
        condition = transfer.wanted.get("if-range", "")
        if transfer.status != 206 or not condition.startswith('"') or not transfer.editions:
            return
        telling = transfer.size >= TELLING_BYTES  # by fewer bytes versions cannot be told apart
        if telling and all(each.etag != condition for each in transfer.editions):
            self.broke(
                f"{transfer.server} gave {transfer.client} bytes from {transfer.first} of {transfer.path}, "
                f"wanted of {condition}, of another version."
            )
