"""The ears of a play: HTTP and DNS understood without the parsers under test."""

from __future__ import annotations

from ipaddress import ip_network

import dns.edns
import dns.message
import dns.rrset
import pytest

from nearcast.simulate.play.oracle import Oracle
from nearcast.simulate.play.overheard.dns_ear import Told, understood
from nearcast.simulate.play.overheard.ears import Ears
from nearcast.simulate.play.overheard.http_ear import RequestEar, Unintelligible
from nearcast.simulate.play.overheard.transfer import BROKEN_OFF, LEFT, WHOLE, Transfer
from nearcast.simulate.play.script import Films
from nearcast.simulate.world.tap import Ending

ENDS = (("192.0.2.1", 40000), ("198.51.100.1", 8080))


class Heard:
    """Remembers what the ears tell."""

    def __init__(self) -> None:
        self.transfers: list[Transfer] = []
        self.replies: list[Told] = []
        oracle = Oracle(Films(seconds=8, scale=0.01), ["film1"], lambda: 0.0)
        self.body = oracle.editions("/film1/v360/1.m4s")[0].octets
        self.ears = Ears(self, oracle, lambda: 1.0, lambda server, port: port == 8080, 5300)
        self.ears.opened(1, "viewer", "edge", ENDS)

    def ask(self, *targets: str, method: str = "GET") -> None:
        head = "".join(f"{method} {target} HTTP/1.1\r\nHost: a.test\r\n\r\n" for target in targets)
        self.ears.heard(1, True, head.encode())

    def answer(self, head: str, body: bytes = b"", cut: int = 7) -> None:
        octets = head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body
        for start in range(0, len(octets), cut):
            self.ears.heard(1, False, octets[start : start + cut])

    def asked(self, transfer: Transfer) -> None: ...
    def answered(self, transfer: Transfer) -> None: ...
    def dials(self, host: str, address: str) -> None: ...
    def undialled(self, host: str, address: str, given_up: bool) -> None: ...
    def parted(self, client: str, server: str) -> None: ...

    def transferred(self, transfer: Transfer) -> None:
        self.transfers.append(transfer)

    def told(self, told: Told) -> None:
        self.replies.append(told)

    def heard(self, told: Told) -> None:
        self.replies.append(told)


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_answers_belong_to_their_requests_in_order(heard: Heard) -> None:
    heard.ask("/film1/v360/1.m4s", "/nothing", "/film1/v360/1.m4s")
    heard.answer(f"HTTP/1.1 200 OK\ncontent-length: {len(heard.body)}", heard.body)
    first = heard.transfers[0]
    assert (first.outcome, first.status, first.size) == (WHOLE, 200, len(heard.body))
    assert first.editions and first.editions[0].octets == heard.body


def test_a_chunked_answer_ends_with_its_last_chunk(heard: Heard) -> None:
    heard.ask("/a", "/b")
    heard.answer("HTTP/1.1 200 OK\ntransfer-encoding: chunked", b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
    heard.answer("HTTP/1.1 304 Not Modified\ncontent-length: 500")
    assert [(each.target, each.status, each.size, each.outcome) for each in heard.transfers] == [
        ("/a", 200, 5, WHOLE),
        ("/b", 304, 0, WHOLE),
    ]


def test_interim_answers_and_answers_to_head_have_no_body(heard: Heard) -> None:
    heard.ask("/a", method="HEAD")
    heard.answer("HTTP/1.1 103 Early Hints\nlink: </b>")
    heard.answer("HTTP/1.1 200 OK\ncontent-length: 500")
    assert [(each.status, each.size) for each in heard.transfers] == [(200, 0)]


def test_another_byte_is_of_no_version(heard: Heard) -> None:
    heard.ask("/film1/v360/1.m4s")
    body = bytearray(heard.body)
    body[-1] ^= 1
    heard.answer(f"HTTP/1.1 200 OK\ncontent-length: {len(body)}", bytes(body))
    assert heard.transfers[0].editions == ()


def test_a_part_is_compared_at_its_place(heard: Heard) -> None:
    size = len(heard.body)
    for first in (10, 11):
        heard.ask("/film1/v360/1.m4s")
        place = f"bytes {first}-{first + 39}/{size}"
        head = f"HTTP/1.1 206 Partial Content\ncontent-length: 40\ncontent-range: {place}"
        heard.answer(head, heard.body[10:50])
    assert [bool(each.editions) for each in heard.transfers] == [True, False]


def test_a_whole_answer_that_is_too_short_is_of_no_version(heard: Heard) -> None:
    heard.ask("/film1/v360/1.m4s")
    heard.answer("HTTP/1.1 200 OK\ncontent-length: 40", heard.body[:40])
    assert heard.transfers[0].outcome == WHOLE and heard.transfers[0].editions == ()


@pytest.mark.parametrize(("how", "outcome"), [(Ending.EOF, BROKEN_OFF), (Ending.LEFT, LEFT)])
def test_what_ends_in_the_middle_was_broken_off_or_left(heard: Heard, how: Ending, outcome: str) -> None:
    heard.ask("/a")
    heard.answer("HTTP/1.1 200 OK\ncontent-length: 40", b"x" * 10)
    heard.ears.ended(1, False, how)
    assert (heard.transfers[0].outcome, heard.transfers[0].size) == (outcome, 10)


def test_without_a_length_the_end_of_the_connection_is_the_end(heard: Heard) -> None:
    heard.ask("/a")
    heard.answer("HTTP/1.1 200 OK\nserver: x", b"x" * 10)
    heard.ears.ended(1, False, Ending.EOF)
    assert (heard.transfers[0].outcome, heard.transfers[0].size) == (WHOLE, 10)


def test_nonsense_is_not_listened_to_any_more(heard: Heard) -> None:
    heard.ask("/a")
    heard.ears.heard(1, True, b"nonsense\r\n\r\n")
    assert heard.transfers[0].outcome == LEFT and not heard.ears.under_way
    with pytest.raises(Unintelligible):
        list(RequestEar().feed(b"x" * 300_000))


def test_a_reply_is_understood_with_scope_and_ttl() -> None:
    message = dns.message.make_response(dns.message.make_query("www.movie.test", "A"))
    message.use_edns(0, options=[dns.edns.ECSOption("203.0.113.0", 24, 20)])
    message.answer.append(dns.rrset.from_text("www.movie.test.", 30, "IN", "A", "192.0.2.7", "192.0.2.5"))
    reply = understood(message.to_wire())
    assert reply is not None
    assert (reply.subnet, reply.scope) == (ip_network("203.0.113.0/24"), 20)
    assert set(reply.addresses) == {"192.0.2.7", "192.0.2.5"} and reply.answer[0].ttl == 30


def test_a_denial_lasts_as_long_as_its_soa_says() -> None:
    message = dns.message.make_response(dns.message.make_query("no.movie.test", "A"))
    soa = "ns. admin. 1 2 3 4 17"
    message.authority.append(dns.rrset.from_text("movie.test.", 60, "IN", "SOA", soa))
    reply = understood(message.to_wire())
    assert reply is not None and reply.denial_seconds == 17


def test_questions_and_noise_are_no_replies(heard: Heard) -> None:
    assert understood(dns.message.make_query("a.test", "A").to_wire()) is None
    assert understood(b"\0" * 5) is None and understood(b"\xff" * 40) is None
