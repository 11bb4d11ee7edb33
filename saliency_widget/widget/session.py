"""The requests of one widget: one at a time, the latest wins, each answered once.

No traitlets and no torch here: the session hands work to the device's worker and tells a :class:`Sink` what came of it.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from saliency_widget.engine.worker import Job, worker_for
from saliency_widget.errors import Cancelled, SaliencyError

if TYPE_CHECKING:
    from saliency_widget.explainer import Explainer, Step
    from saliency_widget.methods.base import Method
    from saliency_widget.targets import Target

_LOG = logging.getLogger("saliency_widget")
_NEWER = "a newer request took its place"


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
        # What the running job computes, in the order of its targets; the order that counts is one of them.
        self._batch: list[Order] = []

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
            elif self._running is not None and order.key in [one.key for one in self._batch]:
                before, job = self._running
                self._running = (order, job)
                if not before.quiet:
                    same = before.key == order.key
                    self._tell_cancelled(before, "the same map was asked for again" if same else _NEWER)
                self._report(job, lambda sink, order: sink.started(order))
            else:
                self._drop(_NEWER)
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
        self._running, self._batch = (order, job), [order]

    def _drop(self, reason: str) -> None:
        running, self._running = self._running, None
        if running is None:
            return
        order, job = running
        job.cancel()
        self._ahead.extendleft(quietly(one) for one in reversed(self._batch) if one.key != order.key)
        self._batch = []
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
                if getattr(order.method, "shares_passes", False):
                    # All of them for what one of them costs.
                    alike = [one for one in self._ahead if one.method == order.method and one.key != order.key]
                    self._ahead = deque(one for one in self._ahead if one not in alike)
                    self._batch += alike
                batch = tuple(self._batch)
            self._report(job, lambda sink, order: sink.started(order))
            targets = [one.target for one in batch]
            for step in explainer.steps(targets, order.method, stop=lambda: job.cancelled):
                if not self._report_step(job, step, batch):
                    break
        except Cancelled:
            pass  # answered when it was dropped
        except BaseException as error:
            # Also what the user's model raises past Exception: the widget must say so and the worker must live on.
            message, trace = words_of(error), traceback.format_exc()
            if not self._end(job, lambda sink, order: sink.failed(order, message, trace)) and not job.cancelled:
                # An observer of the user's raised while it was told of the result.
                _LOG.warning("%s", trace)

    def _report_step(self, job: Job, step: Step, batch: tuple[Order, ...]) -> bool:
        """Whether another estimate is wanted."""
        numbers = {order.key: number for number, order in enumerate(batch)}

        def own(order: Order) -> Step:
            return step if len(batch) == 1 else step.only(numbers[order.key])

        def done(sink: Sink, order: Order) -> None:
            sink.done(order, own(order))
            for other in batch:
                if other.key != order.key:
                    sink.done(quietly(other), own(other))

        if step.final:
            self._end(job, done)
            return False
        return self._report(job, lambda sink, order: sink.estimate(order, own(order)))

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
            order, self._running, self._batch = self._running[0], None, []
            try:
                # From here on it cannot be dropped, which would answer it a second time.
                tell(self._sink, order)
            finally:
                self._next()
                self._changed.notify_all()
            return True


def quietly(order: Order) -> Order:
    """The same map, for nobody who waits."""
    return order if order.quiet and order.req is None else replace(order, quiet=True, req=None)


def words_of(error: BaseException) -> str:
    """Put an exception into a sentence for somebody who looks at a picture."""
    text = " ".join(str(error).split())
    if isinstance(error, SaliencyError):
        return text
    return f"{type(error).__name__}: {text}" if text else f"The model raised {type(error).__name__} and said no more."
