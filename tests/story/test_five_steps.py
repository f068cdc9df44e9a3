"""The five steps, from simple to subtle: two viewers, push, progressive, a slow line, a server that dies."""

from __future__ import annotations

import asyncio

from nearcast.lab.report import checks_of, matches_origin, statuses
from nearcast.player.bandwidth import read_bandwidth
from nearcast.player.viewing import Fetched
from nearcast.simulate.play.synthetic import RUNGS

EXPECTED_NAMES = ["DNS lookup", "CDN handover", "server selection", "DNS response", "content flow"]


def test_1_one_viewer_takes_the_five_steps(stage) -> None:
    showing = stage.play(lambda: stage.show("iowa"))
    assert showing.first.complete, showing.first.problem
    assert [step.name for step in showing.steps] == EXPECTED_NAMES
    handover, selection = showing.steps[1], showing.steps[2]
    assert handover.asked == "movie.test" and "movie.cdn.test" in handover.answer
    assert selection.asked == "cdn.test" and "203.0.113.0/24" in selection.question
    assert [c["pop"] for c in selection.why if c["chosen"]] == ["ia"]
    assert showing.pop == "ia"


def test_2_two_viewers_are_served_near_themselves_miss_then_hit_and_true_to_the_origin(stage) -> None:
    async def story():
        return [await stage.show("iowa"), await stage.show("frankfurt")]

    showings = stage.play(story)
    checks = checks_of(showings, stage.truth, pushed=False)
    assert len(checks) == 11
    assert all(checks.values()), checks
    assert [each.pop for each in showings] == ["ia", "fra"]


def test_3_pushed_titles_are_hits_for_the_first_viewer(stage) -> None:
    targets = [f"/{path}" for path in stage.files]

    async def story():
        reports = await stage.on("iowa", stage.audience.warm("movie", targets))
        return reports, [await stage.show("iowa"), await stage.show("frankfurt")]

    reports, showings = stage.play(story)
    assert {name: each["warmed"] for name, each in reports.items()} == dict.fromkeys(
        stage.fleet.servers, len(targets)
    )
    checks = checks_of(showings, stage.truth, pushed=True)
    assert all(checks.values()), checks


def test_4_progressive_streams_the_quality_the_viewer_names(stage) -> None:
    viewing = stage.play(lambda: stage.watch("iowa", quality="540p"))
    assert viewing.complete, viewing.problem
    assert viewing.mode == "progressive"
    assert matches_origin(viewing, stage.truth)
    assert any(url.endswith("/clock/progressive/540p.mp4") for url in viewing.digests)


def test_5_a_slow_line_gets_a_lower_rendition_and_the_player_switches_with_it(stage) -> None:
    lowest, highest = RUNGS[0][1], RUNGS[-1][1]

    async def story():
        slow = await stage.watch("iowa", bandwidth=read_bandwidth(f"{lowest - 100_000}"))
        fast = await stage.watch("iowa", bandwidth=read_bandwidth(f"{10 * highest}"))
        return slow, fast

    slow, fast = stage.play(story)
    assert slow.complete and fast.complete
    assert {f.rendition for f in slow.fetched if f.kind == "video"} == {"360p"}
    assert [f.rendition for f in fast.fetched if f.kind == "video"][-1] == "720p"
    assert fast.switches and all(choice.reason for choice in fast.choices)


def test_6_a_server_dies_in_the_middle_and_the_viewing_ends_complete_from_another(stage) -> None:
    killed: list[str] = []

    def kill_the_server(happening) -> None:
        if isinstance(happening, Fetched) and happening.kind == "video" and not killed:
            killed.append(happening.server_host.partition(".")[0])
            stage.kill(killed[0])

    viewing = stage.play(lambda: stage.watch("iowa", observer=kill_the_server))
    assert killed and viewing.complete, viewing.problem
    assert matches_origin(viewing, stage.truth)
    servers = [name.partition(".")[0] for name in viewing.servers]
    assert servers[0] == killed[0] and len(set(servers)) > 1
    assert any(event.kind == "failed" for event in viewing.events), viewing.events


def test_7_the_router_stops_naming_a_dead_server_and_names_it_again_when_it_is_back(stage) -> None:
    async def names_of_iowa() -> set[str]:
        target = "/explain?name=www.movie.test&client=203.0.113.7"
        record = await stage.on("iowa", stage.audience.admin(stage.audience.router_admin, target))
        return {server["name"] for server in record["servers"]}

    async def until(wanted: bool) -> None:
        async with asyncio.timeout(20):
            while ("ia1" in await names_of_iowa()) is not wanted:  # noqa: ASYNC110 - the router's own pace
                await asyncio.sleep(0.05)

    async def story() -> None:
        await until(True)
        stage.kill("ia1")
        await until(False)
        await stage.revive("ia1")
        await until(True)

    stage.play(story)


def test_8_a_restarted_server_still_has_what_it_stored(stage) -> None:
    async def story():
        first = await stage.watch("iowa")
        served = first.servers[0].partition(".")[0]
        stage.kill(served)
        await stage.revive(served)
        return first, await stage.watch("iowa")

    first, again = stage.play(story)
    assert set(statuses(first)) == {"miss"}
    assert again.complete and again.servers[0] == first.servers[0]
    assert set(statuses(again)) == {"hit"}


def test_9_the_lectures_names_work(lecture_stage) -> None:
    showing = lecture_stage.play(lambda: lecture_stage.show("iowa"))
    assert showing.first.complete, showing.first.problem
    assert showing.steps[1].asked == "movie.com"
    assert showing.first.servers[0] in {"ia1.cdn.com", "ia2.cdn.com"}
