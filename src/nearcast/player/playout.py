"""The play-out clock: when the picture would have begun, stood still and ended, from arrivals alone.

Playing begins with the first arrival and runs in step with the clock. When everything that arrived
has been played, the picture stands still until more arrives. Nothing is decoded here.
"""

from __future__ import annotations


class PlayOut:
    """All times are seconds on one clock that the caller reads."""

    def __init__(self) -> None:
        self.began: float | None = None
        self.arrived_seconds = 0.0
        self.rebuffer_seconds = 0.0
        self.stalls = 0

    def arrived(self, now: float, media_seconds: float) -> None:
        """The next `media_seconds` of the film are here."""
        if media_seconds <= 0:
            return
        if self.began is None:
            self.began = now
        elif now > self._runs_dry:
            self.rebuffer_seconds += now - self._runs_dry
            self.stalls += 1
        self.arrived_seconds += media_seconds

    def level(self, now: float) -> float:
        """Seconds of film that are here and not yet played."""
        return 0.0 if self.began is None else max(0.0, self._runs_dry - now)

    @property
    def _runs_dry(self) -> float:
        assert self.began is not None
        return self.began + self.rebuffer_seconds + self.arrived_seconds
