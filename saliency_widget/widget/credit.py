"""How many partial maps may be under way to browsers. It throttles partials only, never the work."""

from __future__ import annotations

from collections import OrderedDict

# Thirty a second and a tenth of one from a message to its answer: a way there, a frame, and a way back.
IN_FLIGHT = 3
SILENCE = 0.5
SLOW = 1.0
_MOST_PAGES = 16


class Credit:
    """Three partials in flight; without an acknowledgement for half a second, one a second; none while nobody looks.

    Acknowledgements can wait for a running cell to end, so running dry must slow the stream and never stop it. Several
    pages may look: the quickest of them sets the pace, and one that sees what comes is enough.
    """

    def __init__(self) -> None:
        self._sent: list[int] = []
        self._last_sent = float("-inf")
        self._last_heard = float("-inf")
        # Which pages can see what comes, the latest word last.
        self._pages: OrderedDict[str, bool] = OrderedDict()

    def may_send(self, now: float) -> bool:
        """Whether a partial may go out at ``now`` (seconds of a monotonic clock)."""
        if self._pages and not any(self._pages.values()):
            return False
        if len(self._sent) < IN_FLIGHT:
            return True
        silent = now - max(self._last_heard, self._last_sent) >= SILENCE
        return silent and now - self._last_sent >= SLOW

    def sent(self, now: float, seq: int) -> None:
        """Note that the partial ``seq`` went out; they are numbered upwards."""
        self._sent.append(seq)
        self._last_sent = now

    def heard(self, now: float, seq: int, page: str = "", *, visible: bool) -> None:
        """Note that ``page`` has the partial ``seq``, and so all before it."""
        self._sent = [one for one in self._sent if one > seq]
        self._last_heard = now
        self._pages[page] = visible
        self._pages.move_to_end(page)
        if len(self._pages) > _MOST_PAGES:
            self._pages.popitem(last=False)
