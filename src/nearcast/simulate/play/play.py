"""A play: one run of a scenario under one seed, with checkers that watch it from outside.

What they see: every response a viewer got, every viewing, every request that reaches a content port, every
acknowledged purge, the router's decisions, and the state of hosts, disks and connections a few times per
second. Nothing they see comes from what a content server says of itself.

The play ends when everybody has watched and every order was given, or at the scenario's limit. Then
nothing is asked for a while, and whatever still holds a connection or a task has leaked.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from nearcast.assembly.roles import Role
from nearcast.model.config import Distribution
from nearcast.model.faults import UpstreamFault
from nearcast.model.snapshot import compile_snapshot
from nearcast.model.title import MANIFEST_HLS
from nearcast.player.bandwidth import read_bandwidth
from nearcast.player.session import Viewer
from nearcast.player.viewing import Fetched, Happening, Viewing
from nearcast.serve.http_client import ClientLimits, HttpClient
from nearcast.serve.http_server import Exchange, HttpListener
from nearcast.serve.program import Running
from nearcast.simulate.play.distributions import (
    distribution_of,
    further_origins,
    oracles_by_origin,
    origin_name,
    providers_of,
    titles_of,
)
from nearcast.simulate.play.enemies.invasion import Invasion
from nearcast.simulate.play.faults import Fault
from nearcast.simulate.play.observations import Got, Purged, Request, Watched
from nearcast.simulate.play.oracle import Oracle
from nearcast.simulate.play.placement import place, program_of
from nearcast.simulate.play.roster import Member
from nearcast.simulate.play.scenario import Scenario
from nearcast.simulate.play.script import Audience, Purge, Version
from nearcast.simulate.world.disk import DiskShape
from nearcast.simulate.world.history import History
from nearcast.simulate.world.host import EPOCH, Host
from nearcast.simulate.world.incarnation import Incarnation, Machine
from nearcast.simulate.world.link import LinkShape
from nearcast.simulate.world.stream import TcpRules
from nearcast.simulate.world.world import World

if TYPE_CHECKING:
    from nearcast.simulate.play.checkers.checker import Checker

SAMPLE_SECONDS = 0.25
REST_SECONDS = 45.0  # longer than any connection is kept
OPERATOR = "operator"
OPERATOR_ADDRESS = "172.31.255.1"
REPORT_BYTES_MAX = 1024 * 1024

T = TypeVar("T")


class Play:
    """The world of one run, and everything that happens in it."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        faults: Sequence[Fault],
        checkers: Sequence[type[Checker]],
        history: History,
    ) -> None:
        script = scenario.script
        self.scenario = scenario
        self.faults = faults
        self.roster = scenario.roster()
        self.snapshot = compile_snapshot(scenario.config)
        self.world = World(
            seed,
            shape=script.network.link_shape(),
            tcp=TcpRules(seeded_segments=script.network.seeded_segments),
            permute=script.permute,
            history=history,
        )
        self.loop = self.world.loop
        self.world.network.shape_between = self._shape_between
        self.oracles = oracles_by_origin(script, scenario.config, self.loop.time)
        self.invasion = Invasion(self.world, scenario, self.oracles)
        self.programs: dict[str, Running] = {}
        self.counts: Counter[str] = Counter()
        self.purges: list[Purged] = []
        self._by_address = {each.address: each for each in self.roster.members.values()}
        self._watching: dict[str, tuple[Member, Incarnation, float]] = {}
        self._coming = 0
        self._orders = len(script.purges) + len(script.versions)
        self.checkers = [each(self) for each in checkers]

    @property
    def now(self) -> float:
        """Virtual seconds."""
        return self.loop.time()

    def clock(self) -> float:
        """True wall time, as Unix seconds."""
        return EPOCH + self.loop.time()

    def at(self, address: str) -> Member | None:
        """Who has an address."""
        return self._by_address.get(address)

    def host(self, name: str) -> Host:
        return self.world.hosts[name]

    # --- who watches what -------------------------------------------------------------------------
    def distribution_of(self, viewer: Member) -> Distribution:
        """What a viewer watches."""
        return distribution_of(self.scenario.config, _audience(viewer).site)

    def oracle_of(self, viewer: Member) -> Oracle:
        """The truth of what a viewer watches."""
        return self._oracle_of(self.distribution_of(viewer))

    def behind(self, viewer: Member) -> tuple[str, list[str]]:
        """The hosts of the origin, and of the provider's name servers, of what a viewer watches."""
        return self.behind_site(self.distribution_of(viewer).name)

    def behind_site(self, site: str) -> tuple[str, list[str]]:
        """The same, for a distribution by its name."""
        config = self.scenario.config
        distribution = distribution_of(config, site)
        return origin_name(config, distribution), providers_of(config, distribution)

    def is_beset(self, distribution: Distribution) -> bool:
        """Its own origin or name server is an enemy: its viewers may fail."""
        config = self.scenario.config
        own = {origin_name(config, distribution), *providers_of(config, distribution)}
        return not own.isdisjoint(self.invasion.taken)

    def _oracle_of(self, distribution: Distribution) -> Oracle:
        return self.oracles[origin_name(self.scenario.config, distribution)]

    def _titles(self, distribution: Distribution) -> list[str]:
        return titles_of(self.scenario.script, self.scenario.config, distribution)

    # --- the plot ---------------------------------------------------------------------------------
    def run(self) -> None:
        """Play to the end."""
        self.world.run(self._main())

    async def _main(self) -> None:
        script = self.scenario.script
        disks = script.disks
        capacity = None if disks.capacity_megabytes is None else int(disks.capacity_megabytes * 1e6)
        disk = DiskShape(capacity, disks.latency_seconds)
        instead = self.invasion.stand_ins
        first = self.oracles["origin"]
        place(self.world, self.snapshot, first, self._started, disk=disk, instead=instead)
        for role in further_origins(self.scenario.config):
            program = program_of(role, self.snapshot, self.oracles[role.name], self._started)
            self.world.host(role.name, [role.address]).start(instead.get(role.name) or program)
        self.invasion.begin()
        operator = self.world.host(OPERATOR, [OPERATOR_ADDRESS])
        for member in self.roster.viewers:
            self.world.host(member.name, [member.address])
            self._coming += 1
            self.loop.world_at(self._arrival(member), self._arrives, member)
        for version in script.versions:
            self.loop.world_at(version.at, self._replace, version)
        for purge in script.purges:
            self.loop.world_at(purge.at, lambda purge=purge: operator.spawn(self._purge(purge)))
        self.world.schedule(self.faults)
        while self.now < script.seconds and (self._coming or self._watching or self._orders):
            await asyncio.sleep(SAMPLE_SECONDS)
            self._sample()
        for member, _, began in list(self._watching.values()):
            self._tell("watched", Watched(member, None, began, self.now))
        await self._rest()

    async def _rest(self) -> None:
        """Let connections grow old; a viewer who is cut off by the play's end keeps them open."""
        everybody_left = not self._watching
        until = self.now + REST_SECONDS
        while self.now < until:
            await asyncio.sleep(SAMPLE_SECONDS)
            self._sample()
        self._tell("ended", everybody_left)

    def _sample(self) -> None:
        for name, (_, incarnation, _) in list(self._watching.items()):
            if incarnation.dead:  # its machine died: it will never finish
                del self._watching[name]
                self.counts["viewings cut off"] += 1
        self._tell("sampled")

    def _tell(self, what: str, *seen: object) -> None:
        for checker in self.checkers:
            getattr(checker, what)(*seen)

    def _started(self, role: Role, running: Running) -> None:
        """A program runs: listen to its content port."""
        self.programs[role.name] = running
        listener = getattr(running, "listener", None)
        if role.kind in ("edge", "origin") and isinstance(listener, HttpListener):
            self._listen_in(role.name, listener)
        self._tell("started", role.name, role.kind, running)

    def _listen_in(self, name: str, listener: HttpListener) -> None:
        application, incarnation = listener.application, self.host(name).incarnation

        def overheard(exchange: Exchange) -> Any:
            self.counts[f"requests to {self.roster.members[name].kind}"] += 1
            self._tell("requested", Request(name, incarnation, exchange, self.now))
            return application(exchange)

        listener.application = overheard

    def _shape_between(self, sender: Machine, receiver: Machine) -> LinkShape:
        script = self.scenario.script
        for link in reversed(script.links):
            ends = self._groups(sender.name), self._groups(receiver.name)
            for one, other in ((link.one, link.other), (link.other, link.one)):
                if one in ends[0] and other in ends[1]:
                    return link.link_shape()
        return script.network.link_shape()

    def _groups(self, name: str) -> frozenset[str]:
        member = self.roster.members.get(name)
        return member.groups if member is not None else frozenset((name,))

    # --- viewers ----------------------------------------------------------------------------------
    def _arrival(self, member: Member) -> float:
        audience = _audience(member)
        dice = self.world.random(f"arrival/{member.name}")
        return round(audience.from_seconds + dice.random() * audience.over_seconds, 6)

    def _arrives(self, member: Member) -> None:
        self._coming -= 1
        host = self.host(member.name)
        if host.up:
            self._watching[member.name] = member, host.incarnation, self.now
            host.spawn(self._watch_all(member, host), name=member.name)

    async def _watch_all(self, member: Member, host: Host) -> None:
        audience = _audience(member)
        for number in range(audience.viewings):
            if number:
                await asyncio.sleep(audience.pause_seconds)
            began = self.now
            self._watching[member.name] = member, host.incarnation, began
            viewing = await self._watch(member, host.random)
            self.counts["viewings finished" if viewing.complete else "viewings failed"] += 1
            self._tell("watched", Watched(member, viewing, began, self.now))
        del self._watching[member.name]

    async def _watch(self, member: Member, dice: random.Random) -> Viewing:
        audience, internet = _audience(member), self.scenario.config.internet
        assert member.client is not None
        bits = 24 if member.client.version == 4 else 56
        patience = audience.patience_seconds
        viewer = Viewer(
            clock=self.clock,
            rng=dice,
            resolver=(str(internet.resolver), internet.dns_port),
            client_subnet=ip_network((member.client, bits), strict=False),
            local_address=member.address,
            limits=ClientLimits(head_seconds=patience, stall_seconds=patience) if patience else None,
        )
        rungs = self.scenario.script.films.rungs
        return await viewer.watch(
            self._url(audience, dice.choice(self._titles(self.distribution_of(member)))),
            quality=(audience.quality or f"{rungs[0].height}p") if audience.mode == "progressive" else None,
            bandwidth=read_bandwidth(audience.bandwidth) if audience.bandwidth else None,
            realtime=audience.realtime,
            observer=self._listener(member),
        )

    def _url(self, audience: Audience, title: str) -> str:
        config = self.scenario.config
        path = f"{title}/{MANIFEST_HLS}" if audience.mode == "hls" else title
        return f"http://{distribution_of(config, audience.site).hosts[0]}:{config.internet.http_port}/{path}"

    def _listener(self, member: Member) -> Callable[[Happening], None]:
        def hear(happening: Happening) -> None:
            if isinstance(happening, Fetched):
                self.counts["responses"] += 1
                self.counts["bytes"] += happening.bytes
                now = self.now
                path = urlsplit(happening.url).path
                self._tell("got", Got(member, happening, path, now - happening.ms / 1000, now))

        return hear

    # --- orders -----------------------------------------------------------------------------------
    def _replace(self, version: Version) -> None:
        self.world.note(f"{version.title} has a new version on the origin")
        self._oracle_of(distribution_of(self.scenario.config, version.site)).publish(version.title)
        self._orders -= 1

    async def _purge(self, purge: Purge) -> None:
        names = [name for name in self.roster.select(purge.servers) if name in self.snapshot.servers]
        await asyncio.gather(*(self._purge_one(purge, name) for name in names))
        self._orders -= 1

    async def _purge_one(self, purge: Purge, name: str) -> None:
        distribution = distribution_of(self.scenario.config, purge.site)
        order: dict[str, Any] = {"site": distribution.name}
        if purge.title:
            order["targets"] = [
                f"/{each}" for each in self._oracle_of(distribution).content_names(purge.title)
            ]
        else:
            order["all"] = True
        server, purged = self.snapshot.servers[name], Purged(name, distribution.name, purge.title, self.now)
        self.purges.append(purged)
        client = HttpClient(ClientLimits(connect_seconds=1.0, head_seconds=2.0, stall_seconds=2.0))
        address = (server.address, server.admin_port)
        try:
            fields = {"host": server.host, "content-type": "application/json"}
            body = json.dumps(order).encode()
            async with client.request("POST", address, "/purge", fields, body) as incoming:
                status = incoming.head.status
                await incoming.read(REPORT_BYTES_MAX)
        except UpstreamFault as fault:
            self.world.note(f"{name} does not acknowledge the purge: {fault.sentence}")
            return
        finally:
            await client.close()
        self.world.note(f"{name} answers the purge with {status}")
        if status == 200:
            self.counts["purges acknowledged"] += 1
            purged.acknowledged = self.now


def _audience(member: Member) -> Audience:
    assert member.audience is not None
    return member.audience
