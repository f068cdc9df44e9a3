"""Explain, metrics, documentation and pages."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from tests.exposition import samples

from nearcast.model.config import Config


@pytest.mark.parametrize(
    "url", ["http://www.movie.test/clock", "www.movie.test", "http://www.movie.test:8080"]
)
def test_explain_asks_the_router_for_the_host_of_a_url(play: Any, url: str) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        answered = await call("GET", f"/v1/explain?url={quote(url, safe='')}&client=203.0.113.7")
        assert answered.status == 200
        assert answered.json["question"] == "www.movie.test"
        assert answered.json["servers"][0]["host"] == "ia1.cdn.test"
        assert len(answered.json["candidates"]) == 3

    play(scene)


@pytest.mark.parametrize(
    ("url", "client", "sentence"),
    [
        ("http://www.movie.test", "moon", "no IP address"),
        ("http:///clock", "203.0.113.7", "no host name"),
        ("http://[::1", "203.0.113.7", "no host name"),
        ("www.example.org", "203.0.113.7", "is no host name of a distribution"),
    ],
)
def test_explain_says_what_is_wrong_with_the_question(
    play: Any, url: str, client: str, sentence: str
) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        answered = await call("GET", f"/v1/explain?url={quote(url, safe='')}&client={client}")
        assert answered.status == 400
        assert sentence in answered.json["detail"]

    play(scene)


def test_explain_without_a_router_says_so(play: Any) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        cdn.stop("router")
        answered = await call("GET", "/v1/explain?url=www.movie.test&client=203.0.113.7")
        assert answered.status == 503
        assert "the router cannot be asked" in answered.json["detail"]

    play(scene)


def test_metrics_are_prometheus_text_and_leave_out_what_is_unknown(play: Any) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        cdn.stop("fra2")
        answered = await call("GET", "/metrics")
        assert answered.fields["content-type"].startswith("text/plain; version=0.0.4")
        found = samples(answered.body.decode())
        assert found['nearcast_server_requests_total{pop="ia",server="ia2"}'] == 40
        assert found['nearcast_server_up{pop="fra",server="fra2"}'] == 0
        assert not any("requests_total" in name and "fra2" in name for name in found)
        assert found["nearcast_router_up"] == 1
        assert found["nearcast_process_restarts_total"] == 0

    play(scene)


def test_the_openapi_document_describes_every_field(play: Any) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        document = (await call("GET", "/v1/openapi.json")).json
        assert {"/v1/status", "/v1/explain", "/v1/catalogue", "/v1/warm", "/v1/purge", "/metrics"} <= set(
            document["paths"]
        )
        ours = {
            name: schema
            for name, schema in document["components"]["schemas"].items()
            if "ValidationError" not in name
        }
        assert all(schema.get("description") for schema in ours.values())
        silent = {
            f"{name}.{field}"
            for name, schema in ours.items()
            for field, value in schema["properties"].items()
            if not value.get("description")
        }
        assert silent == set()

    play(scene)


def test_the_configuration_schema_is_the_models(play: Any) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        assert (await call("GET", "/v1/config/schema")).json == Config.model_json_schema()

    play(scene)


def test_the_root_leads_to_the_status_page(play: Any) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        answered = await call("GET", "/")
        assert (answered.status, answered.fields["location"]) == (307, "/status")

    play(scene)


@pytest.mark.parametrize("page", ["/status", "/v1/docs"])
def test_a_page_and_all_it_loads_come_from_here(play: Any, page: str) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        html = (await call("GET", page)).body.decode()
        assert not re.search(r"(src|href)=\"(https?:)?//", html)
        loaded = re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css|svg))"', html)
        assert len(loaded) >= 3
        for path in loaded:
            answered = await call("GET", path)
            assert answered.status == 200
            assert answered.fields["content-type"].split(";")[0] in (
                "text/javascript",
                "application/javascript",
                "text/css",
                "image/svg+xml",
            )

    play(scene)


def test_a_page_that_has_not_changed_is_not_sent_again(play: Any) -> None:
    async def scene(cdn: Any, call: Any) -> None:
        etag = (await call("GET", "/status")).fields["etag"]
        again = await call("GET", "/status", fields={"if-none-match": etag})
        assert (again.status, again.body) == (304, b"")

    play(scene)
