"""What the demo prints: one function a part, from what really happened to lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from rich.markup import escape

import nearcast
from nearcast.cli.output import say, speak_bytes
from nearcast.lab.config import Internet
from nearcast.lab.demo_run import DemoRun
from nearcast.lab.steps import StepTold
from nearcast.model.title import Title
from nearcast.player.viewing import Fetched, Viewing
from nearcast.wire.addresses import address_text, client_subnet, endpoint_text

TICK, CROSS = "[green]✓[/]", "[red]✗[/]"


def opening() -> None:
    say(f"[bold]nearcast {nearcast.__version__}[/] · a small internet on this machine · Ctrl-C ends it\n")


def packaged(title: Title, seconds: float) -> None:
    names = " ".join(rendition.name for rendition in title.renditions)
    line = f'packaged  "{escape(title.name)}" {title.seconds:.0f} s → {names} · DASH + HLS + progressive'
    say(f" {TICK} {line}  [dim]{seconds:.1f} s[/]")


def started(internet: Internet, seconds: float) -> None:
    config, lab = internet.config, internet.lab
    dns, http = lab.dns_port, lab.http_port
    rows = [("resolver", endpoint_text(lab.resolver, dns), "the viewers' local DNS server")]
    rows += [
        (each.zone, endpoint_text(each.address, dns), "the provider's name server") for each in lab.providers
    ]
    fleet = f"{len(config.pops)} PoPs · {len(config.content_servers)} content servers"
    for number, router in enumerate(config.routers):
        what = f"the CDN's request router · {fleet}" if number == 0 else "another request router"
        rows.append((config.cdn.zone, endpoint_text(router.addresses[0], dns), what))
    rows.append(("origin", endpoint_text(lab.origin, http), ""))
    width = max(len(name) for name, _, _ in rows)
    for name, address, what in rows:
        say(f" {TICK} {name:<{width}}  {address:<18} [dim]{what}[/]")
    say(f"   [dim]all up after {seconds:.1f} s[/]")


def ports_moved(internet: Internet) -> None:
    lab = internet.lab
    ports = f"DNS {lab.dns_port}, HTTP {lab.http_port}, administration {lab.admin_port}"
    say(f"   [yellow]the configured ports are taken (another demo?), so this one uses {ports}[/]")


def pushed(reports: Mapping[str, object], objects: int, seconds: float) -> None:
    say(f" {TICK} pushed    {objects} objects to {len(reports)} content servers  [dim]{seconds:.1f} s[/]")


def viewer(showing: DemoRun, url: str) -> None:
    who = showing.viewer
    own = next((c["pop"] for step in showing.steps for c in step.why if "its own" in c["reason"]), None)
    inside = f", inside the ISP of PoP {own}" if own else ""
    say(f"\nA viewer in [bold]{escape(who.place)}[/] (client {who.client}{inside}) opens {escape(url)}\n")
    for each in showing.steps:
        _step(each)
    _flow(showing.first)
    _again(showing)
    _events(showing.first)


def _step(step: StepTold) -> None:
    if step.number == 5:
        text = f"{step.asker} → [bold]{escape(step.asked)}[/] ({step.server})"
    elif step.number == 4:
        text = f"{step.asker} → {step.asked}  {escape(step.answer)}"
    elif step.number == 3:
        text = f"{step.asker} → {escape(step.asked)}  {escape(step.question)}"
    else:
        text = f"{step.asker} → {escape(step.asked)}  {escape(step.question)}  {escape(step.answer)}"
    took = "" if step.ms is None else f"[dim]{step.ms:.1f} ms[/]"
    say(f" [bold cyan]{step.number}[/] {step.name:<16} {text}  {took}")
    for candidate in step.why:
        mark = "  [green]← chosen[/]" if candidate["chosen"] else ""
        reason, load = escape(candidate["reason"]), f"load {candidate['load']:.0%}"
        say(f"{'':20}{candidate['pop']:<5} {candidate['kind']:<5} {reason:<40} {load}{mark}")


def _flow(viewing: Viewing) -> None:
    for each in viewing.fetched:
        say(f"{'':20}[dim]{object_line(each)}[/]")
    if viewing.complete:
        say(f"{'':20}complete: {speak_bytes(viewing.bytes)} in {viewing.seconds:.2f} s, "
            f"{viewing.bits_per_second / 1e6:.0f} Mb/s")  # fmt: skip
    else:
        say(f"{'':20}[red]not complete: {escape(viewing.problem or '')}[/]")


def object_line(each: Fetched) -> str:
    name = urlsplit(each.url).path.split("/", 2)[-1]
    fill = {"miss": "miss (filled from the origin)"}.get(each.cache_status, each.cache_status or "no cache")
    return f"{escape(name):<24} {fill:<30} {speak_bytes(each.bytes):>9}  {each.ms:6.1f} ms"


def _again(showing: DemoRun) -> None:
    hits = sum(each.cache_status == "hit" for each in showing.second.fetched)
    where = ", ".join(showing.second.servers)
    say(f"\n   The second viewer there: {hits} of {len(showing.second.fetched)} objects hit at {where}")


def _events(viewing: Viewing) -> None:
    for event in viewing.events:
        say(f"{'':20}[yellow]{event.at:6.2f} s  {escape(event.sentence)}[/]")


def killing(viewing: Viewing, killed: str) -> None:
    say(f"\nThe viewer watches once more, and in the middle [bold]{killed}[/] is killed (SIGKILL):")
    _events(viewing)
    end = "complete and correct" if viewing.complete else f"not complete: {escape(viewing.problem or '')}"
    say(f"{'':20}{end}, served by {', '.join(viewing.servers)}")


def checks(results: dict[str, bool]) -> None:
    failed = [sentence for sentence, held in results.items() if not held]
    say()
    for sentence in failed:
        say(f" {CROSS} {escape(sentence)}")
    if not failed:
        say(f" {TICK} all {len(results)} checks hold [dim](--once --json lists them)[/]")


def next_things(internet: Internet, key: str, url: str, showing: DemoRun) -> None:
    """What to try next, as the viewer of `showing`: each works when copied."""
    config, lab = internet.config, internet.lab
    http, control_port = config.ports.http, config.control.port or config.ports.http
    router, control = address_text(config.routers[0].addresses[0]), address_text(config.control.address)
    client = showing.viewer.client
    serving = next((each.server_address for each in showing.first.fetched), "")
    names = {str(address): each.name for each in config.content_servers for address in each.addresses}
    server = names.get(serving, next(iter(names.values())))  # whose end this viewer notices
    for what, how in (
        ("Watch it", f"http://{router}:{http}/watch/{key}"),
        ("See it", f"http://{control}:{control_port}/status"),
        ("Script it", f"http://{control}:{control_port}/v1/docs"),
        ("Ask why", f"nearcast explain {url} --client {client}"),
        ("Be a viewer", f"nearcast watch {url} --client {client} --bandwidth 1M"),
        (
            "Ask the DNS",
            f"dig @{lab.resolver} -p {lab.dns_port} {urlsplit(url).hostname} +subnet={client_subnet(client)}",
        ),
        ("Break it", f"nearcast lab kill {server}"),
    ):
        say(f" [bold]{what:<12}[/] {escape(how)}")
