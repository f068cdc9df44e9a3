"""What selection costs against the size of the map: clients located, PoPs chosen, Conditions taken over.

    python bench/selection.py [--repeat 5] [--data ../shared/data]

*Clients*: half are in a network of the map, half are anywhere, none was seen before; generated networks
with the lengths of a routing table, and the routing tables in `net/*.dat.gz` of --data (or NEARCAST_DATA)
where there are any. *PoPs*: six servers each; in the worst case only the last PoP in order is below its
spill load. Every row runs in a process of its own; the best of the repetitions counts, for the machine is
shared. Times are CPU. "Kept" is the growth of RSS by the compiled table, "peak" its growth meanwhile.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import gzip
import json
import os
import resource
import subprocess
import sys
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from random import Random

from nearcast.model.config import Config
from nearcast.model.prefixes import Prefix, PrefixTable
from nearcast.model.snapshot import Revision, RouterSnapshot, RoutingZone, router_snapshot
from nearcast.router.selected import DECISIONS_KEPT, SelectedNames, decision_ring, selected_names
from nearcast.selection.conditions import Condition, Conditions
from nearcast.selection.decide import Selector
from nearcast.wire.dns.message import ClientSubnet
from nearcast.wire.dns.names import wire_name

PREFIXES = (100, 1_000, 10_000, 100_000, 1_000_000)
POPS = (3, 10, 100, 300, 1_000)
SERVERS_PER_POP = 6
CLIENTS = 50_000
PLACES = 1_000

Row = dict[str, float]


def best_seconds(repeat: int, once: Callable[[], object]) -> float:
    """CPU seconds of the quickest of `repeat` calls."""
    quickest = float("inf")
    for _ in range(repeat):
        began = time.process_time()
        once()
        quickest = min(quickest, time.process_time() - began)
    return quickest


def microseconds(repeat: int, calls: Sequence[tuple[object, ...]], function: Callable[..., object]) -> float:
    """CPU microseconds of one call of `function`, the loop around it included."""

    def all_once() -> None:
        for arguments in calls:
            function(*arguments)

    return best_seconds(repeat, all_once) / len(calls) * 1e6


def generated(family: str, count: int, rng: Random) -> Iterator[Prefix]:
    """`count` networks; IPv6 ones in 2000::/3."""
    for _ in range(count):
        if family == "IPv4":
            length = rng.choice((14, 16, 18, 20, 21, 22, 22, 23, 24, 24, 24, 24, 24, 24))
            yield 4, rng.getrandbits(length) << (32 - length), length
        else:
            length = rng.choice((29, 32, 32, 36, 40, 44, 48, 48, 48, 48, 56, 64))
            yield 6, (1 << 125) | (rng.getrandbits(length - 3) << (128 - length)), length


def routing_table(path: Path) -> Iterator[Prefix]:
    """The networks of a file with lines `network/length<TAB>number of the autonomous system`."""
    with gzip.open(path, "rt") as lines:
        for line in lines:
            network, slash, rest = line.partition("/")
            if slash and not line.startswith(";"):
                first = ip_address(network)
                yield first.version, int(first), int(rest.split("\t")[0])


def unseen(networks: Sequence[Prefix], version: int, rng: Random) -> list[bytes]:
    """Clients in packed form: half in a network of the map, half anywhere."""
    octets, anywhere = (4, 0) if version == 4 else (16, 1 << 125)
    networks = [network for network in networks if network[0] == version]
    clients = []
    for number in range(CLIENTS):
        bits = 8 * octets - (3 if anywhere else 0)
        client = anywhere | rng.getrandbits(bits)
        if number % 2:
            _, first, length = rng.choice(networks)
            client = first | (client & ((1 << (8 * octets - length)) - 1))
        clients.append(client.to_bytes(octets, "big"))
    return clients


def cdn(pops: int) -> RouterSnapshot:
    """A CDN of that many PoPs, each somewhere else; every fifth stands in an ISP."""
    rng = Random(pops)
    places = [
        {"name": f"at {n}", "latitude": rng.uniform(-60, 60), "longitude": rng.uniform(-180, 180)}
        for n in range(pops)
    ]
    config = {
        "cdn": {"zone": "cdn.test"},
        "control": {"address": "127.0.0.2"},
        "routers": [{"name": "ns1", "addresses": ["127.0.0.1"], "place": "at 0"}],
        "places": places,
        "pops": [
            {"name": f"p{n}", "kind": "ixp" if n % 5 else "isp", "place": f"at {n}"} for n in range(pops)
        ],
        "content_servers": [
            {"name": f"p{n}s{k}", "pop": f"p{n}", "addresses": [str(IPv4Address((10 << 24) + n * 256 + k))]}
            for n in range(pops)
            for k in range(SERVERS_PER_POP)
        ],
        "distributions": [{"name": "movie", "hosts": ["www.movie.test"], "origin": "http://127.0.0.9:80"}],
    }
    return router_snapshot(Revision(1, Config.model_validate(config)), "ns1")


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def clients_row(repeat: int, networks: Sequence[Prefix]) -> Row:
    """Compile `networks` and look up clients that nobody has seen before."""
    rng = Random(1)
    snapshot = cdn(100)
    places = [pop.place for pop in snapshot.pops.values()]
    zones = [RoutingZone(rng.choice(places), None, None) for _ in range(PLACES)]
    version = networks[-1][0]
    entries = ((network, zones[network[1] % PLACES]) for network in networks)
    gc.collect()
    resident, began = resident_mb(), time.process_time()
    table = PrefixTable(entries)
    compiled = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6 - resident
    gc.collect()
    kept = resident_mb() - resident
    clients = unseen(networks, version, rng)
    selector = Selector(dataclasses.replace(snapshot, zones=table), Conditions())
    name = wire_name("movie.cdn.test")
    subnets = [ClientSubnet(1 if version == 4 else 2, 8 * len(each), each) for each in clients]
    ring, names = decision_ring(), selected_names(selector.snapshot)

    def answered() -> None:
        selected = SelectedNames(selector, names, ring, lambda: 0.0)
        for subnet in subnets:
            selected.choose(name, "127.0.0.1", subnet)

    return {
        "networks": len(networks),
        "find": microseconds(repeat, [(client,) for client in clients], table.find_packed),
        "choose": best_seconds(repeat, answered) / CLIENTS * 1e6,
        "compiled": compiled,
        "kept": kept,
        "peak": peak,
    }


def loaded(snapshot: RouterSnapshot, below: set[str]) -> Conditions:
    """All servers too loaded, but for those of the PoPs `below`."""
    return Conditions(
        1,
        {s.name: Condition(load=0.1 if s.pop in below else 0.9) for s in snapshot.servers.values()},
    )


def pops_row(repeat: int, pops: int) -> Row:
    """Decide, where the nearest PoP serves and where only the last in order can."""
    snapshot = cdn(pops)
    site = snapshot.sites["movie"]
    zones = [RoutingZone(pop.place, None, None) for pop in snapshot.pops.values()]
    zone = zones[0]
    easy = Selector(snapshot, Conditions())
    order = easy.order(zone)
    last = list(snapshot.pops)[order.pops[-1]]
    hard = Selector(snapshot, loaded(snapshot, {last}))
    shards = [f"s{n:02d}" for n in range(32)]
    many = [shard for shard in shards for _ in range(20)]
    decide = [(zone, site, shard) for shard in many]
    unranked = [(order, site, f"x{n}") for n in range(640)]
    ordering = Selector(snapshot, Conditions())
    return {
        "pops": pops,
        "order": best_seconds(1, lambda: [ordering.order(each) for each in zones[:20]]) / min(pops, 20) * 1e6,
        "choose": microseconds(repeat, [(order, site, shard) for shard in many], easy.choose),
        "choose worst": microseconds(repeat, [(order, site, shard) for shard in many], hard.choose),
        "unranked": microseconds(1, unranked, easy.choose),
        "decide": microseconds(repeat, decide, easy.decide),
        "candidates": best_seconds(repeat, lambda: easy.decide(zone, site, "s07").candidates) * 1e6,
        "ring": ring_bytes(easy, zones, shards),
    }


def ring_bytes(selector: Selector, zones: Sequence[RoutingZone], shards: Sequence[str]) -> float:
    """Bytes of one kept decision, when each was made under Conditions of its own."""
    servers = sorted(selector.snapshot.servers)
    rng, site = Random(3), selector.snapshot.sites["movie"]
    for zone in zones:
        selector.order(zone)
    for shard in shards:
        for zone in zones[:DECISIONS_KEPT]:
            selector.decide(zone, site, shard)
    ring: deque[object] = deque(maxlen=DECISIONS_KEPT)
    gc.collect()
    tracemalloc.start()
    for number in range(DECISIONS_KEPT):
        busier = Condition(load=number % 70 / 100)
        selector = selector.with_conditions(selector.conditions.with_server(rng.choice(servers), busier))
        ring.append(selector.decide(rng.choice(zones[:DECISIONS_KEPT]), site, rng.choice(shards)))
    del selector
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return kept / len(ring)


def conditions_row(repeat: int, pops: int) -> Row:
    """Take over Conditions in which one server changed."""
    snapshot = cdn(pops)
    names = list(snapshot.servers)
    start = Conditions(1, {name: Condition(load=0.3) for name in names})
    selector = Selector(snapshot, start)
    rng = Random(4)
    picked = [rng.choice(names) for _ in range(200)]

    def becomes(name: str, condition: Condition) -> Selector:
        return selector.with_conditions(start.with_server(name, condition))

    busier, dead = Condition(load=0.31), Condition(healthy=False)
    return {
        "servers": len(names),
        "busier": microseconds(repeat, [(name, busier) for name in picked], becomes),
        "dead": microseconds(repeat, [(name, dead) for name in picked], becomes),
        "anew": best_seconds(repeat, lambda: Selector(snapshot, start)) * 1e6,
    }


def one_row(row: str, repeat: int, data: Path) -> Row:
    kind, _, rest = row.partition(" ")
    if kind == "pops":
        return pops_row(repeat, int(rest))
    if kind == "conditions":
        return conditions_row(repeat, int(rest))
    if kind in ("IPv4", "IPv6"):
        return clients_row(repeat, list(generated(kind, int(rest), Random(2))))
    return clients_row(repeat, list(routing_table(data / "net" / rest)))


def show(title: str, columns: dict[str, str], rows: list[str], asked: argparse.Namespace) -> None:
    """Run `rows`, each in a process of its own, and print them as a table of Markdown."""
    print(f"\n{title}\n\n| | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}", flush=True)
    for row in rows:
        command = [sys.executable, __file__, "--row", row, "--repeat", str(asked.repeat)]
        command += ["--data", str(asked.data)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        print(
            f"| {row} | {' | '.join(f'{found[key]:{form}}' for key, form in columns.items())} |", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("NEARCAST_DATA", "../shared/data")))
    parser.add_argument("--row", help="run one row here and print it as JSON")
    asked = parser.parse_args()
    if asked.row:
        print(json.dumps(one_row(asked.row, asked.repeat, asked.data)))
        return
    tables = [f"table {path.name}" for path in sorted((asked.data / "net").glob("*.dat.gz"))]
    show(
        "An unseen client, us: `find` in the map, `choose` with all that the router remembers of it; "
        "`compiled` in s; `kept` and `peak` in MB",
        {"networks": ",.0f", "find": ".2f", "choose": ".2f", "compiled": ".2f", "kept": ".1f", "peak": ".1f"},
        [f"{family} {count}" for family in ("IPv4", "IPv6") for count in PREFIXES] + tables,
        asked,
    )
    show(
        "A decision, us; `order` is made once per place, `unranked` is the first for its content, "
        "`candidates` are for people; `ring` in bytes per kept decision",
        {
            "order": ",.0f",
            "choose": ".1f",
            "choose worst": ".1f",
            "unranked": ".1f",
            "decide": ".1f",
            "candidates": ",.0f",
            "ring": ",.0f",
        },
        [f"pops {pops}" for pops in POPS],
        asked,
    )
    show(
        "New Conditions, us: one server `busier`, one `dead`, and all looked at `anew`",
        {"servers": ",.0f", "busier": ".1f", "dead": ".1f", "anew": ",.0f"},
        [f"conditions {pops}" for pops in (10, 100, 1_000)],
        asked,
    )


if __name__ == "__main__":
    main()
