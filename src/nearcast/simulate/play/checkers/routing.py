"""Whom the router names: its DNS answers as they leave it, held against the world and the script."""

from __future__ import annotations

from nearcast.model.snapshot import Server
from nearcast.simulate.play.checkers.checker import Checker
from nearcast.simulate.play.overheard.dns_ear import Network, Told
from nearcast.simulate.play.overheard.transfer import Transfer
from nearcast.simulate.play.stage import SAMPLE_SECONDS, Stage
from nearcast.simulate.world.host import Host
from nearcast.simulate.world.incarnation import Incarnation

SLACK_SECONDS = 1.0
LOAD_SECONDS = 6.0
SURELY_BUSY, SURELY_IDLE = 1.4, 0.3  # parts of the spill load


class NamedServers(Checker):
    """Something that looks at every answer of the router with content servers in it."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._by_address = {
            address: each for each in stage.intent.servers.values() for address in each.addresses
        }

    def told(self, told: Told) -> None:
        if self.stage.kind(told.by) != "router":
            return
        named = [self._by_address[each] for each in told.reply.addresses if each in self._by_address]
        if named:
            self.named(told, named)

    def named(self, told: Told, servers: list[Server]) -> None:
        """The router has answered with `servers`, in this order."""
        raise NotImplementedError

    def settled(self, router: str, *servers: str) -> bool:
        """The router has had the time to learn that these are in order, and so has whoever was down."""
        intent, now = self.stage.intent, self.stage.now
        since = now - intent.believed - intent.found_out - 2 * SLACK_SECONDS - 1.0
        free = self.stage.outages.free
        return since > 0 and all(free(router, each, since=since, until=now) for each in servers)


class NamesHealthy(NamedServers):
    """A server that was dead, hung, replaced or cut off from the router for longer than its probes need to
    find out, all the time, must not be in an answer. Which servers those are is known from the world."""

    sentence = "Answers name only servers that the router could believe healthy."

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._patience = stage.intent.found_out + SLACK_SECONDS + 2 * SAMPLE_SECONDS
        self._away_since: dict[tuple[str, str], float] = {}  # router and server
        self._lives: dict[str, Incarnation] = {}

    def sampled(self) -> None:
        stage = self.stage
        routers = [stage.host(each) for each in stage.roster.select("router")]
        same = {each: self._is_same(each) for each in (*routers, *map(stage.host, stage.intent.servers))}
        for router in routers:
            probes = same[router] and router.up and not router.incarnation.frozen
            for name, server in stage.intent.servers.items():
                host = stage.host(name)
                if probes and self._away(router, host, server.admin_port, same[host]):
                    self._away_since.setdefault((router.name, name), stage.now)
                else:  # who does not probe cannot know
                    self._away_since.pop((router.name, name), None)

    def _is_same(self, host: Host) -> bool:
        """Its program is the one that ran when we looked before."""
        before = self._lives.get(host.name)
        self._lives[host.name] = host.incarnation
        return before is host.incarnation

    def named(self, told: Told, servers: list[Server]) -> None:
        for server in servers:
            since = self._away_since.get((told.by, server.name))
            if since is None or told.at - since <= self._patience:
                continue
            router, host = self.stage.host(told.by), self.stage.host(server.name)
            if self._away(router, host, server.admin_port, same_life=True):  # not back since the last sample
                self.broke(
                    f"{server.name} was named to {told.reply.subnet or told.to}, "
                    f"{told.at - since:.1f} s after it went away."
                )

    def _away(self, router: Host, server: Host, port: int, same_life: bool) -> bool:
        """Whether the server cannot have answered a probe since the last sample. (Where only new connections
        fail, probes go on over the kept one.)"""
        network = self.stage.world.network
        now = self.stage.now
        replaced = any(
            fault.word == "impostor"
            and getattr(fault, "host", "") == server.name
            and fault.at < now <= fault.over
            for fault in self.stage.faults
        )
        if not same_life and not replaced:
            return False  # it may have lived for a moment
        return (
            replaced
            or not server.up
            or server.incarnation.frozen
            or server.incarnation.ports.tcp.find(server.addresses[0], port, 0) is None
            or network.channel(router, server).cuts > 0
            or network.channel(server, router).cuts > 0
        )


class SpreadOut(NamedServers):
    """Whoever gets two servers gets two that do not fail together, and gets two where there are two."""

    sentence = "The servers of an answer do not fail together."

    def named(self, told: Told, servers: list[Server]) -> None:
        racks = {(each.pop, each.failure_domain) for each in servers}
        if len(racks) < len(servers):
            self.broke(
                f"{told.reply.subnet or told.to} got {' and '.join(each.name for each in servers)} for "
                f"{told.reply.name}, which share a rack."
            )
        elif len(servers) == 1 and self.stage.intent.addresses_max > 1:
            six = told.reply.rdtype == "AAAA"
            alike = [
                each
                for each in self.stage.intent.servers.values()
                if any((":" in address) == six for address in each.addresses)
            ]
            others = [
                each.name
                for each in alike
                if (each.pop, each.failure_domain) not in racks and self.settled(told.by, each.name)
            ]
            if others and len(alike) == len(self.stage.intent.servers):  # else the other may speak the other
                self.broke(
                    f"{told.reply.name} was answered with {servers[0].name} alone; {others[0]} was there."
                )


class OwnFirst(NamedServers):
    """Clients of an ISP that has servers inside get one of those first, as long as there is room; and those
    who have no room give way to those who surely have. Load is what arrives at viewers."""

    sentence = "Clients are sent to their own ISP's servers first, and to where there is room."

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._arrived: dict[str, list[tuple[float, int]]] = {name: [] for name in stage.intent.servers}
        self._seen: dict[Transfer, int] = {}

    def sampled(self) -> None:
        now, kept = self.stage.now, self._seen
        self._seen = {}
        for transfer in self.stage.under_way:
            self._count(transfer, kept.get(transfer, 0))
            self._seen[transfer] = transfer.size
        for name, pieces in self._arrived.items():
            self._arrived[name] = [each for each in pieces if each[0] > now - 2 * LOAD_SECONDS]

    def transferred(self, transfer: Transfer) -> None:
        self._count(transfer, self._seen.pop(transfer, 0))

    def _count(self, transfer: Transfer, before: int) -> None:
        if transfer.server in self._arrived and transfer.size > before:
            self._arrived[transfer.server].append((self.stage.now, transfer.size - before))

    def _load(self, server: Server, since: float, until: float) -> float:
        octets = sum(size for at, size in self._arrived[server.name] if since <= at <= until)
        return octets * 8 / (until - since) / server.capacity_bits_per_second

    def _loads(self, pop: str) -> tuple[float, float]:
        """The least and the most of the PoP's mean load over two spans that lie one behind the other."""
        now, means = self.stage.now, []
        servers = [each for each in self.stage.intent.servers.values() if each.pop == pop]
        for since in (now - LOAD_SECONDS, now - 2 * LOAD_SECONDS):
            until = since + LOAD_SECONDS
            means.append(sum(self._load(each, since, until) for each in servers) / len(servers))
        return min(means), max(means)

    def named(self, told: Told, servers: list[Server]) -> None:
        intent, subnet = self.stage.intent, told.reply.subnet
        own = None if subnet is None else self._own(subnet)
        first = servers[0].pop
        spill = intent.spill_load
        if own is not None and first != own:
            inside = [each.name for each in intent.servers.values() if each.pop == own]
            if self.settled(told.by, *inside) and self._loads(own)[1] < SURELY_IDLE * spill:
                self.broke(f"{subnet} was sent to {servers[0].name}, although {inside[0]} stands in its ISP.")
        elif self._loads(first)[0] > SURELY_BUSY * spill:
            pops = {each.pop for each in intent.servers.values()} - {first}
            for pop in sorted(pops):
                names = [each.name for each in intent.servers.values() if each.pop == pop]
                if self.settled(told.by, *names) and self._loads(pop)[1] < SURELY_IDLE * spill:
                    self.broke(
                        f"{subnet} was sent to {servers[0].name}, which is too busy; {names[0]} has room."
                    )
                    return

    def _own(self, subnet: Network) -> str | None:
        for network, pop in self.stage.intent.own:
            if network.version == subnet.version and subnet.subnet_of(network):  # type: ignore[arg-type]
                return pop
        return None
