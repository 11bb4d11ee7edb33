"""The requests of one widget: one at a time, the latest wins, each answered once.

No traitlets and no torch here: the session hands work to the device's worker and tells a :class:`Sink` what came of it.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from saliency_widget.engine.worker import Job, worker_for
from saliency_widget.errors import Cancelled, SaliencyError

if TYPE_CHECKING:
    from saliency_widget.explainer import Explainer, Step
    from saliency_widget.methods.base import Method
    from saliency_widget.targets import Target

_LOG = logging.getLogger("saliency_widget")


@dataclass(frozen=True, eq=False)
class Order:
    """One map to compute.

    Attributes
    ----------
    key
        The name of the map: the same key is the same map.
    target, method
        What to compute; ``target`` is resolved.
    req
        The front end's name for its request; None where Python asked.
    quiet
        Computed ahead, because it will probably be wanted: nothing is shown of it, not even its failure.
    """

    key: str
    target: Target
    method: Method
    req: str | None = None
    quiet: bool = False


class Sink(Protocol):
    """Whom a session reports to. Each order is started once and ends in exactly one of the last three."""

    def started(self, order: Order) -> None:
        """The order's work begins."""

    def estimate(self, order: Order, step: Step) -> None:
        """An estimate that is not the final one."""

    def done(self, order: Order, step: Step) -> None:
        """The final estimate."""

    def cancelled(self, order: Order, reason: str) -> None:
        """The order was dropped."""

    def failed(self, order: Order, message: str, trace: str) -> None:
        """The order raised."""


class Session:
    """Runs orders on the device's worker and reports to a sink.

    Parameters
    ----------
    explainer
        The model and picture.
    sink
        Whom to tell.
    changed
        The condition of the sink's own lock. One lock serves both, so that neither can wait for the other; it is
        notified whenever an order ends.
    """

    def __init__(self, explainer: Explainer, sink: Sink, changed: threading.Condition) -> None:
        self._explainer: Explainer | None = explainer
        self._sink = sink
        self._worker = worker_for(explainer.shadow.home[0])
        self._changed = changed
        self._running: tuple[Order, Job] | None = None
        self._ahead: deque[Order] = deque()

    @property
    def current(self) -> Order | None:
        """What is being computed for somebody who waits."""
        with self._changed:
            return self._running[0] if self._running is not None and not self._running[0].quiet else None

    def ask(self, order: Order) -> None:
        """Compute this next; what was being computed is dropped, unless it is the same map."""
        with self._changed:
            if self._explainer is None:
                self._tell_cancelled(order, "the widget is closed")
            elif self._running is not None and self._running[0].key == order.key:
                before, job = self._running
                self._running = (order, job)
                if not before.quiet:
                    self._tell_cancelled(before, "the same map was asked for again")
                self._report(job, lambda sink, order: sink.started(order))
            else:
                self._drop("a newer request took its place")
                self._start(order)

    def ask_ahead(self, orders: list[Order]) -> None:
        """Compute these whenever nothing else is wanted."""
        with self._changed:
            self._ahead = deque(orders)
            self._next()

    def cancel(self, req: str | None = None, reason: str = "stopped") -> None:
        """Drop the request ``req``, or whatever somebody waits for."""
        with self._changed:
            order = self.current
            if order is not None and req in (None, order.req):
                self._drop(reason)
                self._next()

    def stop(self) -> None:
        """Drop everything, also what nobody waits for yet."""
        with self._changed:
            self._drop("stopped")
            self._ahead.clear()

    def close(self) -> None:
        """Drop everything and let the model go."""
        with self._changed:
            self._drop("the widget was closed")
            self._ahead.clear()
            self._explainer = None

    def _start(self, order: Order) -> None:
        explainer = self._explainer
        assert explainer is not None
        # The lock is held, so the job cannot report before it is noted here as the one that counts.
        job = self._worker.submit(lambda job: self._run(job, explainer), owner=id(self))
        self._running = (order, job)

    def _drop(self, reason: str) -> None:
        running, self._running = self._running, None
        if running is None:
            return
        order, job = running
        job.cancel()
        if order.quiet:
            self._ahead.appendleft(order)
        else:
            self._tell_cancelled(order, reason)
        self._changed.notify_all()

    def _next(self) -> None:
        if self._running is None and self._ahead and self._explainer is not None:
            self._start(self._ahead.popleft())

    def _tell_cancelled(self, order: Order, reason: str) -> None:
        self._sink.cancelled(order, reason)

    def _run(self, job: Job, explainer: Explainer) -> None:
        """Work through the order of this job, on the worker thread."""
        try:
            with self._changed:
                if self._running is None or self._running[1] is not job:
                    return
                order = self._running[0]
            self._report(job, lambda sink, order: sink.started(order))
            for step in explainer.steps([order.target], order.method, stop=lambda: job.cancelled):
                if not self._report_step(job, step):
                    break
        except Cancelled:
            pass  # answered when it was dropped
        except BaseException as error:
            # Also what the user's model raises past Exception: the widget must say so and the worker must live on.
            message, trace = words_of(error), traceback.format_exc()
            if not self._end(job, lambda sink, order: sink.failed(order, message, trace)) and not job.cancelled:
                # An observer of the user's raised while it was told of the result.
                _LOG.warning("%s", trace)

    def _report_step(self, job: Job, step: Step) -> bool:
        """Whether another estimate is wanted."""
        if step.final:
            self._end(job, lambda sink, order: sink.done(order, step))
            return False
        return self._report(job, lambda sink, order: sink.estimate(order, step))

    def _report(self, job: Job, tell: Callable[[Sink, Order], None]) -> bool:
        """Tell the sink, if this job still counts; a dropped one was answered when it was dropped."""
        with self._changed:
            if self._running is None or self._running[1] is not job:
                return False
            tell(self._sink, self._running[0])
            return True

    def _end(self, job: Job, tell: Callable[[Sink, Order], None]) -> bool:
        """Tell the sink how it ended, and go on to what is next; whether this job still counted."""
        with self._changed:
            if self._running is None or self._running[1] is not job:
                return False
            order, self._running = self._running[0], None
            try:
                # From here on it cannot be dropped, which would answer it a second time.
                tell(self._sink, order)
            finally:
                self._next()
                self._changed.notify_all()
            return True


def words_of(error: BaseException) -> str:
    """Put an exception into a sentence for somebody who looks at a picture."""
    text = " ".join(str(error).split())
    if isinstance(error, SaliencyError):
        return text
    return f"{type(error).__name__}: {text}" if text else f"The model raised {type(error).__name__} and said no more."
