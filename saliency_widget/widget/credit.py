"""How many partial maps may be under way to browsers. It throttles partials only, never the work."""

from __future__ import annotations

from collections import OrderedDict

# So many may wait for their answer however long it takes: where the line is slow, one is drawn while one travels.
IN_FLIGHT = 2
# More may, as long as the oldest is no older than this: the way there, a frame and the way back take a tenth of a
# second where two cores share the kernel, the server and the page, at thirty a second three maps and their jitter.
FRESH = 0.15
MOST_IN_FLIGHT = 8
SILENCE = 0.5
SLOW = 1.0
_MOST_PAGES = 16


class Credit:
    """Two partials in flight, or eight of the last 0.15 s; without an answer for 0.5 s, one a second; none unseen.

    Acknowledgements can wait for a running cell to end, so running dry must slow the stream and never stop it. Several
    pages may look: the quickest of them sets the pace, and one that sees what comes is enough.
    """

    def __init__(self) -> None:
        # When each went out that has no answer yet, in their order.
        self._sent: dict[int, float] = {}
        self._last_sent = float("-inf")
        self._last_heard = float("-inf")
        # Which pages can see what comes, the latest word last.
        self._pages: OrderedDict[str, bool] = OrderedDict()

    def may_send(self, now: float) -> bool:
        """Whether a partial may go out at ``now`` (seconds of a monotonic clock)."""
        if self._pages and not any(self._pages.values()):
            return False
        waiting = len(self._sent)
        if waiting < IN_FLIGHT or (waiting < MOST_IN_FLIGHT and now - next(iter(self._sent.values())) <= FRESH):
            return True
        silent = now - max(self._last_heard, self._last_sent) >= SILENCE
        return silent and now - self._last_sent >= SLOW

    def sent(self, now: float, seq: int) -> None:
        """Note that the partial ``seq`` went out; they are numbered upwards."""
        self._sent[seq] = now
        self._last_sent = now

    def heard(self, now: float, seq: int, page: str = "", *, visible: bool) -> None:
        """Note that ``page`` has the partial ``seq``, and so all before it."""
        self._sent = {one: when for one, when in self._sent.items() if one > seq}
        self._last_heard = now
        self._pages[page] = visible
        self._pages.move_to_end(page)
        if len(self._pages) > _MOST_PAGES:
            self._pages.popitem(last=False)
