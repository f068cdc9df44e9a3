"""`nearcast explain`: why a client would be sent where it would be sent, and why not elsewhere."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import typer
from rich.markup import escape

from nearcast.cli.lab import labs
from nearcast.cli.output import NO, UNREACHABLE, fail, fail_for, say, say_json
from nearcast.cli.watch import read_resolver
from nearcast.model.faults import OperatorFault, UpstreamFault
from nearcast.serve.http_client import HttpClient
from nearcast.serve.loop import run
from nearcast.wire.addresses import authority_text
from nearcast.wire.json_text import read_json

ANSWER_BYTES_MAX = 1024 * 1024


def explain(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="What the client wants: a URL, or a host name alone.")
    ],
    client: Annotated[str, typer.Option(metavar="ADDRESS", help="Where the client is.")],
    router: Annotated[
        str | None,
        typer.Option(
            metavar="IP:PORT", help="Administration of the request router; else the running demo's."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of lines.")] = False,
) -> None:
    """Explain which content servers a client is given for URL, and why not the others.

    Exit codes: 0 servers were found, 1 none would be named, 2 usage, 3 the router cannot be reached.
    """
    host = urlsplit(url if "//" in url else f"//{url}").hostname or ""
    try:
        decision = run(ask_router(_router(router), host, client))
    except OperatorFault as fault:
        fail_for(fault)
    except UpstreamFault as fault:
        fail(
            f"the router does not answer: {fault}", "see that it runs, or name it with --router", UNREACHABLE
        )
    if as_json:
        say_json(decision)
    else:
        _tell(decision, host, client)
    if not decision["servers"]:
        raise typer.Exit(NO)


def _router(text: str | None) -> tuple[str, int]:
    if text is not None:
        return read_resolver(text, "--router")
    lab = next(labs(), None)
    if lab is None:
        fail("no demo runs here", "start one with `nearcast demo`, or name a router by --router", UNREACHABLE)
    return lab["router"][0], lab["router"][1]


async def ask_router(router: tuple[str, int], host: str, client: str) -> dict[str, Any]:
    """The decision that the router would make now. OperatorFault when it knows no such name or client."""
    http = HttpClient()
    target = f"/explain?name={quote(host)}&client={quote(client)}"
    try:
        async with http.request("GET", router, target, {"host": authority_text(*router)}) as incoming:
            answer = await incoming.read(ANSWER_BYTES_MAX)
            if incoming.head.status != 200:
                raise OperatorFault(answer.decode(errors="replace").strip())
            try:
                decision: dict[str, Any] = read_json(answer)
            except ValueError as fault:
                raise OperatorFault(f"the router's answer is no decision: {fault}") from None
            return decision
    finally:
        await http.close()


def _tell(decision: dict[str, Any], host: str, client: str) -> None:
    say(f"{escape(host)} for {escape(client)}: routing zone {escape(decision['zone'])}")
    say(f"  [dim]{escape(decision['zone_reason'])}[/]")
    for each in decision["candidates"]:
        mark = "[green]← chosen[/]" if each["chosen"] else ""
        say(
            f"  {each['pop']:<6} {each['kind']:<6} {escape(each['reason']):<44} "
            f"load {each['load']:>4.0%}  {each['healthy']} healthy  {mark}"
        )
    if not decision["servers"]:
        say("[red]no content server can be named[/]")
    for place, server in enumerate(decision["servers"], start=1):
        say(f"  {place}. {server['host']} {server['address']}  [dim]PoP {server['pop']}[/]")
    say(
        f"  [dim]TTL {decision['ttl_seconds']} s · Snapshot {decision['snapshot']} · "
        f"conditions {decision['conditions']}[/]"
    )
