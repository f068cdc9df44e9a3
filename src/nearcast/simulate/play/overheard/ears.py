"""The ears of a play: they listen to the tap of its world and tell whole transfers and DNS replies.

Streams are followed at both ends: requests as servers' programs get them, answers as clients' programs do.
Bodies are compared with every version that the oracle knows while they come; nothing of them is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from nearcast.simulate.play.oracle import Oracle
from nearcast.simulate.play.overheard.dns_ear import Told, understood
from nearcast.simulate.play.overheard.http_ear import (
    BodyEnd,
    HeadSeen,
    RequestEar,
    ResponseEar,
    Unintelligible,
)
from nearcast.simulate.play.overheard.transfer import BROKEN_OFF, LEFT, WHOLE, Transfer
from nearcast.simulate.world.tap import Ending

Address = tuple[str, int] | tuple[str, int, int, int]


class Listener(Protocol):
    """Who is told. Names of hosts are those of the world."""

    def asked(self, transfer: Transfer) -> None: ...
    def answered(self, transfer: Transfer) -> None: ...
    def transferred(self, transfer: Transfer) -> None: ...
    def told(self, told: Told) -> None: ...
    def heard(self, told: Told) -> None: ...
    def dials(self, host: str, address: str) -> None: ...
    def undialled(self, host: str, address: str, given_up: bool) -> None: ...
    def parted(self, client: str, server: str) -> None: ...


class _Conversation:
    """One HTTP connection that is listened to."""

    def __init__(self, client: str, server: str) -> None:
        self.client, self.server = client, server
        self.requests, self.responses = RequestEar(), ResponseEar()
        self.waiting: deque[Transfer] = deque()

    def method(self) -> str:
        """Of the request that is answered next."""
        return self.waiting[0].method if self.waiting else "GET"


class Ears:
    """A `Tap`. `listens_to(server, port)` says whose HTTP is of interest, `dns_port` where DNS is spoken."""

    def __init__(
        self,
        listener: Listener,
        oracle: Oracle,
        now: Callable[[], float],
        listens_to: Callable[[str, int], bool],
        dns_port: int,
    ) -> None:
        self._listener = listener
        self._oracle = oracle
        self._now = now
        self._listens_to = listens_to
        self._dns_port = dns_port
        self._conversations: dict[int, _Conversation] = {}
        self._dns: dict[int, tuple[str, str, bytes]] = {}  # TCP: client, server, what was read so far

    # --- the tap ----------------------------------------------------------------------------------
    def dials(self, host: str, remote: Address) -> None:
        self._listener.dials(host, remote[0])

    def undialled(self, host: str, remote: Address, given_up: bool) -> None:
        self._listener.undialled(host, remote[0], given_up)

    def opened(self, number: int, client: str, server: str, ends: tuple[Address, Address]) -> None:
        port = ends[1][1]
        if port == self._dns_port:
            self._dns[number] = client, server, b""
        elif self._listens_to(server, port):
            self._conversations[number] = _Conversation(client, server)

    def heard(self, number: int, accepting: bool, octets: bytes) -> None:
        conversation = self._conversations.get(number)
        if conversation is not None:
            try:
                if accepting:
                    self._request(number, conversation, octets)
                else:
                    self._response(conversation, octets)
            except (Unintelligible, ValueError):
                del self._conversations[number]
                self._over(conversation, LEFT)
        elif not accepting and number in self._dns:
            self._stream(number, octets)

    def ended(self, number: int, accepting: bool, how: Ending) -> None:
        self._dns.pop(number, None)
        conversation = self._conversations.get(number)
        if conversation is None:
            return
        if accepting:
            if how is not Ending.EOF:
                for each in conversation.waiting:
                    each.dropped = True
            return
        del self._conversations[number]
        if how is Ending.EOF and conversation.responses.until_close:
            self._end(conversation, WHOLE)
        self._over(conversation, BROKEN_OFF if how in (Ending.EOF, Ending.BROKEN) else LEFT)
        self._listener.parted(conversation.client, conversation.server)

    def sent(self, host: str, source: Address, remote: Address, octets: bytes) -> None:
        if source[1] == self._dns_port and (reply := understood(octets)) is not None:
            self._listener.told(Told(self._now(), host, remote[0], reply))

    def arrived(self, host: str, source: Address, local: Address, octets: bytes) -> None:
        if source[1] == self._dns_port and (reply := understood(octets)) is not None:
            self._listener.heard(Told(self._now(), source[0], host, reply))

    # --- DNS over TCP -----------------------------------------------------------------------------
    def _stream(self, number: int, octets: bytes) -> None:
        client, server, read = self._dns[number]
        read += octets
        while len(read) >= 2 and len(read) >= 2 + (size := int.from_bytes(read[:2], "big")):
            message, read = read[2 : 2 + size], read[2 + size :]
            if (reply := understood(message)) is not None:
                self._listener.told(Told(self._now(), server, client, reply))
                self._listener.heard(Told(self._now(), server, client, reply))
        self._dns[number] = client, server, read

    # --- HTTP -------------------------------------------------------------------------------------
    def _request(self, number: int, conversation: _Conversation, octets: bytes) -> None:
        now = self._now()
        for seen in conversation.requests.feed(octets):
            transfer = Transfer(number, conversation.client, conversation.server, *seen, asked=now, moved=now)
            transfer.turn = not conversation.waiting
            conversation.waiting.append(transfer)
            self._listener.asked(transfer)

    def _response(self, conversation: _Conversation, octets: bytes) -> None:
        waiting = conversation.waiting
        for event in conversation.responses.feed(octets, conversation.method):
            if not waiting:
                raise Unintelligible("an answer to no question")
            transfer = waiting[0]
            transfer.moved = self._now()
            if isinstance(event, HeadSeen):
                self._begin(transfer, event)
            elif isinstance(event, BodyEnd):
                self._end(conversation, WHOLE)
            else:
                _take(transfer, event)

    def _begin(self, transfer: Transfer, head: HeadSeen) -> None:
        transfer.status, transfer.fields, transfer.announced = head
        transfer.answered = self._now()
        if transfer.gives and transfer.method == "GET":
            first, whole = _place(transfer)
            transfer.first = first
            known = self._oracle.editions(transfer.path)
            transfer.editions = (
                tuple(each for each in known if whole is None or whole == len(each.octets)) if known else None
            )
        self._listener.answered(transfer)

    def _end(self, conversation: _Conversation, outcome: str) -> None:
        transfer = conversation.waiting.popleft()
        transfer.outcome, transfer.ended = outcome, self._now()
        transfer.turn = False
        if outcome == WHOLE and transfer.editions and transfer.status == 200:
            whole = tuple(each for each in transfer.editions if len(each.octets) == transfer.size)
            transfer.editions = whole
        if conversation.waiting:
            conversation.waiting[0].turn = True
            conversation.waiting[0].moved = self._now()
        self._listener.transferred(transfer)

    def _over(self, conversation: _Conversation, outcome: str) -> None:
        while conversation.waiting:
            self._end(conversation, outcome)

    @property
    def under_way(self) -> list[Transfer]:
        """Every transfer that has not ended, in the order of their connections."""
        return [each for conversation in self._conversations.values() for each in conversation.waiting]


def _place(transfer: Transfer) -> tuple[int, int | None]:
    """Where the body begins in the content, and how large the content is said to be."""
    if transfer.status == 200:
        return 0, transfer.announced
    unit, _, rest = transfer.fields.get("content-range", "").partition(" ")
    span, _, whole = rest.partition("/")
    first = span.partition("-")[0]
    if unit != "bytes" or not first.isdigit() or not whole.isdigit():
        raise Unintelligible("a part of nobody knows what")
    return int(first), int(whole)


def _take(transfer: Transfer, piece: bytes) -> None:
    at = transfer.first + transfer.size
    transfer.size += len(piece)
    if transfer.editions:
        transfer.editions = tuple(
            each for each in transfer.editions if each.octets[at : at + len(piece)] == piece
        )
