"""A scheduled call: what `call_soon`, `call_later` and `call_at` return.

It offers what asyncio's own handles offer (`cancel`, `cancelled`, `when`), in less memory. A call without
a context is the world's own (a packet arrives, a fault strikes); it belongs to no host.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any, Protocol


class Owner(Protocol):
    """To whom a call belongs: it runs unless its owner is frozen, who may then keep it for later."""

    frozen: bool

    def hold(self, call: Call) -> None: ...


class Timers(Protocol):
    """In whose heap a timer waits, and who wants to know that one will never be due."""

    def one_timer_cancelled(self) -> None: ...


class Call:
    """One callback with its arguments, its context and its owner (an incarnation)."""

    __slots__ = ("__weakref__", "_when", "arguments", "callback", "context", "owner", "waits_in")

    def __init__(
        self,
        callback: Callable[..., object],
        arguments: tuple[Any, ...],
        context: contextvars.Context | None,
        owner: Owner | None,
        when: float = 0.0,
    ) -> None:
        self.callback: Callable[..., object] | None = callback
        self.arguments = arguments
        self.context = context
        self.owner = owner
        self.waits_in: Timers | None = None
        self._when = when

    def cancel(self) -> None:
        """Never run it. Cancelling twice, or after it ran, does nothing."""
        if self.callback is not None:
            self.callback = None
            self.arguments = ()
            if self.waits_in is not None:
                self.waits_in.one_timer_cancelled()

    def cancelled(self) -> bool:
        return self.callback is None

    def when(self) -> float:
        """The virtual time, in seconds, at which a timer is due."""
        return self._when

    def get_context(self) -> contextvars.Context | None:
        return self.context

    def __repr__(self) -> str:
        name = getattr(self.callback, "__qualname__", repr(self.callback))
        return f"<Call {'cancelled' if self.callback is None else name} at {self._when:.6f}>"
