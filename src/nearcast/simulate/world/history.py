"""The event history: everything of a run that an outsider could have seen, in order, and its digest.

An event is a tuple: the virtual time, a word, and the word's members (see `WORDS`). Members are numbers and
short texts, never objects, so an event means the same in every process. Two runs are the same run when
their digests are equal. Digesting is batched; where the batches end does not matter.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from typing import Any

HistoryEvent = tuple[Any, ...]

BATCH_EVENTS = 1024

WORDS = {
    "connect": "{} opens connection {} from {} to {}",
    "unconnected": "{} cannot connect to {}: {}",
    "bytes": "{} receives on connection {}: {} bytes, crc {:08x}",
    "eof": "{} sees the end of connection {}",
    "close": "{} ends connection {} {}",
    "datagram": "{} receives from {}: {} bytes, crc {:08x}",
    "disk": "{} {} {} {}",
    "crash": "{} crashes",
    "kill": "{}'s program is killed",
    "restart": "{} starts again",
    "hang": "{} hangs for {} s",
    "pause": "{} is paused for {} s",
    "drain": "{} drains for {} s at most",
    "fault": "fault: {}",
    "note": "{}: {}",
}


class History:
    """The events of one run.

    `keep`: how many of the last events stay readable; None keeps all, 0 keeps the digest only.
    `keeps=False` records nothing at all, not even a digest.
    """

    __slots__ = ("_batch", "_hash", "_kept", "count", "keeps")

    def __init__(self, keep: int | None = None, *, keeps: bool = True) -> None:
        self.keeps = keeps
        self.count = 0
        self._batch: list[HistoryEvent] = []
        self._kept: deque[HistoryEvent] = deque(maxlen=keep)
        self._hash = hashlib.blake2b(digest_size=16)

    def add(self, event: HistoryEvent) -> None:
        """Record one event."""
        if self.keeps:
            self._batch.append(event)
            if len(self._batch) >= BATCH_EVENTS:
                self._flush()

    def _flush(self) -> None:
        if self._batch:
            self._hash.update(("\n".join(map(repr, self._batch)) + "\n").encode())
            self._kept.extend(self._batch)
            self.count += len(self._batch)
            self._batch.clear()

    def close(self) -> None:
        """The run is over: what is torn down after it is no part of it."""
        self._flush()
        self.keeps = False

    def digest(self) -> str:
        """32 hexadecimal digits that tell two runs apart."""
        self._flush()
        return self._hash.hexdigest()

    def events(self) -> list[HistoryEvent]:
        """The events that were kept, oldest first."""
        self._flush()
        return list(self._kept)

    def lines(self) -> Iterator[str]:
        """The events that were kept, for people."""
        for when, word, *members in self.events():
            yield f"{when:14.6f}  {WORDS[word].format(*members)}".rstrip()
