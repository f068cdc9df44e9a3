"""Connections with the HTTP server, as scripts: what comes in, and what must go out, byte for byte.

The server's end is driven without sockets, on a loop whose clock the test moves by hand.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from nearcast.model.faults import UpstreamFault
from nearcast.serve.deadline import TURNS
from nearcast.serve.http_channel import Octets
from nearcast.serve.http_connection import LINGER_SECONDS, TURN_ANSWERS_MAX, HttpConnection
from nearcast.serve.http_requests import BODY_TAKE_BYTES, RequestReader
from nearcast.serve.http_server import Application, Exchange, HttpListener
from nearcast.serve.limits import HttpLimits, StreamLimits
from nearcast.wire.http import field_block
from nearcast.wire.http.field_block import FieldBlock, few_field_lines
from nearcast.wire.http.head import parse_request_head
from nearcast.wire.http.message import HttpFault, RequestHead

DATE = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
CLOCK = 784111777.5


class Wire(asyncio.Transport):
    """The transport of one connection: `said` is what the server has written so far."""

    def __init__(self, make_connection: Callable[[], HttpConnection]) -> None:
        super().__init__({"peername": ("192.0.2.7", 4711), "sockname": ("192.0.2.1", 80)})
        self.said = b""
        self.state = "open"  # half closed, closed, reset
        self.reading = True
        self.unsent = 0
        self.connection = make_connection()
        self.connection.connection_made(self)

    async def hear(self, *pieces: bytes) -> bytes:
        """Let the server hear `pieces` and work as long as it can; what it said since."""
        before = len(self.said)
        for piece in pieces:
            if self.state in ("open", "half closed"):
                self.connection.data_received(piece)
        await rest()
        return self.said[before:]

    async def hear_end(self) -> None:
        self.connection.eof_received()
        await rest()

    def fall_behind(self) -> None:
        self.connection.pause_writing()

    async def catch_up(self) -> None:
        self.connection.resume_writing()
        await rest()

    # --- what the server may call -----------------------------------------------------------------
    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert self.state == "open", f"written to a connection that is {self.state}"
        self.said += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        assert self.state == "open"
        self.state = "half closed"

    def close(self) -> None:
        if self.state in ("open", "half closed"):
            self.state = "closed"
            self.connection.connection_lost(None)

    def abort(self) -> None:
        if self.state in ("open", "half closed"):
            self.state = "reset"
            self.connection.connection_lost(None)

    def is_closing(self) -> bool:
        return self.state in ("closed", "reset")

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass


async def rest() -> None:
    for _ in range(4 * TURNS):
        await asyncio.sleep(0)


class Stage:
    """A listener with an application, time that stands still, and as many wires as wanted."""

    without_lane = False

    def __init__(self, application: Application, limits: HttpLimits | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time()
        self.loop.time = lambda: self.now  # type: ignore[method-assign]
        self.listener = HttpListener(application, lambda: CLOCK, limits or HttpLimits(), StreamLimits())
        if Stage.without_lane:
            self.listener.parse_head = parse_request_head

    def wire(self) -> Wire:
        return Wire(lambda: HttpConnection(self.listener))

    async def pass_time(self, seconds: float) -> None:
        self.now += seconds
        await rest()


def echo(exchange: Exchange) -> None:
    request = exchange.request
    text = f"{request.method} {request.target} {request.host} {exchange.body.decode()}"
    exchange.respond(200, {"a": "b"}, text.encode())


def answer(body: str, *, status: str = "200 OK", fields: str = "a: b\r\n", last: bool = False) -> bytes:
    close = "connection: close\r\n" if last else ""
    return f"HTTP/1.1 {status}\r\n{fields}{DATE}content-length: {len(body)}\r\n{close}\r\n{body}".encode()


def refusal(status: str, sentence: str) -> bytes:
    text = "content-type: text/plain; charset=utf-8\r\n"
    return answer(sentence + "\n", status=status, fields=text, last=True)


def play(scene: Callable[[], object]) -> None:
    asyncio.run(scene())  # type: ignore[arg-type]


@pytest.fixture(params=["core", "lane"], autouse=True)
def lane(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every connection goes the same with the head lane and without."""
    monkeypatch.setattr(Stage, "without_lane", request.param == "core")


GET = b"GET /a?b HTTP/1.1\r\nHost: X.test:80\r\n\r\n"
GET_ANSWER = answer("GET /a?b x.test ")
POST = b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: t\r\n\r\n"
)
PIPELINED = GET + POST + CHUNKED + b"\r\n" + GET
PIPELINED_ANSWER = GET_ANSWER + answer("POST /p x hello") + answer("POST /c x hello") + GET_ANSWER


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        (GET, GET_ANSWER),
        (b"\r\n" + GET, GET_ANSWER),
        (POST, answer("POST /p x hello")),
        (CHUNKED, answer("POST /c x hello")),
        (PIPELINED, PIPELINED_ANSWER),
        (b"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n", answer("BREW /pot x ")),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", answer("OPTIONS * x ")),
        (b"GET http://y.test/z HTTP/1.1\r\nHost: x\r\n\r\n", answer("GET /z y.test ")),
    ],
)
def test_a_request_is_answered_the_same_wherever_the_network_cuts_it(heard: bytes, said: bytes) -> None:
    async def scene() -> None:
        stage = Stage(echo)
        for cut in range(len(heard) + 1):
            wire = stage.wire()
            assert await wire.hear(heard[:cut], heard[cut:]) == said, f"cut at {cut}"
            assert wire.state == "open"
        wire = stage.wire()
        assert await wire.hear(*(heard[at : at + 1] for at in range(len(heard)))) == said

    play(scene)


@pytest.mark.parametrize(
    ("heard", "status"),
    [
        (b"GET /a HTTP/1.1\r\n\r\n", "400 Bad Request"),
        (b"GET /a HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400 Bad Request"),
        (b"GET /a HTTP/1.1\r\nHost: a b\r\n\r\n", "400 Bad Request"),
        (b"GET http://b/ HTTP/1.1\r\n\r\n", "400 Bad Request"),
        (b"GET http://b/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 Bad Request"),
        (b"GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx", "400 Bad Request"),
        (b"GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", "400 Bad Request"),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "400 Bad Request",
        ),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            "400 Bad Request",
        ),
        (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 Bad Request"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501 Not Implemented"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "400 Bad Request"),
        (b"GET /a HTTP/1.1\nHost: a\n\n", "400 Bad Request"),
        (b"GET /a HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", "400 Bad Request"),
        (b"GET /a HTTP/1.1\r\nHost : a\r\n\r\n", "400 Bad Request"),
        (b"GET /a HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", "400 Bad Request"),
        (b"GET /a HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", "400 Bad Request"),
        (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "400 Bad Request"),
        (b"GET /a\xff HTTP/1.1\r\nHost: a\r\n\r\n", "400 Bad Request"),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", "400 Bad Request"),
        (b"GET  /a HTTP/1.1\r\nHost: a\r\n\r\n", "400 Bad Request"),
        (b"GET /a\r\n\r\n", "400 Bad Request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400 Bad Request"),
        (b"GET /a HTTP/2.0\r\nHost: a\r\n\r\n", "505 HTTP Version Not Supported"),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "501 Not Implemented"),
        (b"GET /a HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 1000, "431 Request Header Fields Too Large"),
        (
            b"GET /a HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 1000 + b"\r\n\r\n",
            "431 Request Header Fields Too Large",
        ),
        (b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n", "413 Content Too Large"),
        (
            b"PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + b"x" * 255,
            "413 Content Too Large",
        ),
        (
            b"PUT /a HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\nContent-Length: 1\r\n\r\n",
            "417 Expectation Failed",
        ),
    ],
)
def test_what_two_readers_might_understand_differently_is_refused(heard: bytes, status: str) -> None:
    async def scene() -> None:
        stage = Stage(echo, HttpLimits(head_bytes_max=500, body_bytes_max=100))
        for pieces in ([heard], [heard[:9], heard[9:]], [heard[at : at + 1] for at in range(len(heard))]):
            wire = stage.wire()
            said = await wire.hear(*pieces)
            assert said.startswith(f"HTTP/1.1 {status}".encode()), said
            assert b"connection: close\r\n" in said
            assert wire.state == "half closed", "the peer may still be sending: its answer must survive"
            assert await wire.hear(GET) == b"", "nothing after a refused request is understood"
            await stage.pass_time(LINGER_SECONDS)
            assert wire.state == "closed"
        assert stage.listener.counters.refused_total == 3

    play(scene)


def test_a_head_request_gets_the_head_alone() -> None:
    async def scene() -> None:
        wire = Stage(echo).wire()
        said = await wire.hear(GET.replace(b"GET", b"HEAD"))
        assert said == answer("HEAD /a?b x.test ").removesuffix(b"HEAD /a?b x.test ")

    play(scene)


@pytest.mark.parametrize(("status", "line"), [(204, b"204 No Content"), (304, b"304 Not Modified")])
def test_some_statuses_have_no_body(status: int, line: bytes) -> None:
    async def scene() -> None:
        wire = Stage(lambda exchange: exchange.respond(status, {"etag": '"e"'}, b"ignored")).wire()
        assert await wire.hear(GET) == b"HTTP/1.1 " + line + b'\r\netag: "e"\r\n' + DATE.encode() + b"\r\n"

    play(scene)


def test_who_expects_100_continue_gets_it_before_the_body() -> None:
    async def scene() -> None:
        head = b"PUT /p HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        wire = Stage(echo).wire()
        assert await wire.hear(head) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert await wire.hear(b"hi") == answer("PUT /p x hi")
        assert await wire.hear(head + b"hi") == answer("PUT /p x hi"), "the body is here already"

    play(scene)


@pytest.mark.parametrize(
    ("heard", "fields"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", b"connection: close\r\n"),
        (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", b"connection: keep-alive\r\n"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n", b"connection: close\r\n"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", b""),
    ],
)
def test_the_connection_lives_as_long_as_both_want(heard: bytes, fields: bytes) -> None:
    async def scene() -> None:
        wire = Stage(lambda exchange: exchange.respond(200, {}, b"!")).wire()
        said = await wire.hear(heard)
        end = b"content-length: 1\r\n" + fields + b"\r\n!"
        assert said == b"HTTP/1.1 200 OK\r\n" + DATE.encode() + end
        assert wire.state == ("closed" if b"close" in fields else "open")

    play(scene)


def test_the_application_may_end_the_connection() -> None:
    async def scene() -> None:
        wire = Stage(lambda exchange: exchange.respond(200, {"connection": "close"})).wire()
        assert (await wire.hear(GET)).count(b"connection: close\r\n") == 1
        assert wire.state == "closed"

    play(scene)


def test_a_connection_carries_a_bounded_number_of_requests() -> None:
    async def scene() -> None:
        wire = Stage(echo, HttpLimits(requests_per_connection_max=2)).wire()
        assert await wire.hear(GET) == GET_ANSWER
        assert await wire.hear(GET) == answer("GET /a?b x.test ", last=True)
        assert wire.state == "closed"

    play(scene)


def test_a_slow_head_is_refused_however_it_trickles() -> None:
    async def scene() -> None:
        stage = Stage(echo, HttpLimits(head_seconds_max=10))
        wire = stage.wire()
        await stage.pass_time(20)  # before its first byte a head takes no time
        for octet in GET[:9]:
            assert await wire.hear(bytes([octet])) == b""
            await stage.pass_time(1)
        assert wire.state == "open"
        await stage.pass_time(1)
        assert wire.said.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert wire.state == "half closed"

    play(scene)


def test_empty_lines_now_and_then_hold_no_connection() -> None:
    async def scene() -> None:
        stage = Stage(echo)
        wire = stage.wire()
        assert await wire.hear(GET) == GET_ANSWER
        for _ in range(3):
            assert await wire.hear(b"\r\n") == b""
            await stage.pass_time(StreamLimits().idle_seconds / 3)
        assert wire.state == "closed"

    play(scene)


def test_answers_move_the_idle_deadline() -> None:
    async def scene() -> None:
        stage = Stage(echo)
        wire = stage.wire()
        for _ in range(5):
            await stage.pass_time(StreamLimits().idle_seconds * 0.9)
            assert await wire.hear(GET) == GET_ANSWER

    play(scene)


def test_a_request_that_has_begun_is_not_cut_short_by_the_idle_deadline() -> None:
    async def scene() -> None:
        stage = Stage(echo)
        wire = stage.wire()
        await stage.pass_time(StreamLimits().idle_seconds - 1)
        await wire.hear(GET[:9])
        await stage.pass_time(2)
        assert await wire.hear(GET[9:]) == GET_ANSWER

    play(scene)


def test_a_slow_body_is_refused() -> None:
    async def scene() -> None:
        stage = Stage(echo, HttpLimits(body_seconds_max=5))
        wire = stage.wire()
        assert await wire.hear(POST[:-1]) == b""
        await stage.pass_time(5)
        assert wire.said.startswith(b"HTTP/1.1 408 Request Timeout\r\n")

    play(scene)


def test_a_whole_request_leaves_no_clock_running() -> None:
    async def scene() -> None:
        stage = Stage(echo)
        wire = stage.wire()
        await wire.hear(GET[:5], GET[5:])
        await wire.hear(POST[:-1], POST[-1:])
        before = wire.said
        await stage.pass_time(StreamLimits().idle_seconds - 1)
        assert (wire.said, wire.state) == (before, "open")
        await stage.pass_time(2)
        assert (wire.said, wire.state) == (before, "closed"), "idle connections end without a word"

    play(scene)


def test_an_application_at_work_is_not_idle() -> None:
    async def scene() -> None:
        ready = asyncio.Event()

        async def slow(exchange: Exchange) -> None:
            await ready.wait()
            echo(exchange)

        stage = Stage(slow)
        wire = stage.wire()
        assert await wire.hear(GET) == b""
        await stage.pass_time(100)
        ready.set()
        await rest()
        assert wire.said == GET_ANSWER

    play(scene)


def test_requests_wait_for_their_turn_and_in_bounds() -> None:
    async def scene() -> None:
        turns: list[asyncio.Future[None]] = []

        async def slow(exchange: Exchange) -> None:
            turns.append(stage.loop.create_future())
            await turns[-1]
            echo(exchange)

        stage = Stage(slow, HttpLimits(head_bytes_max=80))
        wire = stage.wire()
        assert await wire.hear(GET, POST) == b""
        assert (len(turns), wire.reading) == (1, True)
        await wire.hear(GET)
        assert (len(turns), wire.reading) == (1, False), "it asks faster than it is answered"
        for _ in range(3):
            turns[-1].set_result(None)
            await rest()
        assert wire.said == GET_ANSWER + answer("POST /p x hello") + GET_ANSWER
        assert wire.reading

    play(scene)


def test_who_asks_for_much_at_once_lets_others_have_their_turn() -> None:
    async def scene() -> None:
        stage = Stage(echo)
        greedy, modest = stage.wire(), stage.wire()
        greedy.connection.data_received(GET * 1000)
        modest.connection.data_received(GET)
        assert greedy.said == GET_ANSWER * TURN_ANSWERS_MAX
        assert modest.said == GET_ANSWER
        greedy.connection.data_received(POST)
        assert greedy.said == GET_ANSWER * TURN_ANSWERS_MAX, "more bytes bring no further turn"
        assert not greedy.reading, "and what waits is bounded"
        while len(greedy.said) < len(GET_ANSWER) * 1000:  # turn by turn
            before = len(greedy.said)
            await asyncio.sleep(0)
            assert len(greedy.said) - before <= len(GET_ANSWER) * TURN_ANSWERS_MAX
        await rest()
        assert greedy.said == GET_ANSWER * 1000 + answer("POST /p x hello"), "in their order"
        assert greedy.reading

    play(scene)


def test_a_peer_that_leaves_or_is_refused_has_no_further_turn() -> None:
    async def scene() -> None:
        stage = Stage(echo)
        leaves, errs = stage.wire(), stage.wire()
        leaves.connection.data_received(GET * 100)
        errs.connection.data_received(GET * TURN_ANSWERS_MAX + b"?\r\n\r\n" + GET)
        leaves.abort()
        await rest()
        assert leaves.said == GET_ANSWER * TURN_ANSWERS_MAX
        assert errs.said.startswith(GET_ANSWER * TURN_ANSWERS_MAX + b"HTTP/1.1 400 Bad Request")
        assert errs.state == "half closed"

    play(scene)


def test_a_peer_is_not_read_again_before_what_it_sent_is_answered() -> None:
    async def scene() -> None:
        turns: list[asyncio.Future[None]] = []

        async def slow(exchange: Exchange) -> None:
            turns.append(stage.loop.create_future())
            await turns[-1]
            echo(exchange)

        stage = Stage(slow, HttpLimits(head_bytes_max=80))
        wire = stage.wire()
        await wire.hear(GET * 10)
        while len(turns) < 9:
            assert not wire.reading, f"{10 - len(turns)} requests still wait"
            turns[-1].set_result(None)
            await rest()
        assert wire.reading

    play(scene)


def test_pipelined_requests_are_not_copied_again_and_again() -> None:
    """Reading takes steps in proportion to the bytes, not to their square."""
    copied = 0

    class Watched(bytes):
        def __getitem__(self, key: object) -> object:  # type: ignore[override]
            nonlocal copied
            taken = bytes.__getitem__(self, key)  # type: ignore[index]
            copied += len(taken) if isinstance(taken, bytes) else 1
            return taken

    for message in (GET, POST, CHUNKED, b"\r\n" + GET):
        copied = 0
        reader = RequestReader(parse_request_head, HttpLimits())
        heard = Watched(message * 2000)
        reader.feed(heard)
        for _ in range(2000):
            assert reader.next() is not None
        assert reader.unread_bytes == 0
        assert copied <= 2 * len(heard) + 2000 * BODY_TAKE_BYTES


def test_a_peer_that_takes_no_answers_gets_no_further_ones() -> None:
    async def scene() -> None:
        wire = Stage(echo).wire()
        wire.fall_behind()
        assert await wire.hear(GET + GET) == b""
        await wire.catch_up()
        assert wire.said == GET_ANSWER * 2

    play(scene)


def test_a_peer_that_stopped_reading_is_reset_when_nothing_moves() -> None:
    async def scene() -> None:
        stage = Stage(echo)
        wire = stage.wire()
        await wire.hear(GET)
        wire.unsent = 500_000
        await stage.pass_time(31)
        wire.unsent = 400_000
        await stage.pass_time(31)
        assert wire.state == "open", "slow, but it reads"
        await stage.pass_time(31)
        assert wire.state == "reset"

    play(scene)


@pytest.mark.parametrize("rest_of_it", [b"", GET[:7]])
def test_a_half_closed_peer_still_gets_its_answers(rest_of_it: bytes) -> None:
    async def scene() -> None:
        ready = asyncio.Event()

        async def slow(exchange: Exchange) -> None:
            await ready.wait()
            echo(exchange)

        wire = Stage(slow).wire()
        await wire.hear(GET + POST + rest_of_it)
        await wire.hear_end()
        assert wire.state == "open"
        ready.set()
        await rest()
        assert wire.said == GET_ANSWER + answer("POST /p x hello")
        assert wire.state == "closed"

    play(scene)


def test_a_peer_that_is_gone_cancels_the_application() -> None:
    async def scene() -> None:
        fate: list[str] = []

        async def slow(exchange: Exchange) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                fate.append("cancelled")
                raise

        wire = Stage(slow).wire()
        await wire.hear(GET)
        wire.abort()
        await rest()
        assert fate == ["cancelled"]

    play(scene)


async def stream(exchange: Exchange, *pieces: bytes, length: int | None) -> None:
    exchange.begin(200, {}, length)
    for piece in pieces:
        await exchange.write(piece)
    exchange.end()


def test_a_body_of_unknown_length_goes_in_chunks() -> None:
    async def scene() -> None:
        stage = Stage(lambda exchange: stream(exchange, b"hello", b"", b"w" * 16, length=None))
        head = f"HTTP/1.1 200 OK\r\n{DATE}".encode()
        wire = stage.wire()
        said = await wire.hear(GET)
        chunks = b"5\r\nhello\r\n10\r\nwwwwwwwwwwwwwwww\r\n0\r\n\r\n"
        assert said == head + b"transfer-encoding: chunked\r\n\r\n" + chunks
        said = await wire.hear(GET.replace(b"GET", b"HEAD"))
        assert said == head + b"transfer-encoding: chunked\r\n\r\n"
        said = await wire.hear(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert said == head + b"connection: close\r\n\r\nhello" + b"w" * 16
        assert wire.state == "closed"

    play(scene)


@pytest.mark.parametrize("pieces", [(b"hell",), (b"hello", b"!")])
def test_a_body_that_is_not_as_long_as_announced_breaks_the_connection(
    pieces: tuple[bytes, ...], caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        stage = Stage(lambda exchange: stream(exchange, *pieces, length=5))
        wire = stage.wire()
        said = await wire.hear(GET)
        assert said.endswith(b"\r\n\r\n" + pieces[0])
        assert wire.state == "reset"
        assert (stage.listener.counters.crashes_total, stage.listener.counters.broken_off_total) == (1, 1)

    play(scene)
    assert "announced" in caplog.text


def test_writing_waits_for_a_peer_that_has_fallen_behind() -> None:
    async def scene() -> None:
        wire = Stage(lambda exchange: stream(exchange, b"one", b"two", length=6)).wire()
        wire.connection.data_received(GET)
        wire.fall_behind()
        await rest()
        assert wire.said.endswith(b"one")
        await wire.catch_up()
        assert wire.said.endswith(b"onetwo")

    play(scene)


def test_waiting_for_a_peer_ends_when_it_is_gone() -> None:
    async def scene() -> None:
        fate: list[BaseException] = []

        async def application(exchange: Exchange) -> None:
            try:
                await asyncio.shield(stream(exchange, b"one", b"two", length=6))
            except BaseException as fault:
                fate.append(fault)
                raise

        stage = Stage(application)
        wire = stage.wire()
        wire.connection.data_received(GET)
        wire.fall_behind()
        await rest()
        wire.abort()
        await rest()
        assert len(fate) == 1
        assert stage.listener.counters.crashes_total == 0

    play(scene)


def crash(exchange: Exchange) -> None:
    raise KeyError("ours")


async def crash_later(exchange: Exchange) -> None:
    await asyncio.sleep(0)
    raise KeyError("ours")


async def crash_midway(exchange: Exchange) -> None:
    exchange.begin(200, {}, 5)
    raise KeyError("ours")


def forget(exchange: Exchange) -> None:
    pass


def inject(exchange: Exchange) -> None:
    exchange.respond(200, {"location": "/\r\nset-cookie: a=b"})


@pytest.mark.parametrize("application", [crash, crash_later, forget, inject])
def test_a_crash_of_the_application_is_our_fault(
    application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        stage = Stage(application)
        wire = stage.wire()
        said = await wire.hear(GET + GET)
        assert said == refusal("500 Internal Server Error", "This server made a mistake.")
        assert stage.listener.counters.crashes_total == 1
        assert stage.listener.counters.requests_total[5] == 1
        await stage.pass_time(LINGER_SECONDS)
        assert wire.state == "closed"

    play(scene)
    assert "the application crashed on GET /a?b" in caplog.text


def assert_wrongly(exchange: Exchange) -> None:
    raise AssertionError("state is wrong")


async def assert_wrongly_midway(exchange: Exchange) -> None:
    exchange.begin(200, {}, 5)
    raise AssertionError("state is wrong")


@pytest.mark.parametrize(
    ("application", "state", "ends"),
    [
        (assert_wrongly, "closed", True),
        (forget, "closed", True),
        (assert_wrongly_midway, "reset", True),
        (crash, "closed", False),
        (crash_midway, "reset", False),
    ],
)
def test_a_failed_assertion_is_answered_and_told_to_the_loop(
    application: Application, state: str, ends: bool
) -> None:
    async def scene() -> None:
        told: list[dict[str, object]] = []
        stage = Stage(application)
        stage.loop.set_exception_handler(lambda _, context: told.append(context))
        wire = stage.wire()
        assert (await wire.hear(GET)).startswith(b"HTTP/1.1 500" if state == "closed" else b"HTTP/1.1 200")
        assert wire.state == state
        assert [type(each["exception"]) for each in told] == [AssertionError] * ends

    play(scene)


@pytest.mark.parametrize("status", [100 + 499, 600, 666, 999])
def test_an_answer_of_any_status_is_counted_and_the_next_request_answered(status: int) -> None:
    async def scene() -> None:
        stage = Stage(lambda exchange: exchange.respond(status, {}, b"hi"))
        said = await stage.wire().hear(GET + GET)
        assert said.count(b"HTTP/1.1 %d " % status) == 2
        assert stage.listener.counters.requests_total[5 if status < 600 else 0] == 2
        assert stage.listener.counters.crashes_total == 0

    play(scene)


@pytest.mark.parametrize("fault", [KeyError("ours"), UpstreamFault("a", "gone"), HttpFault(400, "yours")])
def test_an_answer_that_has_begun_is_broken_off(fault: Exception, caplog: pytest.LogCaptureFixture) -> None:
    async def application(exchange: Exchange) -> None:
        exchange.begin(200, {}, 5)
        raise fault

    async def scene() -> None:
        wire = Stage(application).wire()
        assert (await wire.hear(GET)).endswith(b"content-length: 5\r\n\r\n")
        assert wire.state == "reset"

    play(scene)
    assert bool(caplog.records) == isinstance(fault, KeyError)


@pytest.mark.parametrize(
    ("fault", "line", "text"),
    [
        (HttpFault(404, "Not here."), b"404 Not Found", b"Not here.\n"),
        (UpstreamFault("10.0.0.1:80", "no answer"), b"502 Bad Gateway", b"10.0.0.1:80: no answer\n"),
    ],
)
def test_faults_of_others_are_answered_and_the_connection_lives(
    fault: Exception, line: bytes, text: bytes
) -> None:
    def application(exchange: Exchange) -> None:
        raise fault

    async def scene() -> None:
        stage = Stage(application)
        wire = stage.wire()
        said = await wire.hear(GET)
        assert said.startswith(b"HTTP/1.1 " + line) and said.endswith(b"\r\n\r\n" + text)
        assert (wire.state, stage.listener.counters.crashes_total) == ("open", 0)

    play(scene)


def test_draining_ends_idle_connections_and_lets_others_finish() -> None:
    async def scene() -> None:
        ready = asyncio.Event()

        async def slow(exchange: Exchange) -> None:
            await ready.wait()
            echo(exchange)

        stage = Stage(slow)
        idle, busy, halfway = stage.wire(), stage.wire(), stage.wire()
        await busy.hear(GET + GET)
        await halfway.hear(POST[:-2])
        draining = asyncio.ensure_future(stage.listener.drain(5))
        await rest()
        assert (idle.state, busy.state, halfway.state) == ("closed", "open", "open")
        ready.set()
        await halfway.hear(POST[-2:])
        assert busy.said == answer("GET /a?b x.test ", last=True)
        assert halfway.said == answer("POST /p x hello", last=True)
        assert halfway.state == "closed"
        await busy.hear_end()
        await draining

    play(scene)


def test_answers_are_counted_and_told() -> None:
    async def scene() -> None:
        stage = Stage(echo)
        told: list[tuple[str, int, int]] = []
        stage.listener.on_answered = lambda exchange: told.append(
            (exchange.request.target, exchange.status, exchange.bytes_sent)
        )
        wire = stage.wire()
        await wire.hear(GET, POST, b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert told == [("/a?b", 200, 16), ("/p", 200, 15), ("/", 200, 0)]
        assert stage.listener.counters.requests_total == [0, 0, 3, 0, 0, 0]
        assert stage.listener.counters.bytes_sent_total == 31

    play(scene)


def test_an_exchange_knows_both_ends() -> None:
    async def scene() -> None:
        ends: list[object] = []

        def application(exchange: Exchange) -> None:
            ends.extend([exchange.peer, exchange.local])
            exchange.respond(204, {})

        await Stage(application).wire().hear(GET)
        assert ends == [("192.0.2.7", 4711), ("192.0.2.1", 80)]

    play(scene)


BLOCK = FieldBlock({"etag": '"e"', "connection": "close"})


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        ({}, 'etag: "e"\r\n'),
        ({"age": "7"}, 'etag: "e"\r\nage: 7\r\n'),
        ({"etag": '"f"'}, 'etag: "f"\r\n'),
        ({"age": "7", "upgrade": "h2c"}, 'etag: "e"\r\nage: 7\r\n'),
    ],
)
@pytest.mark.parametrize("fields", [BLOCK, {"etag": '"e"'}])
def test_fields_may_be_a_block_and_some_more(
    fields: FieldBlock | dict[str, str], more: dict[str, str], lines: str
) -> None:
    async def begun(exchange: Exchange) -> None:
        exchange.begin(200, fields, 2, more)
        await exchange.write(b"hi")
        exchange.end()

    async def scene() -> None:
        for application in (lambda exchange: exchange.respond(200, fields, b"hi", more), begun):
            wire = Stage(application).wire()
            assert await wire.hear(GET) == answer("hi", fields=lines)
            assert wire.state == "open", "a block says nothing of the connection"

    play(scene)


def test_a_block_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        block = FieldBlock({"etag": '"e"', "x": "é"})
        few_field_lines({"age": "", "cache-status": ""})  # their names have been seen
        monkeypatch.setattr(field_block, "_FIELD_LINES", None)
        monkeypatch.setattr(field_block, "_VALUE", None)
        more = {"age": "7", "cache-status": "ia1; hit; ttl=3"}
        wire = Stage(lambda exchange: exchange.respond(200, block, b"", more)).wire()
        assert (await wire.hear(GET)).startswith(b'HTTP/1.1 200 OK\r\netag: "e"\r\nx: \xe9\r\nage: 7\r\n')

    play(scene)


def test_a_field_of_more_cannot_break_out_of_its_line(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        more = {"location": "/\r\nset-cookie: a=b"}
        wire = Stage(lambda exchange: exchange.respond(200, BLOCK, b"", more)).wire()
        assert await wire.hear(GET) == refusal("500 Internal Server Error", "This server made a mistake.")

    play(scene)
    assert "forbidden characters" in caplog.text


class OneAnswer:
    """A channel that is no HTTP/1.1: it notes what it is told."""

    peer, local, gone, peer_reads = ("192.0.2.7", 4711), ("192.0.2.1", 80), False, True

    def __init__(self) -> None:
        self.told: list[object] = []

    def begin(self, status: int, fields: object, more: object, length: int | None, octets: Octets) -> None:
        self.told.append((status, fields, more, length, bytes(octets)))

    def write(self, octets: Octets) -> None:
        self.told.append(bytes(octets))

    async def until_peer_reads(self) -> None:
        self.told.append("waited")

    def end(self) -> None:
        self.told.append("end")

    def break_off(self) -> None:
        self.told.append("broken off")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_exchange_needs_no_more_than_a_channel(method: str) -> None:
    async def scene() -> None:
        seen = method == "GET"
        at_once, in_pieces, short = OneAnswer(), OneAnswer(), OneAnswer()
        Exchange(at_once, RequestHead(method, "/", {}), b"").respond(200, BLOCK, b"hi", {"age": "7"})
        assert at_once.told == [(200, BLOCK, {"age": "7"}, 2, b"hi" if seen else b""), "end"]
        await stream(Exchange(in_pieces, RequestHead(method, "/", {}), b""), b"h", b"i", length=None)
        assert in_pieces.told == [(200, {}, {}, None, b""), *([b"h", b"i"] if seen else []), "end"]
        exchange = Exchange(short, RequestHead(method, "/", {}), b"")
        exchange.begin(200, {}, 5)
        if seen:
            with pytest.raises(AssertionError, match="shorter than announced"):
                exchange.end()
            assert short.told[-1] == "broken off"

    play(scene)


def test_a_large_body_is_not_copied() -> None:
    async def scene() -> None:
        body = memoryview(bytes(100_000))
        wire = Stage(lambda exchange: exchange.respond(200, {}, body)).wire()
        pieces: list[object] = []
        wire.writelines = lambda lines: pieces.extend(lines)  # type: ignore[method-assign, assignment]
        await wire.hear(GET)
        assert pieces[1] is body

    play(scene)


def test_nothing_is_logged_for_a_plain_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="nearcast")

    async def scene() -> None:
        await Stage(echo).wire().hear(GET)

    play(scene)
    assert not caplog.records
