"""A play: one run of a scenario under one seed, with checkers that watch it from outside.

What they see: everything that is said on the wires (`overheard`), every viewing, every acknowledged purge,
and the state of hosts, disks and connections a few times per second. Nothing they see comes from what a
content server says of itself; what one says that it holds is compared with its disk.

The play has three acts. In the first everybody watches and the faults strike, until all have watched and
every order was given, or until the scenario's limit. When all faults are over and there was time to
recover, a few viewers come once more: everything must work. Then nothing is asked for a while, and whatever
still holds a connection or a task has leaked.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, ip_network
from itertools import chain

from nearcast.assembly.roles import Role
from nearcast.model.faults import UpstreamFault
from nearcast.model.title import MANIFEST_HLS
from nearcast.player.bandwidth import read_bandwidth
from nearcast.player.session import Viewer
from nearcast.player.viewing import Fetched, Happening, Viewing
from nearcast.serve.http_client import ClientLimits
from nearcast.serve.program import Running
from nearcast.simulate.play.asking import SUBNET_BITS, ask_all, ask_on
from nearcast.simulate.play.checkers.checker import Checker
from nearcast.simulate.play.distributions import OfOrigin
from nearcast.simulate.play.faults import Fault
from nearcast.simulate.play.intent import Network, intent_of
from nearcast.simulate.play.invasion import Invasion
from nearcast.simulate.play.neighbour import ask_whose
from nearcast.simulate.play.observations import Account, Purged, Watched
from nearcast.simulate.play.oracle import Oracle
from nearcast.simulate.play.orders import ask_account, order_purge
from nearcast.simulate.play.outages import FOREVER, Outages
from nearcast.simulate.play.overheard.dns_ear import Told
from nearcast.simulate.play.overheard.ears import Ears
from nearcast.simulate.play.overheard.transfer import Transfer
from nearcast.simulate.play.placement import origin_at, place
from nearcast.simulate.play.roster import Member
from nearcast.simulate.play.scenario import Scenario
from nearcast.simulate.play.script import Audience, Purge
from nearcast.simulate.play.stage import SAMPLE_SECONDS
from nearcast.simulate.world.disk import DiskShape
from nearcast.simulate.world.history import History
from nearcast.simulate.world.host import EPOCH, Host
from nearcast.simulate.world.incarnation import Incarnation, Machine
from nearcast.simulate.world.link import LinkShape
from nearcast.simulate.world.stream import TcpRules
from nearcast.simulate.world.world import World

REST_SECONDS = 45.0  # longer than any connection is kept
RECOVERY_SECONDS = 20.0  # beyond what answers live and probes take
LATE_SECONDS = 90.0  # how long viewers of the second act may take
OPERATOR = "operator"
OPERATOR_ADDRESS = "172.31.255.1"
NEIGHBOUR, NEIGHBOUR_ADDRESS = "neighbour", "172.31.255.2"
ASKERS_FROM = int(IPv4Address("172.31.0.1"))


class Play:
    """The world of one run, and everything that happens in it. It satisfies `stage.Stage`, for its checkers.

    `enough` is asked once in a while whether to break the play off: somebody has seen what they wanted to.
    """

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        faults: Sequence[Fault],
        checkers: Sequence[type[Checker]],
        history: History,
        enough: Callable[[Play], bool] = lambda play: False,
    ) -> None:
        script = scenario.script
        self.scenario = scenario
        self.faults = faults
        self.outages = Outages(faults)
        self.roster = scenario.roster()
        self.intent = intent_of(scenario.internet)
        self.world = World(
            seed,
            shape=script.network.link_shape(),
            tcp=TcpRules(seeded_segments=script.network.seeded_segments),
            permute=script.permute,
            history=history,
        )
        self.loop = self.world.loop
        self.world.network.shape_between = self._shape_between
        self.distributions = distributions = scenario.distributions()
        titles = [title for site in distributions.sites for title in distributions.titles(site)]
        self.oracle = Oracle(script.films, titles, self.loop.time)
        self.invasion = Invasion(self.world, scenario.internet, script, distributions, self.oracle)
        self.counts: Counter[str] = Counter()
        self.purges: list[Purged] = []
        self._enough = enough
        self._by_address = {each.address: each for each in self.roster.members.values()}
        self._watching: dict[str, tuple[Member, Incarnation, float]] = {}
        self._late = False
        self._coming = 0
        self._orders = len(script.purges) + len(script.versions)
        self._everywhere: list[Network] = [
            network for each in scenario.internet.config.places for network in each.prefixes
        ]
        self.checkers = [each(self) for each in checkers]
        self._ears = Ears(self, self.oracle, self.loop.time, self._is_of_interest, self.intent.dns_port)
        self.world.network.tap = self._ears

    # --- for the checkers -------------------------------------------------------------------------
    @property
    def now(self) -> float:
        """Virtual seconds."""
        return self.loop.time()

    @property
    def under_way(self) -> Sequence[Transfer]:
        """The transfers that have not ended."""
        return [each for each in self._ears.under_way if self.kind(each.client)]

    def clock(self) -> float:
        """True wall time, as Unix seconds."""
        return EPOCH + self.loop.time()

    def at(self, address: str) -> Member | None:
        """Who has an address."""
        return self._by_address.get(address)

    def host(self, name: str) -> Host:
        return self.world.hosts[name]

    def kind(self, name: str) -> str:
        """The kind of a host, "" when it is not on the roster."""
        member = self.roster.members.get(name)
        return "" if member is None else member.kind

    def site_of(self, viewer: Member) -> str:
        """The distribution that a viewer watches."""
        return self.distributions.named(_audience(viewer).site).name

    def origin_of(self, path: str) -> str:
        """The host of the origin that has the content at a URL path."""
        return self.distributions.origin(self.distributions.site_of(path))

    def is_beset(self, site: str) -> bool:
        """A distribution's own origin or name server is an enemy: its viewers may fail."""
        behind = {self.distributions.origin(site), *self.distributions.providers(site)}
        return not behind.isdisjoint(self.invasion.taken)

    def tell(self, what: str, *seen: object) -> None:
        """Tell every checker: `what` is one of its methods."""
        for checker in self.checkers:
            getattr(checker, what)(*seen)

    def _tell_of(self, site: str, what: str, *seen: object) -> None:
        """Tell of what belongs to a distribution: of one that is besieged only whom that concerns."""
        beset = self.is_beset(site)
        for checker in self.checkers:
            if checker.besieged or not beset:
                getattr(checker, what)(*seen)

    def _tell_transfer(self, what: str, transfer: Transfer) -> None:
        """What comes from outside the roster (enemies, the neighbour), or what an origin was asked for by
        their doing, is nobody's affair."""
        astray = self.kind(transfer.server) == "origin" and transfer.server != self.origin_of(transfer.path)
        if self.kind(transfer.client) and not astray:
            self._tell_of(self.distributions.site_of(transfer.path), what, transfer)

    # --- what is overheard ------------------------------------------------------------------------
    def asked(self, transfer: Transfer) -> None:
        self.counts[f"requests to {self.kind(transfer.server)}"] += 1
        self._tell_transfer("asked", transfer)

    def answered(self, transfer: Transfer) -> None:
        self._tell_transfer("answered", transfer)

    def transferred(self, transfer: Transfer) -> None:
        self._tell_transfer("transferred", transfer)

    def told(self, told: Told) -> None:
        self._tell_of(self._speaker(told), "told", told)

    def heard(self, told: Told) -> None:
        self._tell_of(self._speaker(told), "heard", told)

    def _speaker(self, told: Told) -> str:
        """Whose name a DNS reply is about: the second's, or else the first's."""
        second = self.distributions.sites[-1]
        zones = self.distributions.providers(second)
        return second if told.reply.name.rstrip(".").endswith(tuple(zones)) else self.distributions.sites[0]

    def dials(self, host: str, address: str) -> None:
        self.tell("dials", host, address)

    def undialled(self, host: str, address: str, given_up: bool) -> None:
        self.tell("undialled", host, address, given_up)

    def parted(self, client: str, server: str) -> None:
        self.tell("parted", client, server)

    def fell(self, record: logging.LogRecord) -> None:
        """Something was logged as an error."""
        self.tell("fell", record)

    def _is_of_interest(self, server: str, port: int) -> bool:
        if server in self.intent.servers:
            return port == self.intent.servers[server].http_port
        if server in self.invasion.taken:
            return False  # it speaks a tongue of its own
        return self.kind(server) == "origin" and port == self.intent.origin_port

    # --- the plot ---------------------------------------------------------------------------------
    def run(self) -> None:
        """Play to the end."""
        self.world.run(self._main())

    async def _main(self) -> None:
        script = self.scenario.script
        disks = script.disks
        capacity = None if disks.capacity_megabytes is None else int(disks.capacity_megabytes * 1e6)
        disk = DiskShape(capacity, disks.latency_seconds)
        place(
            self.world,
            self.scenario.internet,
            OfOrigin(self.oracle, self.distributions, "origin"),
            self._started,
            disk=disk,
            kinds=self.oracle.kinds(),
            instead=self.invasion.stand_ins,
        )
        self._place_further_origins()
        self.invasion.begin()
        self.world.host(OPERATOR, [OPERATOR_ADDRESS])
        self._send_askers()
        self._send_neighbour()
        for member in self.roster.viewers:
            self.world.host(member.name, [member.address])
            self._coming += 1
            self.loop.world_at(self._arrival(member), self._arrives, member)
        for version in script.versions:
            self.loop.world_at(version.at, self._replace, version.title)
        for purge in script.purges:
            self.loop.world_at(purge.at, lambda purge=purge: self._operator.spawn(self._purge(purge)))
        self.world.schedule(self.faults)
        if await self._while(lambda: self._coming or self._watching or self._orders, script.seconds):
            self._cut_off()
            everybody_left = not self._watching
            if await self._second_act() and await self._while(lambda: True, self.now + REST_SECONDS):
                await self._ask_accounts()
                self.tell("ended", everybody_left)

    async def _while(self, something: Callable[[], object], until: float) -> bool:
        """Let time pass while there is something to wait for; false when there was enough of it all."""
        while self.now < until and something():
            await asyncio.sleep(SAMPLE_SECONDS)
            self._sample()
            if self._enough(self):
                return False
        return True

    async def _second_act(self) -> bool:
        """Viewers come once more when all is calm; not where a fault lasts for ever."""
        over = max((each.over for each in self.faults), default=0.0)
        over = max(over, self.invasion.over)
        if over == FOREVER:
            return True
        intent = self.intent
        calm = max(over, self.now) + intent.answer_ttl + intent.found_out + intent.believed + RECOVERY_SECONDS
        if over and not await self._while(lambda: True, calm):
            return False
        self._late = True
        self.tell("calmed")
        asking = self._operator.spawn(ask_all(self._operator, intent, self._networks()))
        comers = {each.client and ip_network(each.client): each for each in self.roster.viewers}
        for member in {_audience(each).name: each for each in comers.values()}.values():
            host = self.host(member.name)
            self._watching[member.name] = member, host.incarnation, self.now
            host.spawn(self._watch_once(member, host), name=member.name)
        goes_on = await self._while(lambda: self._watching or not asking.done(), self.now + LATE_SECONDS)
        self._cut_off()
        return goes_on

    def _cut_off(self) -> None:
        """Whoever still watches has not finished."""
        for member, _, began in list(self._watching.values()):
            self._tell_of(self.site_of(member), "watched", Watched(member, None, began, self.now, self._late))

    def _sample(self) -> None:
        for name, (_, incarnation, _) in list(self._watching.items()):
            if incarnation.dead:  # its machine died: it will never finish
                del self._watching[name]
                self.counts["viewings cut off"] += 1
        self.tell("sampled")

    def _started(self, role: Role, running: Running) -> None:
        self.counts["programs started"] += 1

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

    def _place_further_origins(self) -> None:
        for name, address in self.distributions.further_origins().items():
            titles = OfOrigin(self.oracle, self.distributions, name)
            honest = origin_at(address, self.intent.origin_port, titles, self.oracle.kinds())
            self.world.host(name, [address]).start(self.invasion.stand_ins.get(name, honest))

    # --- who only asks ----------------------------------------------------------------------------
    def _send_askers(self) -> None:
        askers, clients = self.scenario.script.askers, self._networks()
        for number in range(askers.count):
            host = self.world.host(f"asker-{number + 1}", [str(IPv4Address(ASKERS_FROM + number))])
            host.spawn(ask_on(host, self.intent, clients, askers.every_seconds), name=host.name)

    def _send_neighbour(self) -> None:
        host = self.world.host(NEIGHBOUR, [NEIGHBOUR_ADDRESS])
        servers = [(each.addresses[0], each.http_port) for each in self.intent.servers.values()]
        host.spawn(ask_whose(host, servers, self.distributions, self._neighbourly), name=NEIGHBOUR)

    def _neighbourly(self, address: str, site: str, said: str) -> None:
        if not self.is_beset(site):
            server, wanted = self.at(address), self.distributions.whose(self.distributions.origin(site))
            self.counts["pages of the neighbour"] += 1
            self.tell("neighbourly", server.name if server else address, site, said, wanted)

    def _networks(self) -> list[Network]:
        """Every network that is on the map, and those of the viewers."""
        viewers = (
            ip_network((each.client, SUBNET_BITS[each.client.version]), strict=False)
            for each in self.roster.viewers
            if each.client is not None
        )
        return list(dict.fromkeys(chain(self._everywhere, viewers)))

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
            await self._watch_one(member, host)
        del self._watching[member.name]

    async def _watch_once(self, member: Member, host: Host) -> None:
        await self._watch_one(member, host)
        del self._watching[member.name]

    async def _watch_one(self, member: Member, host: Host) -> None:
        began = self.now
        self._watching[member.name] = member, host.incarnation, began
        self._tell_of(self.site_of(member), "watches", member)
        viewing = await self._watch(member, host)
        self.counts["viewings finished" if viewing.complete else "viewings failed"] += 1
        watched = Watched(member, viewing, began, self.now, self._late)
        self._tell_of(self.site_of(member), "watched", watched)

    async def _watch(self, member: Member, host: Host) -> Viewing:
        audience = _audience(member)
        assert member.client is not None
        patience = audience.patience_seconds
        viewer = Viewer(
            clock=self.clock,
            rng=host.random,
            resolver=(self.intent.resolver, self.intent.dns_port),
            client_subnet=ip_network((member.client, SUBNET_BITS[member.client.version]), strict=False),
            local_address=member.address,
            limits=ClientLimits(head_seconds=patience, stall_seconds=patience) if patience else None,
        )
        rungs = self.scenario.script.films.rungs
        return await viewer.watch(
            self._url(audience, host.random.choice(self.distributions.titles(audience.site))),
            quality=(audience.quality or f"{rungs[0].height}p") if audience.mode == "progressive" else None,
            bandwidth=read_bandwidth(audience.bandwidth) if audience.bandwidth else None,
            realtime=audience.realtime and not self._late,
            observer=self._observe,
        )

    def _url(self, audience: Audience, title: str) -> str:
        path = f"{title}/{MANIFEST_HLS}" if audience.mode == "hls" else title
        query = f"?{audience.query}" if audience.query else ""
        host = self.distributions.named(audience.site).hosts[0]
        return f"http://{host}:{self.intent.http_port}/{path}{query}"

    def _observe(self, happening: Happening) -> None:
        if isinstance(happening, Fetched):
            self.counts["responses"] += 1
            self.counts["bytes"] += happening.bytes

    # --- orders -----------------------------------------------------------------------------------
    @property
    def _operator(self) -> Host:
        return self.host(OPERATOR)

    def _replace(self, title: str) -> None:
        self.world.note(f"{title} has a new version on the origin")
        self.oracle.publish(title)
        self._orders -= 1

    async def _purge(self, purge: Purge) -> None:
        names = [name for name in self.roster.select(purge.servers) if name in self.intent.servers]
        await asyncio.gather(*(self._purge_one(purge, name) for name in names))
        self._orders -= 1

    async def _purge_one(self, purge: Purge, name: str) -> None:
        queries = dict.fromkeys(
            ("", *(f"?{each.query}" for each in self.scenario.script.audiences if each.query))
        )
        contents = self.oracle.content_names(purge.title)
        targets = [f"/{each}{query}" for each in contents for query in queries] if purge.title else None
        purged = Purged(name, purge.title, self.now)
        self.purges.append(purged)
        try:
            done = await order_purge(self.intent.servers[name], purge.site or self.intent.site, targets)
        except UpstreamFault as fault:
            self.world.note(f"{name} does not acknowledge the purge: {fault.sentence}")
            return
        self.world.note(f"{name} {'has done' if done else 'refuses'} the purge")
        if done:
            self.counts["purges acknowledged"] += 1
            purged.acknowledged = self.now

    async def _ask_accounts(self) -> None:
        for name, server in self.intent.servers.items():
            if not self.host(name).up:
                continue
            try:
                account = await self._operator.spawn(ask_account(server))
            except UpstreamFault:
                continue
            if account is not None:
                self.tell("reported", Account(name, *account, self.now))


def _audience(member: Member) -> Audience:
    assert member.audience is not None
    return member.audience
