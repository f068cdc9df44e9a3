"""The control API: REST below `/v1` with OpenAPI, the status page, metrics."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import PlainTextResponse, RedirectResponse
from pydantic import ValidationError

import nearcast
from nearcast.control.administration import Administration
from nearcast.control.cdn import ManagedCdn
from nearcast.control.commands import CommandFault, carry_out
from nearcast.control.metrics import families
from nearcast.control.pages import pages_routes
from nearcast.control.schemas import (
    Command,
    CommandDone,
    DecisionSchema,
    PurgeCommand,
    Refusal,
    StatusSchema,
    TitleSchema,
)
from nearcast.control.status import look, title_schema
from nearcast.model.config import Config
from nearcast.model.pages import pages_directory
from nearcast.serve.metrics import CONTENT_TYPE, exposition, program_families

_ABOUT = """Look at a nearcast CDN and give it orders.

A program that cannot be reached is part of an answer (its `trouble`), never an error of this API.
Times are Unix seconds, sizes bytes, rates bit/s. """

_REFUSED: dict[int | str, dict[str, Any]] = {400: {"model": Refusal}}
_EXPLAIN_REFUSED: dict[int | str, dict[str, Any]] = {**_REFUSED, 503: {"model": Refusal}}


def create_app(current: Callable[[], ManagedCdn], clock: Callable[[], float]) -> FastAPI:
    """The application, which shows and commands the `current` CDN. OperatorFault without the pages."""
    app = FastAPI(
        title="nearcast control API",
        description=_ABOUT,
        version=nearcast.__version__,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # Swagger UI comes from our own files: see docs.html
        redoc_url=None,
        openapi_tags=[
            {"name": "look", "description": "How the CDN is, and why it answers as it does."},
            {"name": "order", "description": "Push content to the content servers, or drop it there."},
        ],
    )
    app.include_router(pages_routes(pages_directory()))
    _add_looking(app, current, clock)
    _add_ordering(app, current)
    return app


def _add_looking(app: FastAPI, current: Callable[[], ManagedCdn], clock: Callable[[], float]) -> None:
    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("/status")

    @app.get("/v1/status", tags=["look"], summary="The whole CDN at this moment")
    async def status() -> StatusSchema:
        return await look(current(), clock())

    @app.get("/v1/catalogue", tags=["look"], summary="The titles the CDN carries")
    async def titles() -> list[TitleSchema]:
        return [title_schema(current(), entry) for entry in current().catalogue.entries]

    @app.get(
        "/v1/explain",
        tags=["look"],
        summary="Which content servers a client would get, and why not the others",
        responses=_EXPLAIN_REFUSED,
    )
    async def explain(
        url: Annotated[
            str, Query(description="A URL or a host name.", examples=["http://www.movie.test/clock"])
        ],
        client: Annotated[str, Query(description="The client's IP address.", examples=["203.0.113.7"])],
    ) -> DecisionSchema:
        return await _explain(current().administration, url, client)

    @app.get("/v1/config/schema", tags=["look"], summary="JSON schema of the configuration file")
    async def schema() -> dict[str, Any]:
        return Config.model_json_schema()

    @app.get("/metrics", tags=["look"], summary="Prometheus metrics", response_class=PlainTextResponse)
    async def scrape() -> PlainTextResponse:
        shown = families(await look(current(), clock()))
        text = exposition([*shown, *program_families({})])
        return PlainTextResponse(text, media_type=CONTENT_TYPE)


def _add_ordering(app: FastAPI, current: Callable[[], ManagedCdn]) -> None:
    async def carry(verb: Literal["warm", "purge"], order: Command) -> CommandDone:
        try:
            return await carry_out(verb, order, current())
        except CommandFault as fault:
            raise HTTPException(400, str(fault)) from None

    @app.post("/v1/warm", tags=["order"], summary="Push content to the content servers", responses=_REFUSED)
    async def warm(order: Command) -> CommandDone:
        return await carry("warm", order)

    @app.post("/v1/purge", tags=["order"], summary="Drop content at the content servers", responses=_REFUSED)
    async def purge(order: PurgeCommand) -> CommandDone:
        return await carry("purge", order)


async def _explain(administration: Administration, url: str, client: str) -> DecisionSchema:
    name = _host_name(url)
    try:
        address = ip_address(client.strip())
    except ValueError:
        raise HTTPException(400, f'"{client}" is no IP address; write one such as 203.0.113.7') from None
    reply = await administration.explain(name, address)
    if reply.trouble is not None:
        raise HTTPException(503, f"the router cannot be asked: {reply.trouble}")
    if not reply.ok:
        raise HTTPException(400, f"the router {reply.why_not}")
    try:
        return DecisionSchema.model_validate({"question": name, "client": str(address), **reply.document})
    except (ValidationError, TypeError):
        raise HTTPException(503, "the router answered something that is not a decision") from None


def _host_name(url: str) -> str:
    text = url.strip()
    try:
        name = urlsplit(text if "://" in text else f"//{text}").hostname
    except ValueError:
        name = None
    if not name:
        raise HTTPException(400, f'"{url}" has no host name; write one such as http://www.movie.test/clock')
    return name
