"""`nearcast demo`: a small internet on this machine, and viewers who watch through it."""

from __future__ import annotations

import asyncio
import random
import re
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from nearcast.cli import demo_page as page
from nearcast.cli.output import NO, UNREACHABLE, fail, fail_for, say, say_json
from nearcast.cli.packaging import package_with_progress
from nearcast.lab.config import Internet, LabViewer, parse_internet, read_internet
from nearcast.lab.console import open_console
from nearcast.lab.demo_run import DemoRun, DemoViewers
from nearcast.lab.internet import Console, catalogue, plans
from nearcast.lab.ports import LabPorts, find_ports, ports_of, with_ports
from nearcast.lab.report import matches_origin, report
from nearcast.lab.workplace import Workplace
from nearcast.model.faults import OperatorFault
from nearcast.model.title import Title
from nearcast.packager.test_pattern import DrawnSource
from nearcast.player.viewing import Fetched, Happening, Viewing
from nearcast.serve.loop import run
from nearcast.serve.process_group import ProcessGroup, WorkerFailed


@dataclass
class Demo:
    """One demo from its options to its document."""

    internet: Internet
    source: Path | DrawnSource
    name: str
    key: str
    quiet: bool
    push: bool
    kill: bool
    stay: bool
    moved: bool
    seconds: dict[str, float] = field(default_factory=dict)
    ok: bool = False

    def __post_init__(self) -> None:
        config = self.internet.config
        site = config.distributions[0]
        self.site = site.name
        self.url = f"http://{site.hosts[0]}:{config.ports.http}/{self.key}"

    def perform(self, workplace: Workplace) -> None:
        """Everything; returns when it is done, or when Ctrl-C ended the stay."""
        self.workplace = workplace
        # The supervisor is forked first, while this process has neither loop nor threads.
        with ProcessGroup(plans(self.internet, workplace), heard=lambda notice: None) as processes:
            if not self.quiet:
                page.opening()
            self.title = self._package()
            began = time.monotonic()
            processes.start()
            processes.wait("up")
            self.seconds["starting"] = time.monotonic() - began
            if not self.quiet:
                page.started(self.internet, self.seconds["starting"])
                if self.moved:
                    page.ports_moved(self.internet)
            run(self._live(processes))

    def _package(self) -> Title:
        began = time.monotonic()
        out = self.workplace.titles / self.key
        title = package_with_progress(self.source, out, self.name, quiet=self.quiet)
        self.seconds["packaging"] = time.monotonic() - began
        if not self.quiet:
            page.packaged(title, self.seconds["packaging"])
        return title

    async def _live(self, processes: ProcessGroup) -> None:
        processes.attend()
        console = await open_console(self.workplace.socket, Console(self.internet, processes).obey)
        try:
            showings = await self._show(processes)
            if self.stay:
                page.next_things(self.internet, self.key, self.url, showings[0])
                await asyncio.get_running_loop().create_future()
        finally:
            console.close()
            processes.ignore()

    async def _show(self, processes: ProcessGroup) -> list[DemoRun]:
        audience = DemoViewers(self.internet, time.time, random.SystemRandom())
        await audience.all_named()
        reports = await self._push(audience) if self.push else None
        began = time.monotonic()
        showings: list[DemoRun] = []
        for viewer in self._viewers():
            showings.append(await audience.show(viewer, self.url))
            if not self.quiet:
                page.viewer(showings[-1], self.url)
        extra = await self._kill(audience, processes) if self.kill else {}
        self.seconds["viewing"] = time.monotonic() - began
        document = report(
            self.internet, self.title, self.url, showings, self._truth,
            pushed=reports, seconds=self.seconds, extra_checks=extra,
        )  # fmt: skip
        self.ok = document["ok"]
        if self.quiet:
            say_json(document)
        else:
            page.checks(document["checks"])
        return showings

    async def _push(self, audience: DemoViewers) -> Mapping[str, Any]:
        began = time.monotonic()
        targets = [
            target for entry in catalogue(self.workplace.titles, self.site) for target in entry.targets()
        ]
        reports = await audience.warm(self.site, targets)
        self.seconds["pushing"] = time.monotonic() - began
        if not self.quiet:
            page.pushed(reports, len(targets), self.seconds["pushing"])
        return reports

    async def _kill(self, audience: DemoViewers, processes: ProcessGroup) -> dict[str, bool]:
        """Let somebody watch, and kill the content server that serves in the middle of it."""
        names = {server.address: server.name for server in audience.fleet.servers.values()}
        killed: list[str] = []

        def listen(happening: Happening) -> None:
            if isinstance(happening, Fetched) and happening.kind == "video" and not killed:
                killed.append(names[happening.server_address])
                processes.kill(killed[0])

        viewer = self._viewers()[0]
        viewing: Viewing = await audience.viewer(viewer).watch(self.url, observer=listen)
        if not self.quiet:
            page.killing(viewing, killed[0] if killed else "nobody")
        hosts = {audience.fleet.servers[name].host for name in killed}
        return {
            f"{viewer.name}: complete and correct although {', '.join(killed)} was killed": bool(killed)
            and matches_origin(viewing, self._truth)
            and not set(viewing.servers) <= hosts
        }

    def _viewers(self) -> tuple[LabViewer, ...]:
        return self.internet.lab.viewers

    def _truth(self, path: str) -> bytes | None:
        try:
            return (self.workplace.titles / path.lstrip("/")).read_bytes()
        except OSError:
            return None


def demo(
    video: Annotated[
        Path | None,
        typer.Option(metavar="FILE", readable=False, help="A video to package; else a clip is generated."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", readable=False, help="The internet to run; see examples/. Default: demo."
        ),
    ] = None,
    push: Annotated[
        bool, typer.Option("--push", help="Netflix's way: push the title to all PoPs before anybody watches.")
    ] = False,
    kill: Annotated[
        bool, typer.Option("--kill", help="Kill the content server that serves, while a viewer watches.")
    ] = False,
    viewer: Annotated[
        list[str] | None,
        typer.Option(metavar="PLACE", help="Only the viewers of this place (or name); may be repeated."),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Do not stay: end when the viewers have watched.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document with every step and check.")
    ] = False,
    dns_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of all name servers.")] = None,
    http_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of all web servers.")] = None,
    admin_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of administration.")] = None,
) -> None:
    """Run a small internet on this machine: DNS from the root down, a CDN in three places, viewers.

    Packages a video, starts name servers, origin and content servers on loopback addresses, lets the
    viewers watch and shows the five steps; then stays until Ctrl-C.
    Exit codes: 0 every check held, 1 one did not, 2 usage or configuration, 3 something cannot start.
    """
    # A shell starts background jobs with SIGINT ignored; ours must be able to end cleanly all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        chosen = prepare(config, LabPorts(dns_port or 0, http_port or 0, admin_port or 0), viewer or [])
        performance = Demo(
            internet=chosen[0],
            source=video or DrawnSource(),
            name=video.stem if video else "Moving clock",
            key=key_of(video),
            quiet=as_json,
            push=push,
            kill=kill,
            stay=not once,
            moved=chosen[1],
        )
        with Workplace() as workplace:
            performance.perform(workplace)
    except WorkerFailed as fault:
        fail(fault.sentence, "see whether another program has the port", UNREACHABLE)
    except OperatorFault as fault:
        fail_for(fault)
    except KeyboardInterrupt:
        if not as_json:
            say("\nended; nothing is left behind")
        raise typer.Exit(0 if performance.ok else 130) from None
    if not performance.ok:
        raise typer.Exit(NO)


def prepare(path: Path | None, ports: LabPorts, places: list[str]) -> tuple[Internet, bool]:
    """The internet to run, on ports that are free, and whether they had to be moved."""
    internet = read_internet(path) if path else parse_internet(default_config(), "the demo's configuration")
    viewers = internet.lab.viewers
    if places:
        wanted = [viewer for viewer in viewers if {viewer.place, viewer.name} & set(places)]
        known = {name for viewer in viewers for name in (viewer.place, viewer.name)}
        if unknown := set(places) - known:
            raise OperatorFault(
                f"there is no viewer in {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}"
            )
        internet = internet.with_viewers(tuple(wanted))
    if not internet.lab.viewers:
        raise OperatorFault("nobody watches: the configuration has no [[lab.viewers]]; add one")
    wanted_ports = LabPorts(*(given or own for given, own in zip(ports, ports_of(internet), strict=True)))
    if len(set(wanted_ports)) < len(wanted_ports):
        raise OperatorFault(f"DNS, HTTP and administration need different ports, not {tuple(wanted_ports)}")
    found = find_ports(with_ports(internet, wanted_ports), fixed=any(ports))
    return with_ports(internet, found), found != wanted_ports


def default_config() -> str:
    """The text of examples/demo.toml, which the package carries."""
    return (Path(__file__).parent.parent / "lab" / "demo.toml").read_text(encoding="utf-8")


def key_of(video: Path | None) -> str:
    """The title's place in URLs, from the file's name."""
    if video is None:
        return "clock"
    return re.sub(r"[^a-z0-9]+", "-", video.stem.lower()).strip("-") or "video"
