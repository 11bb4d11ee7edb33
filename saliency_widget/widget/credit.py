"""How many partial maps may be under way to a browser. It throttles partials only, never the work."""

from __future__ import annotations

IN_FLIGHT = 2
SILENCE = 0.5
SLOW = 1.0


class Credit:
    """Two partials in flight; without an acknowledgement for half a second, one a second; none while nobody looks.

    Acknowledgements can wait for a running cell to end, so running dry must slow the stream and never stop it.
    """

    def __init__(self) -> None:
        self._unanswered = 0
        self._last_sent = float("-inf")
        self._last_heard = float("-inf")
        self._visible = True

    def may_send(self, now: float) -> bool:
        """Whether a partial may go out at ``now`` (seconds of a monotonic clock)."""
        if not self._visible:
            return False
        if self._unanswered < IN_FLIGHT:
            return True
        silent = now - max(self._last_heard, self._last_sent) >= SILENCE
        return silent and now - self._last_sent >= SLOW

    def sent(self, now: float) -> None:
        """Note that a partial went out."""
        self._unanswered += 1
        self._last_sent = now

    def heard(self, now: float, *, visible: bool) -> None:
        """Note that one was acknowledged."""
        self._unanswered = max(self._unanswered - 1, 0)
        self._last_heard = now
        self._visible = visible
