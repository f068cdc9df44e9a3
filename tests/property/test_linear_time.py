"""Every codec reads what strangers send in time proportional to its length.

Hostile families: a delimiter, a quote, a blank, a letter repeated without end, at every kind of place of
an input that is well-formed otherwise; and long inputs of many small members, each well-formed. A codec
that goes back over what it has read, or copies what is left for each piece it takes, does work that grows
with the square of the length. At these lengths that is at least tens of seconds of computing, where going
through once is a few hundredths.

Nothing is compared with a clock: a child process has `CPU_SECONDS_MAX` of computing time (its own, however
busy the machine is) for each input, and is ended by the kernel when it goes beyond. It would be ended in
the middle of a regular expression or a copy just the same.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from itertools import product

import pytest
from tests.fuzz.codecs import BY_NAME, CODECS, Codec
from tests.fuzz.corpus import inputs

CPU_SECONDS_MAX = 5.0
REPEATED_BYTES = 128 * 1024  # four times the longest head
LONG_BYTES = 2 * 1024 * 1024

Family = tuple[str, Callable[[], bytes]]

PLACES_MAX = 4
UNITS = (b" ", b"\t", b",", b'"', b"\\", b"a", b"=", b"\r\n", b'\\"', b',"', b'a="', b"%41")
BINARY_UNITS = (b"\0", b"\1a", b"\x3f", b"\xc0\x0c", b"\xff", b"\xc0")
BINARY = {"dns-query", "dns-reply", "dns-name", "packet", "film-seconds"}
UNITS_OF = {
    "lines": (b"a", b"\n", b"\xff"),
    "head-in-pieces": (b"a", b"\r", b"\r\n"),
    "dash": (*UNITS[:7], b"<a>", b"<a/>", b"<S d='1'/>", b"&lt;", b"$Number$", b" a=''", b"<!--", b"]]>"),
    "zone": (b" ", b"a", b"a. A 192.0.2.1\n", b'"'),
}


def repeated(codec: Codec) -> Iterator[Family]:
    """One unit again and again, at up to PLACES_MAX places of each kept input, whose rest follows."""
    units = UNITS_OF.get(codec.name, BINARY_UNITS if codec.name in BINARY else UNITS)
    for octets in inputs(codec.name)[:2]:
        places = sorted({len(octets) * part // PLACES_MAX for part in range(PLACES_MAX + 1)})
        for at, unit in product(places, units):
            yield f"{octets[:at]!r} + {unit!r} * n + {octets[at:]!r}", _repeating(octets, at, unit)


def _repeating(octets: bytes, at: int, unit: bytes) -> Callable[[], bytes]:
    return lambda: octets[:at] + unit * (REPEATED_BYTES // len(unit)) + octets[at:]


_MPD = '<MPD mediaPresentationDuration="PT9S"><Period>'
_SET = '<AdaptationSet contentType="video">'
_TEMPLATE = '<SegmentTemplate media="$Number$" duration="99"/>'
_REPRESENTATION = '<Representation id="v{}" bandwidth="1"/>'
_LONG_NAME = f'<Representation id="{"x" * 8000}" bandwidth="1"/>'
_END = "</AdaptationSet></Period></MPD>"
_REQUEST = "GET / HTTP/1.1\r\nHost: a\r\n"

# Codec; what the members are; what comes before them; a member ({}: its number); what comes behind; how many.
MANY = (
    ("hls-master", "blanks before a quote", "#EXTM3U\n#EXT-X-MEDIA:A=", " ", '"', REPEATED_BYTES),
    ("cache-control", "blanks before a quote", "max-age=", " ", '"', REPEATED_BYTES),
    ("hls-master", "attributes", "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO", ",A{}=1", "", None),
    ("hls-master", "quoted attributes", "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO", ',A{}="1"', "", None),
    ("hls-master", "variants", "#EXTM3U\n", "#EXT-X-STREAM-INF:BANDWIDTH=1\nv{}\n", "", None),
    ("hls-media", "segments", "#EXTM3U\n", "#EXTINF:4,\n{}.m4s\n", "#EXT-X-ENDLIST\n", 20_000),
    ("hls-media", "maps", "#EXTM3U\n", '#EXT-X-MAP:URI="i"\n', "", None),
    ("dash", "representations", _MPD + _SET + _TEMPLATE, _REPRESENTATION, _END, None),
    ("dash", "sets", _MPD, _SET + _TEMPLATE + _REPRESENTATION + "</AdaptationSet>", "</Period></MPD>", None),
    ("dash", "elements to look behind", _MPD + _SET + "<a/>" * 200_000 + _TEMPLATE,
     _REPRESENTATION, _END, 900),
    ("dash", "a long value for many", f'{_MPD}<AdaptationSet mimeType="video{" " * 8000}">{_TEMPLATE}',
     _REPRESENTATION, _END, None),
    ("dash", "names of a long namespace", f'<x:MPD xmlns:x="{"u" * 1_000_000}">', "<x:a/>", "", None),
    ("dash", "long prefixes", "<MPD>", f"<{'x' * 4000}:a/>", "", None),
    ("dash", "text in pieces", f"{_MPD}<BaseURL>", "&amp;", "</BaseURL>", None),
    ("dash", "segments with a long name", f'{_MPD}{_SET}<SegmentTemplate media="$RepresentationID$$Number$">'
     "<SegmentTimeline>", '<S d="1"/>', f"</SegmentTimeline></SegmentTemplate>{_LONG_NAME}{_END}", 90_000),
    ("dash", "names in a name", f'{_MPD}{_SET}<SegmentTemplate duration="1" media="', "$RepresentationID$",
     f'"/>{_LONG_NAME}{_END}', 450),
    ("request-head", "lines of one name", _REQUEST, "a:\r\n", "\r\n", None),
    ("request-head", "lines", _REQUEST, "a{}:\r\n", "\r\n", 100_000),
    ("head-in-pieces", "a line without end", _REQUEST, "aaaa", "", None),
    ("response-head", "lines of one name", "HTTP/1.1 200 OK\r\n", "a:\r\n", "\r\n", None),
    ("chunked", "small chunks", "", "1\r\na\r\n", "0\r\n\r\n", 100_000),
    ("chunked-in-pieces", "small chunks", "", "1\r\na\r\n", "0\r\n\r\n", 50_000),
    ("cache-control", "members", "", 'a="b,c",', "", 100_000),
    ("cache-control", "what is no member", "", 'a b "c",', "", 100_000),
    ("structured-list", "members", "a", ',"b";c', "", 50_000),
    ("structured-dictionary", "members", "a", ",b{}", "", 50_000),
    ("cache-status", "reports", "a", ",b;hit", "", 20_000),
    ("conditions", "tags", "", '"a",', "", 50_000),
    ("conditions", "what is no tag", '"a"', ',   ,"a"', "x", 50_000),
    ("bandwidth", "steps", "", "{} 800k\n", "", 50_000),
    ("lines", "octets of one line", "", "a", "", None),
    ("film-seconds", "boxes", "", "\0\0\0\x08free", "", None),
)  # fmt: skip


def _many(before: str, member: str, after: str, count: int | None) -> bytes:
    numbers = range(count or LONG_BYTES // len(member))
    return f"{before}{''.join(member.replace('{}', str(number)) for number in numbers)}{after}".encode()


def _chained_query() -> bytes:
    """64 KiB: a chain of 8,000 pointers in the first record, from whose end 4,000 other records set out."""
    question = b"\0\0\1\0\1"
    start = 12 + len(question) + 11
    chain = b"\0\0" + b"".join((0xC000 | at).to_bytes(2, "big") for at in range(start, start + 16_000, 2))
    first = b"\0\0\x10\0\1\0\0\0\0" + len(chain).to_bytes(2, "big") + chain
    other = (0xC000 | start + 16_000).to_bytes(2, "big") + b"\0\x10\0\1\0\0\0\0\0\0"
    header = b"\0\5\0\0\0\1" + (4001).to_bytes(2, "big") + b"\0\0\0\0"
    return header + question + first + other * 4000


def stopped_at(codec: Codec, families: list[Family]) -> str:
    """The family at which `codec` took more than its computing time, "" when there is none."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the process
        try:
            for number, (_, make) in enumerate(families):
                octets = make()
                os.write(writing, number.to_bytes(4, "big"))
                signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS_MAX)
                try:
                    codec.read(octets)
                except codec.faults:
                    pass
                signal.setitimer(signal.ITIMER_PROF, 0)
            os._exit(0)
        except BaseException:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as progress:
        begun = progress.read()
    _, status = os.waitpid(child, 0)
    return "" if status == 0 else families[int.from_bytes(begun[-4:], "big")][0]


def test_a_codec_that_goes_back_over_blanks_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.CPU_SECONDS_MAX", 1.0)
    attribute = re.compile(rb'\s*([A-Z]+)=("[^"]*"|[^",]*)\s*(?:,|$)')
    found = stopped_at(
        Codec("hls-master", attribute.match), [("blanks", lambda: b"A=" + b" " * REPEATED_BYTES + b'"')]
    )
    assert found == "blanks"


def test_a_codec_that_copies_what_is_left_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def copying(octets: bytes) -> None:
        while octets:
            octets = octets[3:]

    monkeypatch.setattr(f"{__name__}.CPU_SECONDS_MAX", 1.0)
    families: list[Family] = [("short", lambda: b"a,b"), ("members", lambda: bytes(LONG_BYTES))]
    assert stopped_at(Codec("hls-master", copying), families) == "members"


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_repeated(codec: Codec) -> None:
    assert stopped_at(codec, list(repeated(codec))) == ""


@pytest.mark.parametrize(
    ("codec", "members", "before", "member", "after", "count"),
    [pytest.param(*each, id=f"{each[0]}, {each[1]}") for each in MANY],
)
def test_many_members(
    codec: str, members: str, before: str, member: str, after: str, count: int | None
) -> None:
    assert stopped_at(BY_NAME[codec], [(members, lambda: _many(before, member, after, count))]) == ""


def test_records_that_follow_one_chain_of_pointers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.CPU_SECONDS_MAX", 1.0)  # 64 KiB are the most there can be: milliseconds
    assert stopped_at(BY_NAME["dns-query"], [("chain", _chained_query)]) == ""
