"""What viewers got, held against what the origin had and when."""

from __future__ import annotations

from urllib.parse import urlsplit

from nearcast.cache.freshness import directives
from nearcast.origin.media import kind_of
from nearcast.simulate.play.checkers.checker import Checker
from nearcast.simulate.play.faults import ClockSkew
from nearcast.simulate.play.observations import Got, Watched

FRESH_SLACK_SECONDS = 2.0  # Date and Age count whole seconds


class ByteExact(Checker):
    """Looks at the digests of every finished viewing."""

    sentence = "Every finished viewing is byte-exact."

    def watched(self, watched: Watched) -> None:
        viewing, oracle = watched.viewing, self.play.oracle_of(watched.viewer)
        if viewing is None or not viewing.complete:
            return
        name, films = watched.viewer.name, self.play.scenario.script.films
        for url, sha256 in viewing.digests.items():
            editions = oracle.editions(urlsplit(url).path)
            if not any(each.has(sha256, 0, len(each.octets)) for each in editions):
                self.broke(f"{name} finished with bytes of {url} that the origin never had.")
        if viewing.mode != "progressive" and viewing.film_seconds != films.seconds:
            self.broke(f"{name} finished after {viewing.film_seconds} of {films.seconds} s of the film.")


class NotTorn(Checker):
    """Looks at every response: a whole object, or a range of one, of one version."""

    sentence = "No object is served torn, or mixed from two versions."

    def got(self, got: Got) -> None:
        fetched = got.fetched
        if self.play.oracle_of(got.viewer).which(got.path, fetched) is None:
            server = self.play.at(fetched.server_address)
            self.broke(
                f"{server.name if server else fetched.server_address} gave {got.viewer.name} "
                f"{fetched.bytes} bytes of {got.path} from byte {fetched.first_byte} that are in no version "
                f"of it ({fetched.cache_status or 'no cache status'})."
            )


class NotPurged(Checker):
    """Holds every response against the purges that its server had acknowledged before."""

    sentence = "Nothing is served after its purge was acknowledged."

    def got(self, got: Got) -> None:
        server, fetched = self.play.at(got.fetched.server_address), got.fetched
        if server is None or not self.play.purges:
            return
        edition = self.play.oracle_of(got.viewer).which(got.path, fetched)
        if edition is None:
            return
        for purge in self.play.purges:
            if (
                purge.server == server.name
                and purge.site == self.play.distribution_of(got.viewer).name
                and purge.acknowledged < got.began
                and edition.until < purge.sent
                and purge.covers(got.path)
            ):
                self.broke(
                    f"{server.name} acknowledged at {purge.acknowledged:.3f} s, yet gave {got.viewer.name} "
                    f"at {got.began:.3f} s the {got.path} that the origin replaced at {edition.until:.3f} s."
                )
                return


class Fresh(Checker):
    """Holds hits against the lifetime that the origin grants. Servers whose clocks were set are left out:
    they cannot know."""

    sentence = "Nothing is served as fresh beyond its lifetime."

    def got(self, got: Got) -> None:
        server, fetched = self.play.at(got.fetched.server_address), got.fetched
        if server is None or fetched.cache_status != "hit" or self._clock_was_set(server.name):
            return
        edition = self.play.oracle_of(got.viewer).which(got.path, fetched)
        lifetime = directives({"cache-control": kind_of(got.path).cache_control}).max_age
        if edition is None or lifetime is None:
            return
        over = got.began - edition.until - lifetime
        if over > FRESH_SLACK_SECONDS:
            self.broke(
                f"{server.name} gave {got.viewer.name} a {got.path} as fresh {over:.1f} s after the lifetime "
                f"of {lifetime} s of a version that the origin replaced at {edition.until:.3f} s."
            )

    def _clock_was_set(self, server: str) -> bool:
        return any(isinstance(fault, ClockSkew) and fault.host == server for fault in self.play.faults)
