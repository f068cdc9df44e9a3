"""Whose fault is it? The operator's and the upstream's faults, as exceptions that carry their remedy.

Four kinds of fault run through the house (a miss, an NXDOMAIN or "no healthy server" is a result, not
a fault): the *peer's* are raised in `wire` and carry the status or rcode to answer with; the
*upstream's* say who failed and whether asking again is safe; the *operator's* come all at once, each
with its path and remedy; *ours* are assertions, and the worker that meets one dies and is restarted
(`serve.worker`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Mistake(NamedTuple):
    """One thing an operator wrote that cannot work: where, what, and what to write instead."""

    path: str
    value: object
    remedy: str

    def __str__(self) -> str:
        shown = repr(self.value)
        if len(shown) > 80:
            shown = shown[:77] + "..."
        return f"{self.path} = {shown}: {self.remedy}"


class OperatorFault(Exception):
    """Everything that is wrong with what the operator gave us, so that it is corrected in one go."""

    def __init__(self, sentence: str, mistakes: Iterable[Mistake] = ()) -> None:
        self.sentence = sentence
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join([sentence, *(f"  {mistake}" for mistake in self.mistakes)]))


class UpstreamFault(Exception):
    """Somebody we asked did not answer properly.

    `source` names them; `retry_safe` says whether the same question may be put to another one
    without risk (nothing of the answer has been passed on yet); `timed_out` that they were too slow rather
    than wrong.
    """

    def __init__(
        self, source: str, sentence: str, *, retry_safe: bool = True, timed_out: bool = False
    ) -> None:
        self.source = source
        self.sentence = sentence
        self.retry_safe = retry_safe
        self.timed_out = timed_out
        super().__init__(f"{source}: {sentence}")
