"""The requests of one widget: one at a time, the latest wins, each answered once.

A run that is stopped and kept is suspended between two estimates, and goes on when the same map is asked for again.

No traitlets and no torch here: the session hands work to the device's worker and tells a :class:`Sink` what came of it.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from saliency_widget.engine.worker import Job, worker_for
from saliency_widget.errors import Cancelled, SaliencyError

if TYPE_CHECKING:
    from saliency_widget.explainer import Explainer, Step
    from saliency_widget.methods.base import Method
    from saliency_widget.targets import Target

_LOG = logging.getLogger("saliency_widget")
NEWER = "a newer request took its place"


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
        The name under which its estimates and its end are told: the front end's for its request, or one that
        :meth:`ours` makes up; None where nobody waits.
    explainer
        The model and the picture it is of.
    own
        Python asked for it, and shows it; what the front end asked for is its own to show.
    content
        What the model's weights came to when it was asked for; None where they have not been read.
    quiet
        Computed ahead, because it will probably be wanted: nothing is shown of it, not even its failure. With a
        ``req`` it is for a place beside the map on display: it is answered, and whatever else is asked for goes first.
    """

    key: str
    target: Target
    method: Method
    explainer: Explainer
    req: str | None = None
    own: bool = False
    content: Hashable = None
    quiet: bool = False

    @property
    def aside(self) -> bool:
        """Whether somebody waits for it beside the map on display."""
        return self.quiet and self.req is not None

    def ours(self) -> Order:
        """The same map, asked for by Python, under a name of its own, as a request of the front end has one."""
        return replace(self, req=f"python-{secrets.token_hex(6)}", own=True, quiet=False)

    def stripped(self) -> Order:
        """The same map, with nothing of who asked for it."""
        return replace(self, req=None, own=False, content=None, quiet=False)


class Sink(Protocol):
    """Whom a session reports to. Each order is started once and ends in exactly one of the last three."""

    def started(self, order: Order) -> None:
        """The order's work begins."""

    def estimate(self, order: Order, step: Step) -> None:
        """An estimate that is not the final one."""

    def done(self, order: Order, step: Step) -> None:
        """The final estimate."""

    def cancelled(self, order: Order, reason: str, kept: Step | None = None) -> None:
        """The order was dropped; ``kept`` is the best estimate so far, where it is to be kept."""

    def refreshed(self, explainer: Explainer) -> None:
        """The weights of a model were found to be others, and its prediction was made again."""

    def failed(self, order: Order, message: str, trace: str) -> None:
        """The order raised."""


class _Run:
    """The estimates of an order, which can be suspended between two of them."""

    def __init__(self, batch: tuple[Order, ...]) -> None:
        self.batch = batch
        self.last: Step | None = None
        self.job: Job | None = None
        self._steps: Iterator[Step] | None = None

    def steps(self, job: Job) -> Iterator[Step]:
        """Begin, or go on; the last is final."""
        self.job = job
        if self.last is not None and self.last.final:
            # It was stopped while it came to its end.
            yield self.last
            return
        if self._steps is None:
            first = self.batch[0]
            targets = [one.target for one in self.batch]
            self._steps = first.explainer.steps(targets, first.method, stop=self._stopped)
        for step in self._steps:
            self.last = step
            yield step
        if self.last is None or not self.last.final:
            raise SaliencyError(f"{self.batch[0].method.label} ended without a final map. Ask for it again.")

    @property
    def at_work(self) -> bool:
        """Whether it has not come to a stand yet."""
        return self.job is not None and not self.job.done.is_set()

    def _stopped(self) -> bool:
        return self.job is not None and self.job.cancelled

    def close(self) -> None:
        steps, self._steps = self._steps, None
        if isinstance(steps, Generator):
            steps.close()


class Session:
    """Runs orders on their device's worker and reports to a sink.

    Parameters
    ----------
    sink
        Whom to tell.
    changed
        The condition of the sink's own lock. One lock serves both, so that neither can wait for the other; it is
        notified whenever an order ends.

    Attributes
    ----------
    turn : int
        Another number whenever something is asked for or called off.
    """

    def __init__(self, sink: Sink, changed: threading.Condition) -> None:
        self.turn = 0
        self._closed = False
        self._sink = sink
        self._changed = changed
        self._running: tuple[Order, Job] | None = None
        self._ahead: deque[Order] = deque()
        # Who waits for maps that are computed ahead, or for somebody else.
        self._waiting: list[Order] = []
        # What the running job computes, in the order of its targets; the order that counts is one of them.
        self._batch: list[Order] = []
        self._run: _Run | None = None
        self._suspended: _Run | None = None
        # What was to be done aside last.
        self._aside: Job | None = None

    @property
    def current(self) -> Order | None:
        """What is being computed for somebody who waits."""
        with self._changed:
            return self._running[0] if self._running is not None and not self._running[0].quiet else None

    @property
    def suspended(self) -> str | None:
        """The key of the map that can be gone on with."""
        with self._changed:
            return None if self._suspended is None else self._suspended.batch[0].key

    def ask(self, order: Order) -> None:
        """Compute this next; what was being computed is dropped, unless it is the same map.

        What is asked for aside drops nothing, and is computed when nobody waits for anything else.
        """
        with self._changed:
            if self._closed:
                self._tell_cancelled(order, "the widget is closed")
                return
            if order.aside:
                self._ask_aside(order)
                return
            self.turn += 1
            if self._running is not None and order.key in [one.key for one in self._batch]:
                before, job = self._running
                self._running = (order, job)
                if not before.quiet:
                    same = before.key == order.key
                    self._tell_cancelled(before, "the same map was asked for again" if same else NEWER)
                self._report(job, lambda sink, order: sink.started(order))
            else:
                self._drop(NEWER)
                kept = self._suspended
                if kept is not None and kept.at_work and order.key not in [one.key for one in kept.batch]:
                    # Nobody waits for the end of what was stopped.
                    self._forget()
                self._start(order)

    def _ask_aside(self, order: Order) -> None:
        waited_for = {one.key for one in self._waiting}
        under_way = {one.key for one in self._batch}
        self._waiting.append(order)
        if order.key in under_way:
            return
        if self._running is not None and self._running[0].quiet and not under_way & waited_for:
            # Nobody waits for it.
            self._drop(NEWER)
        self.ask_ahead([quietly(order)], first=True)

    def ask_ahead(self, orders: list[Order], *, first: bool = False) -> None:
        """Compute these whenever nothing else is wanted; ``first`` puts them before what is computed ahead already."""
        with self._changed:
            if first:
                keys = {order.key for order in orders}
                self._ahead = deque([*orders, *(one for one in self._ahead if one.key not in keys)])
            else:
                self._ahead = deque(orders)
            self._next()

    def cancel(self, req: str | None = None, reason: str = "stopped", *, keep: bool = False) -> None:
        """Drop the request ``req``, or whatever somebody waits for; ``keep`` its best estimate so far."""
        with self._changed:
            order = self.current
            aside = [] if req is None else [one for one in self._waiting if one.req == req]
            if aside:
                self._call_off(aside, reason)
            elif order is not None and req in (None, order.req):
                self.turn += 1
                self._drop(reason, keep=keep)
                self._next()

    def stop(self) -> None:
        """Drop everything, also what nobody waits for yet; the best estimate so far is kept."""
        with self._changed:
            self.turn += 1
            self._drop("stopped", keep=True)
            self._ahead.clear()
            self._call_off(self._waiting, "stopped")

    def close(self) -> None:
        """Drop everything and let the model go."""
        with self._changed:
            self._drop("the widget was closed")
            self._ahead.clear()
            self._call_off(self._waiting, "the widget was closed")
            self._forget()
            self._closed = True

    def rest(self, timeout: float) -> bool:
        """Wait until all that is under way has ended, also what nobody waits for; whether it did in time (seconds)."""
        end = time.monotonic() + timeout
        with self._changed:
            if not self._changed.wait_for(lambda: self._running is None and not self._ahead, timeout):
                return False
            aside = self._aside
        return aside is None or aside.wait(max(0.0, end - time.monotonic()))

    def aside(self, work: Callable[[], None], explainer: Explainer) -> None:
        """Do some work on the worker's thread, after what it has to do now."""
        self._aside = worker_for(explainer.shadow.home[0]).submit(lambda _: _quietly(work), owner=id(self))

    def _start(self, order: Order) -> None:
        # The lock is held, so the job cannot report before it is noted here as the one that counts.
        worker = worker_for(order.explainer.shadow.home[0])
        job = worker.submit(self._work, owner=id(self))
        self._running, self._batch, self._run = (order, job), [order], None

    def _drop(self, reason: str, *, keep: bool = False) -> None:
        running, self._running = self._running, None
        if running is None:
            return
        order, job = running
        run, self._run = self._run, None
        kept: Step | None = None
        if keep and not order.quiet and run is not None and run.last is not None:
            kept = _own(run, run.last, order)
            self._forget()
            # It is at work on its next estimate, and stands still when it has it.
            self._suspended = run
        else:
            job.cancel()
        self._ahead.extendleft(quietly(one) for one in reversed(self._batch) if one.key != order.key)
        self._batch = []
        if order.quiet or order.key in [one.key for one in self._waiting]:
            self._ahead.appendleft(quietly(order))
        if not order.quiet:
            self._tell_cancelled(order, reason, kept)
        self._changed.notify_all()

    def _call_off(self, orders: list[Order], reason: str) -> None:
        """Answer what was asked for aside, and compute it for nobody else."""
        keys = {one.key for one in orders}
        self._waiting = [one for one in self._waiting if one not in orders]
        for order in orders:
            self._tell_cancelled(order, reason)
        unwanted = keys - {one.key for one in self._waiting}
        if self._running is not None and self._running[0].quiet and self._running[0].key in unwanted:
            self._drop(reason)
        self._ahead = deque(one for one in self._ahead if one.key not in unwanted)
        self._next()

    def _next(self) -> None:
        if self._running is None and self._ahead and not self._closed:
            self._start(self._ahead.popleft())

    def _tell_cancelled(self, order: Order, reason: str, kept: Step | None = None) -> None:
        try:
            self._sink.cancelled(order, reason, kept)
        except Exception:  # what comes next must not suffer for it
            _LOG.warning("a sink raised", exc_info=True)

    def _forget(self) -> None:
        """Let a suspended run go, on the thread on which it ran."""
        run, self._suspended = self._suspended, None
        if run is not None:
            if run.job is not None:
                run.job.cancel()
            worker_for(run.batch[0].explainer.shadow.home[0]).submit(lambda _: _quietly(run.close))

    def _work(self, job: Job) -> None:
        """Work through the order of this job, on the worker thread."""
        run: _Run | None = None
        try:
            with self._changed:
                if self._running is None or self._running[1] is not job:
                    return
                order = self._running[0]
            self._report(job, lambda sink, order: sink.started(order))
            if order.explainer.refresh(order.content):
                self._report(job, lambda sink, order: sink.refreshed(order.explainer))
            with self._changed:
                if self._running is None or self._running[1] is not job:
                    return
                run = self._take(self._running[0])
            for step in run.steps(job):
                if not self._report_step(job, step, run):
                    break
        except Cancelled:
            pass  # answered when it was dropped
        except BaseException as error:
            # Also what the user's model raises past Exception: the widget must say so and the worker must live on.
            message, trace = words_of(error), traceback.format_exc()
            with self._changed:
                if run is not None and run is self._suspended:
                    # It failed on its way to the next estimate, so that it cannot be gone on with.
                    self._suspended = None
            self._end(job, lambda sink, order: sink.failed(order, message, trace))
        finally:
            with self._changed:
                over = run is not None and run is not self._suspended
            if run is not None and over:
                run.close()

    def _take(self, order: Order) -> _Run:
        """The suspended run of this map if it is of the weights there are, or a new one."""
        waiting = self._suspended
        if waiting is not None and any(one.key == order.key for one in waiting.batch):
            # On another device it may still be at work.
            same = waiting.last is not None and waiting.last.weights == order.explainer.weights
            if same and not waiting.at_work:
                self._suspended = None
                self._run = waiting
                self._batch = list(waiting.batch)
                return waiting
            self._forget()
        if getattr(order.method, "shares_passes", False):
            # All of them for what one of them costs.
            alike = [
                one
                for one in self._ahead
                if one.method == order.method and one.explainer is order.explainer and one.key != order.key
            ]
            self._ahead = deque(one for one in self._ahead if one not in alike)
            self._batch += alike
        self._run = _Run(tuple(self._batch))
        return self._run

    def _report_step(self, job: Job, step: Step, run: _Run) -> bool:
        """Whether another estimate is wanted."""
        if step.final:
            self._end(job, lambda sink, order: sink.done(order, _own(run, step, order)), run.batch)
            return False

        def estimate(sink: Sink, order: Order) -> None:
            sink.estimate(order, _own(run, step, order))
            keys = [one.key for one in run.batch]
            for one in self._waiting:
                if one.key in keys:
                    sink.estimate(one, _own(run, step, one))

        return self._report(job, estimate)

    def _answered(self, batch: list[Order]) -> list[Order]:
        """Who waits aside for what has come to its end, and waits no longer; nor need it be computed ahead."""
        keys = {one.key for one in batch}
        answered = [one for one in self._waiting if one.key in keys]
        self._waiting = [one for one in self._waiting if one.key not in keys]
        self._ahead = deque(one for one in self._ahead if one.key not in keys)
        return answered

    def _report(self, job: Job, tell: Callable[[Sink, Order], None]) -> bool:
        """Tell the sink, if this job still counts; a dropped one was answered when it was dropped."""
        with self._changed:
            if self._running is None or self._running[1] is not job:
                return False
            tell(self._sink, self._running[0])
            return True

    def _end(self, job: Job, tell: Callable[[Sink, Order], None], also: Iterable[Order] = ()) -> bool:
        """Tell the sink how it ended, ``also`` for these, and go on to what is next; whether this job still counted."""
        with self._changed:
            if self._running is None or self._running[1] is not job:
                return False
            order = self._running[0]
            others = [quietly(one) for one in also if one.key != order.key]
            told = [order, *others, *self._answered(self._batch)]
            # From here on it cannot be dropped, which would answer it a second time.
            self._running, self._batch, self._run = None, [], None
            try:
                for one in told:
                    self._tell(tell, one)
            finally:
                self._next()
                self._changed.notify_all()
            return True

    def _tell(self, tell: Callable[[Sink, Order], None], order: Order) -> None:
        try:
            tell(self._sink, order)
        except Exception as error:
            _LOG.warning("a result could not be told", exc_info=True)
            self._sink.failed(order, words_of(error), traceback.format_exc())


def _own(run: _Run, step: Step, order: Order) -> Step:
    if len(run.batch) == 1:
        return step
    return step.only(next(number for number, one in enumerate(run.batch) if one.key == order.key))


def _quietly(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception:
        _LOG.debug("work aside failed", exc_info=True)


def quietly(order: Order) -> Order:
    """The same map, for nobody who waits."""
    return order if order.quiet and order.req is None else replace(order, quiet=True, own=False, content=None, req=None)


def words_of(error: BaseException) -> str:
    """Put an exception into a sentence for somebody who looks at a picture."""
    text = " ".join(str(error).split())
    if isinstance(error, SaliencyError):
        return text
    return f"{type(error).__name__}: {text}" if text else f"The model raised {type(error).__name__} and said no more."
