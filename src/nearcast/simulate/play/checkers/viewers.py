"""Viewers: who does not finish, who fetches twice, who runs against the same wall again."""

from __future__ import annotations

from dataclasses import dataclass, field

from nearcast.simulate.play.checkers.checker import Checker
from nearcast.simulate.play.observations import Watched
from nearcast.simulate.play.overheard.dns_ear import Told
from nearcast.simulate.play.overheard.transfer import BROKEN_OFF, WHOLE, Transfer
from nearcast.simulate.play.roster import Member
from nearcast.simulate.play.stage import Stage

SLACK_SECONDS = 5.0
IN_HAND_BYTES = 160 * 1024  # arrived at the viewer's machine and perhaps not yet taken by the player
AVOIDED_SECONDS = 25.0  # a player is to remember for longer than this who has failed
FORGOTTEN_SECONDS = 40.0  # and for no longer than this
MANIFESTS = (".mpd", ".m3u8", ".json")


class Finishes(Checker):
    """A viewer may fail only if, within the time that answers are kept and probes take, no content server was
    free of trouble all the time: on its way to the viewer, the origin and the router, with all name servers
    in order as well."""

    sentence = "Every viewer for whom a path to content exists finishes."

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._window = stage.intent.answer_ttl + stage.intent.found_out + SLACK_SECONDS

    def watched(self, watched: Watched) -> None:
        viewing, viewer = watched.viewing, watched.viewer
        if viewing is not None and viewing.complete:
            return
        server = self._free_server(viewer, watched.ended)
        if server is not None:
            why = (
                "was still watching when the play ended" if viewing is None else f"gave up: {viewing.problem}"
            )
            self.broke(
                f"{viewer.name} {why}, although {server} was there for all of the last {self._window:g} s."
            )

    def _free_server(self, watching: Member, until: float) -> str | None:
        since, viewer = until - self._window, watching.name
        distributions, site = self.stage.distributions, self.stage.site_of(watching)
        origin = distributions.origin(site)
        free, roster = self.stage.outages.free, self.stage.roster
        names = [name for kind in ("root", "top", "router") for name in roster.select(kind)]
        names += distributions.providers(site)
        if not free(viewer, "resolver", since=since, until=until):
            return None
        if not all(free("resolver", name, since=since, until=until) for name in names):
            return None
        for server in roster.select("edge"):
            ways = [(viewer, server, origin), *((router, server) for router in roster.select("router"))]
            if all(free(*way, since=since, until=until) for way in ways):
                return server
        return None


@dataclass(slots=True)
class _Reading:
    """What one viewer has had, and who has failed it, since its viewing began."""

    had: dict[tuple[str, str], int] = field(default_factory=dict)  # by path and tag: bytes from the beginning
    whole: set[str] = field(default_factory=set)
    failed: dict[str, float] = field(default_factory=dict)  # surely: by address, when the last time
    doubted: dict[str, float] = field(default_factory=dict)  # perhaps
    named: tuple[str, ...] = ()


class FetchedOnce(Checker):
    """A viewing does not fetch what it has: neither a segment a second time, nor a film from the beginning
    when only the server has changed."""

    sentence = "No viewer fetches again what it has."

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._readings: dict[str, _Reading] = {}

    def watches(self, viewer: Member) -> None:
        self._readings[viewer.name] = _Reading()

    def watched(self, watched: Watched) -> None:
        self._readings.pop(watched.viewer.name, None)

    def asked(self, transfer: Transfer) -> None:
        reading = self._readings.get(transfer.client)
        if reading is None or transfer.path.endswith(MANIFESTS) or transfer.method != "GET":
            return
        if transfer.target in reading.whole and "range" not in transfer.wanted:
            self.broke(f"{transfer.client} asked {transfer.server} for {transfer.target}, which it has.")

    def transferred(self, transfer: Transfer) -> None:
        reading = self._readings.get(transfer.client)
        if reading is None or not transfer.gives or not transfer.editions:
            return
        tag = transfer.editions[-1].etag
        had = reading.had.get((transfer.path, tag), 0)
        stop = transfer.first + transfer.size
        if "range" in transfer.wanted:
            if transfer.status == 206 and had - transfer.first > IN_HAND_BYTES:
                self.broke(
                    f"{transfer.client} asked {transfer.server} for {transfer.path} from byte "
                    f"{transfer.first}, and has {had} bytes of it."
                )
            if transfer.first <= had:
                reading.had[transfer.path, tag] = max(had, stop)
        elif transfer.outcome == WHOLE:
            reading.whole.add(transfer.target)


class FailedLast(Checker):
    """A viewer who has been failed by a server asks another first, as long as it knows one that has not."""

    sentence = "A server that failed is not asked first again."

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._readings: dict[str, _Reading] = {}

    def watches(self, viewer: Member) -> None:
        self._readings[viewer.name] = _Reading()

    def heard(self, told: Told) -> None:
        reading = self._readings.get(told.to)
        if reading is not None and told.reply.addresses:
            reading.named = told.reply.addresses

    def undialled(self, host: str, address: str, given_up: bool) -> None:
        self._fails(host, address, surely=not given_up)

    def transferred(self, transfer: Transfer) -> None:
        if transfer.outcome != WHOLE or transfer.status >= 500:
            surely = (transfer.outcome == BROKEN_OFF and transfer.size > 0) or transfer.status >= 500
            self._fails(transfer.client, self.stage.host(transfer.server).addresses[0], surely)

    def parted(self, client: str, server: str) -> None:
        self._fails(client, self.stage.host(server).addresses[0], surely=False)

    def _fails(self, host: str, address: str, surely: bool) -> None:
        reading = self._readings.get(host)
        if reading is not None:
            reading.doubted[address] = self.stage.now
            if surely:
                reading.failed[address] = self.stage.now

    def dials(self, host: str, address: str) -> None:
        reading, now = self._readings.get(host), self.stage.now
        if reading is None or address not in reading.named:
            return
        if now - reading.failed.get(address, -AVOIDED_SECONDS) >= AVOIDED_SECONDS:
            return
        for other in reading.named:
            if other != address and now - reading.doubted.get(other, -FORGOTTEN_SECONDS) >= FORGOTTEN_SECONDS:
                since = now - reading.failed[address]
                self.broke(f"{host} asks {address} again, {since:.1f} s after it failed, and not {other}.")
                return
