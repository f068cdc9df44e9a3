"""`nearcast uppercase`: the smallest network application, served and asked."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.markup import escape

from nearcast.cli.output import DONE, NO, UNREACHABLE, USAGE, err, fail, say, say_json
from nearcast.serve.loop import loop_factory
from nearcast.serve.port import find_free_port, why_not
from nearcast.serve.raw import RawSocketRefused
from nearcast.serve.supervisor import WorkerPlan, supervise
from nearcast.serve.worker import run_program
from nearcast.uppercase.capitals import is_error
from nearcast.uppercase.client import (
    Asker,
    AskPolicy,
    NotAsked,
    RawAsker,
    TcpAsker,
    UdpAsker,
    Unanswered,
    UppercaseReply,
)
from nearcast.uppercase.server import Uppercase, start_uppercase
from nearcast.wire.addresses import endpoint_text
from nearcast.wire.packet import Field, explain

app = typer.Typer(
    help="Text in, capitals out, over UDP and TCP: the smallest application there is to learn sockets with.",
    no_args_is_help=True,
)

HostOption = Annotated[str, typer.Option(help="Address or name; IPv6 works, too.")]
PortOption = Annotated[int, typer.Option(min=0, max=65535)]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, one document per reply.")]


@app.command()
def serve(
    host: HostOption = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="UDP and TCP; 0 takes a free one.")] = 12000,
    workers: Annotated[int, typer.Option(min=1, max=1024, help="Processes that share the port.")] = 1,
    as_json: Json = False,
) -> None:
    """Answer on UDP and TCP at once, until Ctrl-C.

    Then what is under way is finished (10 seconds at most; a second Ctrl-C does not wait). Only this
    machine is served, unless --host names an address that others can reach: 0.0.0.0 stands for all.
    """
    try:
        if workers == 1:
            _serve_alone(host, port, as_json)
        else:
            _serve_together(host, find_free_port(host, port), workers, as_json)
    except OSError as fault:
        fail(*why_not(fault, host, port), USAGE)


def _serve_alone(host: str, port: int, as_json: bool) -> None:
    async def start() -> Uppercase:
        server = await start_uppercase(host, port)
        _say_where(host, server.port, 1, as_json)
        return server

    run_program(start)


def _serve_together(host: str, port: int, workers: int, as_json: bool) -> None:
    async def start() -> Uppercase:
        return await start_uppercase(host, port, share_port=True)

    plans = [WorkerPlan(f"uppercase/{number}", lambda: run_program(start)) for number in range(workers)]
    sentence = supervise(plans, all_up=lambda: _say_where(host, port, workers, as_json))
    if sentence:
        fail(f"a worker cannot start: {sentence}", "choose another port", USAGE)


def _say_where(host: str, port: int, workers: int, as_json: bool) -> None:
    if as_json:
        say_json({"host": host, "port": port, "transports": ["udp", "tcp"], "workers": workers})
        return
    by = f", {workers} workers" if workers > 1 else ""
    say(
        f"[bold]uppercase[/] answers on {escape(endpoint_text(host, port))}, UDP and TCP{by} · Ctrl-C ends it"
    )
    say(f"  try: nearcast uppercase ask --host {escape(host)} --port {port} hello")
    sys.stdout.flush()


@app.command()
def ask(
    text: Annotated[str | None, typer.Argument(help="Without it, each line typed is asked.")] = None,
    udp: Annotated[bool, typer.Option("--udp", help="By datagram (this is the default).")] = False,
    tcp: Annotated[bool, typer.Option("--tcp", help="Over a connection.")] = False,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="By a datagram whose IP and UDP headers are built here, and shown."),
    ] = False,
    host: HostOption = "127.0.0.1",
    port: PortOption = 12000,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait for a reply.")] = 1.0,
    tries: Annotated[int, typer.Option(min=1, max=100, help="How often to send a datagram.")] = 3,
    as_json: Json = False,
) -> None:
    """Ask for TEXT in capitals, and show the reply.

    Exit codes: 0 answered, 1 the server says no (to text that is not UTF-8),
    2 this cannot be asked that way, 3 nobody answered.
    """
    if udp + tcp + raw > 1:
        fail("--udp, --tcp and --raw exclude one another", "choose one", USAGE)
    server, retry = (host, port), AskPolicy(timeout, tries)
    asker: Asker
    if tcp:
        asker = TcpAsker(server, retry, time.perf_counter)
    else:
        kind = RawAsker if raw else UdpAsker
        asker = kind(server, retry, time.perf_counter, lambda tried: _say_lost(tried, retry))
    transport = "tcp" if tcp else "raw" if raw else "udp"
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            code = DONE
            for question in _typed() if text is None else [os.fsencode(text)]:
                code = max(code, _ask(runner, asker, question, transport, as_json, alone=text is not None))
            runner.run(asker.close())
    except Unanswered as fault:
        fail(fault.sentence, fault.remedy, UNREACHABLE)
    except RawSocketRefused:
        command = " ".join(["sudo", sys.argv[0], *sys.argv[1:]])
        sentence = "--raw writes IP headers itself; Linux allows that only with the capability CAP_NET_RAW"
        fail(sentence, f"run this one command as root: {command}", USAGE)
    raise typer.Exit(code)


def _ask(
    runner: asyncio.Runner, asker: Asker, text: bytes, transport: str, as_json: bool, *, alone: bool
) -> int:
    """Ask once and show the reply; the exit code that it deserves."""
    try:
        reply = runner.run(asker.ask(text))
    except NotAsked as fault:
        remedy = "ask over TCP (--tcp)" if text else "give a text"
        if alone:
            fail(str(fault), remedy, USAGE)
        err.print(f"nearcast: {escape(str(fault))}; {remedy}")
        return USAGE
    if as_json:
        sys.stdout.write(json.dumps(_document(text, reply, transport), ensure_ascii=False) + "\n")
        sys.stdout.flush()
    else:
        if reply.packet:
            _show_packet(explain(reply.packet))
        typer.echo(_harmless(reply.octets) if sys.stdout.isatty() else reply.octets)
    return NO if is_error(reply.octets) else DONE


def _typed() -> Iterator[bytes]:
    """The lines of standard input, without their ends; with a prompt where somebody types them."""
    prompt = "> " if sys.stdin.isatty() else ""
    while True:
        sys.stderr.write(prompt)
        sys.stderr.flush()
        line = sys.stdin.buffer.readline()
        if not line:
            return
        yield line.removesuffix(b"\n")


def _say_lost(tried: int, retry: AskPolicy) -> None:
    if tried < retry.tries:
        again = f"datagrams may be lost, so it is sent again ({tried + 1} of {retry.tries})"
        err.print(f"nearcast: no reply within {retry.seconds:g} s; {again}")


def _show_packet(fields: list[Field]) -> None:
    width = max(len(field.octets) for field in fields) * 3
    for offset, octets, meaning in fields:
        say(f"[dim]{offset:04x}[/]  [cyan]{octets.hex(' '):<{width}}[/] {escape(meaning)}")


def _document(text: bytes, reply: UppercaseReply, transport: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "text": text.decode(errors="replace"),
        "reply": reply.octets.decode(errors="replace"),
        "error": is_error(reply.octets),
        "transport": transport,
        "server": endpoint_text(*reply.server),
        "tries": reply.tries,
        "seconds": round(reply.seconds, 6),
    }
    if reply.packet:
        document["packet"] = [
            {"offset": field.offset, "octets": field.octets.hex(), "meaning": field.meaning}
            for field in explain(reply.packet)
        ]
    return document


def _harmless(octets: bytes) -> str:
    """`octets` for a terminal, which a server must not be able to command."""
    text = octets.decode(errors="replace")
    return "".join(each if each.isprintable() or each in "\n\t" else repr(each)[1:-1] for each in text)
