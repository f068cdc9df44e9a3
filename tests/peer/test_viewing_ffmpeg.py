"""Viewers who brought their own programs: ffprobe, ffmpeg and curl watch a film through the whole CDN."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.programs import printed, run
from tests.stages import RealStage

CLOCK_SECONDS = 8.0
CLOCK_PICTURES = 200
MANIFESTS = ("manifest.mpd", "master.m3u8")
PROGRESSIVES = ("progressive/144p.mp4", "progressive/180p.mp4", "progressive/240p.mp4")


async def probe(url: str) -> dict[str, Any]:
    """What ffprobe says after it has decoded everything at `url`, which it must do without a word."""
    entries = "format=duration:stream=codec_type,height,nb_read_frames,start_time"
    told: dict[str, Any] = json.loads(
        await printed("ffprobe", "-v", "error", "-count_frames", "-show_entries", entries, "-of", "json", url)
    )
    return told


async def statistics(stage: RealStage, name: str) -> Counter[str]:
    server = stage.fleet.servers[name]
    told = await stage.audience.admin((server.address, server.admin_port), "/stats")
    return Counter({key: value for key, value in told.items() if isinstance(value, int)})


async def decodes_whole(url: str, heights: set[int]) -> None:
    """Every picture of every rendition arrives, from the first to the last."""
    assert await printed("ffmpeg", "-nostdin", "-v", "error", "-i", url, "-map", "0", "-f", "null", "-") == ""
    told = await probe(url)
    video = [each for each in told["streams"] if each["codec_type"] == "video"]
    assert {each["height"] for each in video} == heights, url
    assert {int(each["nb_read_frames"]) for each in video} == {CLOCK_PICTURES}, url
    assert {float(each["start_time"]) for each in video} == {0.0}, url
    assert [each["codec_type"] for each in told["streams"]].count("audio") == 1, url
    assert float(told["format"]["duration"]) == pytest.approx(CLOCK_SECONDS, abs=0.05), url


def heights_in(path: str) -> set[int]:
    return {144, 180, 240} if path in MANIFESTS else {int(Path(path).stem.rstrip("p"))}


@pytest.mark.peer("ffprobe", "ffmpeg")
def test_ffmpeg_plays_every_file_from_a_content_server_which_fills_and_then_hits(packaged: RealStage) -> None:
    server = packaged.fleet.servers["fra1"]

    async def story() -> None:
        before = await statistics(packaged, "fra1")
        for path in (*MANIFESTS, *PROGRESSIVES):
            url = f"http://{server.address}:{server.http_port}/clock/{path}"
            await decodes_whole(url, heights_in(path))
        first = await statistics(packaged, "fra1")
        assert first["misses"] > 0 and first["bytes_filled"] >= sum(
            len(packaged.files[f"clock/{path}"]) for path in PROGRESSIVES
        )
        for path in (*MANIFESTS, *PROGRESSIVES):
            await probe(f"http://{server.address}:{server.http_port}/clock/{path}")
        again = await statistics(packaged, "fra1")
        assert again["misses"] == first["misses"], "what was filled once is not filled again"
        assert again["hits"] - first["hits"] >= len((*MANIFESTS, *PROGRESSIVES))
        assert again["errors"] == again["refused"] == before["errors"] == 0

    packaged.play(story)


@pytest.mark.peer("ffprobe", "ffmpeg")
def test_ffmpeg_follows_the_router_to_the_server_that_is_near(packaged: RealStage) -> None:
    """Of a manifest ffmpeg asks the router for every segment anew, then without the client's address; a
    progressive film is one URL, so all of it comes from the PoP of that client."""
    config = packaged.internet.config

    async def watch(*paths: str) -> set[str]:
        """Who was asked for content while these were played."""
        before = await requests()
        for path in paths:
            url = (
                f"http://{config.routers[0].addresses[0]}:{config.ports.http}/clock/{path}?client=203.0.113.7"
            )
            await decodes_whole(url, heights_in(path))
        after = await requests()
        return {packaged.fleet.servers[name].pop for name in after if after[name] > before[name]}

    async def requests() -> dict[str, int]:
        return {name: (await statistics(packaged, name))["requests"] for name in packaged.fleet.servers}

    async def story() -> None:
        assert "ia" in await watch(*MANIFESTS)
        assert await watch(*PROGRESSIVES) == {"ia"}

    packaged.play(story)


def curl(*arguments: object) -> tuple[object, ...]:
    return ("curl", "--silent", "--show-error", "--max-time", "20", *arguments)


async def addresses_by_dig(stage: RealStage, client: str) -> list[str]:
    """The addresses that dig gets for `www.movie.test` from the viewers' resolver."""
    internet = stage.internet.lab
    where = f"@{internet.resolver}", "-p", internet.dns_port
    answer = await printed("dig", *where, "www.movie.test", f"+subnet={client}/24", "+short")
    alias, *addresses = answer.split()
    assert alias == "movie.cdn.test."
    return addresses


@pytest.mark.peer("curl", "dig")
def test_curl_fetches_a_film_by_name_with_the_address_that_dig_got(
    packaged: RealStage, tmp_path: Path
) -> None:
    path = "/clock/progressive/240p.mp4"
    film, port = packaged.truth(path), packaged.internet.config.ports.http
    assert film is not None
    url, out = f"http://www.movie.test:{port}{path}", tmp_path / "film.mp4"

    async def story() -> None:
        address = (await addresses_by_dig(packaged, "203.0.113.7"))[0]
        by_name = ("--resolve", f"www.movie.test:{port}:{address}")
        head = await printed(*curl("--head", *by_name, url))
        assert head.startswith("HTTP/1.1 200") and f"content-length: {len(film)}\r\n" in head.lower()
        await printed(*curl(*by_name, "-o", out, url))
        assert out.read_bytes() == film
        code = await printed(*curl(*by_name, "-o", "/dev/null", "-w", "%{http_code} %{remote_ip}", url))
        assert code == f"200 {address}"
        again = await printed(*curl("--head", *by_name, url))
        assert "; hit" in field(again, "cache-status") and field(again, "cache-status").startswith("ia")

    packaged.play(story)


@pytest.mark.peer("curl", "dig")
def test_curl_resumes_a_broken_download_at_another_server(packaged: RealStage, tmp_path: Path) -> None:
    path = "/clock/progressive/240p.mp4"
    film, port = packaged.truth(path), packaged.internet.config.ports.http
    assert film is not None
    url, out = f"http://www.movie.test:{port}{path}", tmp_path / "film.mp4"

    async def story() -> None:
        first, second = await addresses_by_dig(packaged, "203.0.113.7")
        half = len(film) // 2
        beginning = "--range", f"0-{half - 1}", "-w", "%{http_code}", "-o", out
        assert await printed(*curl("--resolve", f"www.movie.test:{port}:{first}", *beginning, url)) == "206"
        assert out.stat().st_size == half
        rest = "--continue-at", "-", "-w", "%{http_code} %{size_download}", "-o", out
        code = await printed(*curl("--resolve", f"www.movie.test:{port}:{second}", *rest, url))
        assert code == f"206 {len(film) - half}"
        assert hashlib.sha256(out.read_bytes()).digest() == hashlib.sha256(film).digest()

    packaged.play(story)


@pytest.mark.peer("curl")
def test_curl_asks_the_labs_resolver_itself(packaged: RealStage) -> None:
    internet = packaged.internet.lab

    async def story() -> str:
        url = f"http://www.movie.test:{internet.http_port}/clock/manifest.mpd"
        servers = f"{internet.resolver}:{internet.dns_port}"
        status, out, err = await run(
            *curl("--dns-servers", servers, "-o", "/dev/null", "-w", "%{http_code}", url)
        )
        if status == 2 and "doesn't support" in err:
            return "this curl is built without c-ares"
        assert (status, out) == (0, "200"), err
        return ""

    if missing := packaged.play(story):
        pytest.skip(missing)


def field(head: str, name: str) -> str:
    """A field's value in a head that curl printed."""
    return next(
        line.partition(":")[2].strip() for line in head.splitlines() if line.lower().startswith(f"{name}:")
    )
