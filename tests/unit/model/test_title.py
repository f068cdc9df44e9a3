"""`title.json` is read back as it was written, or refused with every mistake in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nearcast.model.faults import OperatorFault
from nearcast.model.title import AudioTrack, Rendition, Title

TITLE = Title(
    name="Moving clock",
    seconds=8.0,
    segment_seconds=4.0,
    renditions=(
        Rendition(
            folder="v360", bandwidth=820_000, average_bandwidth=800_000, codecs="avc1.42c01e", segments=2,
            name="360p", width=640, height=360, frame_rate=25.0,
            progressive="progressive/360p.mp4", progressive_bytes=900_000,
        ),
    ),
    audio=AudioTrack(
        folder="a128", bandwidth=130_000, average_bandwidth=128_000, codecs="mp4a.40.2", segments=2,
        sample_rate=48_000, channels=2,
    ),
)  # fmt: skip


def test_it_survives_its_json() -> None:
    assert Title.from_json(TITLE.to_json()) == TITLE


def test_it_names_every_path_that_viewers_ask_for() -> None:
    assert list(TITLE.paths()) == [
        "manifest.mpd", "master.m3u8",
        "v360/playlist.m3u8", "v360/init.mp4", "v360/1.m4s", "v360/2.m4s",
        "a128/playlist.m3u8", "a128/init.mp4", "a128/1.m4s", "a128/2.m4s",
        "progressive/360p.mp4",
    ]  # fmt: skip


def test_a_rendition_is_found_by_its_name() -> None:
    assert TITLE.rendition("360p") is TITLE.renditions[0]
    assert TITLE.rendition("1080p") is None


def test_all_mistakes_are_reported_at_once() -> None:
    written: dict[str, Any] = json.loads(TITLE.to_json())
    written["seconds"] = -1
    written["renditions"][0]["width"] = "wide"
    written["colour"] = "blue"
    with pytest.raises(OperatorFault) as caught:
        Title.from_json(json.dumps(written))
    assert {each.path for each in caught.value.mistakes} >= {"seconds", "renditions.0.width", "colour"}


@pytest.mark.parametrize("folder", ["../secrets", "", "/etc", "a b"])
def test_a_folder_cannot_lead_out_of_the_title(folder: str) -> None:
    written = json.loads(TITLE.to_json())
    written["renditions"][0]["folder"] = folder
    with pytest.raises(OperatorFault):
        Title.from_json(json.dumps(written))


@pytest.mark.parametrize("text", ["", "not json", "[]", "null"])
def test_what_is_no_title_is_refused(text: str) -> None:
    with pytest.raises(OperatorFault, match="package it again"):
        Title.from_json(text)
