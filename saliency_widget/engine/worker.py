"""One thread and one queue for each device, on which jobs run one after another."""

from __future__ import annotations

import atexit
import os
import threading
import traceback
import weakref
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

import torch

from saliency_widget.errors import Cancelled

# How long the end of the interpreter waits for a chunk that is being computed.
_FAREWELL = 2.0


class Job:
    """A piece of work that was submitted.

    Attributes
    ----------
    owner
        On whose behalf it runs.
    done
        Set once it has run, failed, or been dropped.
    error
        What it raised, without its traceback, whose frames would keep tensors alive; None if it raised nothing or was
        cancelled.
    traceback
        The traceback as text; "" without an error.
    """

    def __init__(self, function: Callable[[Job], None], owner: Hashable) -> None:
        self._function: Callable[[Job], None] | None = function
        self._cancelled = threading.Event()
        self.owner = owner
        self.done = threading.Event()
        self.error: BaseException | None = None
        self.traceback = ""

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants the result any more."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Say that nobody wants the result. A job that waits is dropped; one that runs has to look."""
        self._cancelled.set()

    def check(self) -> None:
        """Raise :class:`~saliency_widget.errors.Cancelled` if nobody wants the result any more."""
        if self.cancelled:
            raise Cancelled("cancelled")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is done; False if the timeout in seconds came first."""
        return self.done.wait(timeout)

    def _run(self) -> None:
        function, self._function = self._function, None
        try:
            if function is not None and not self.cancelled:
                function(self)
        except Cancelled:
            self._cancelled.set()
        except BaseException as error:  # whatever a job raises, the thread goes on
            self.traceback = "".join(traceback.format_exception(error))
            self.error = _without_frames(error)
        finally:
            del function
            self.done.set()

    def _drop(self) -> None:
        self._function = None
        self._cancelled.set()
        self.done.set()


class Worker:
    """A daemon thread that runs jobs in the order in which they came. It starts with the first job.

    Parameters
    ----------
    name
        Of the thread.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._fresh()
        _workers.add(self)

    def _fresh(self) -> None:
        self._ready = threading.Condition()
        self._queue: deque[Job] = deque()
        self._running: Job | None = None
        self._thread: threading.Thread | None = None
        self._ended = False

    def submit(self, function: Callable[[Job], None], owner: Hashable = None, *, latest: bool = False) -> Job:
        """Queue a function, which gets its job and looks at ``job.cancelled`` between two steps.

        Parameters
        ----------
        function
            It is let go as soon as it has run or been dropped.
        owner
            On whose behalf it runs.
        latest
            Cancel all earlier jobs of this owner.
        """
        job = Job(function, owner)
        with self._ready:
            if self._ended:
                job._drop()
                return job
            if latest:
                self._cancel(owner)
            self._queue.append(job)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._loop, name=self.name, daemon=True)
                self._thread.start()
            self._ready.notify()
        return job

    def cancel_owner(self, owner: Hashable) -> None:
        """Cancel all jobs of an owner: those that wait are done at once."""
        with self._ready:
            self._cancel(owner)

    def _cancel(self, owner: Hashable) -> None:
        if self._running is not None and self._running.owner == owner:
            self._running.cancel()
        waiting = list(self._queue)
        self._queue.clear()
        for job in waiting:
            if job.owner == owner:
                job._drop()
            else:
                self._queue.append(job)

    def _loop(self) -> None:
        while True:
            with self._ready:
                while not self._queue and not self._ended:
                    self._ready.wait()
                if self._ended:
                    return
                job = self._queue.popleft()
                self._running = job
            job._run()
            with self._ready:
                self._running = None
            # An idle thread must not keep what the last job led to.
            del job

    def _end(self) -> None:
        with self._ready:
            self._ended = True
            while self._queue:
                self._queue.popleft()._drop()
            if self._running is not None:
                self._running.cancel()
            self._ready.notify_all()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_FAREWELL)

    def _after_fork(self) -> None:
        # The thread is not in the child, and its lock may be held for ever.
        waiting, running = list(self._queue), self._running
        self._fresh()
        for job in [*waiting, *([running] if running else [])]:
            job._cancelled, job.done = threading.Event(), threading.Event()
            job._drop()


_workers: weakref.WeakSet[Worker] = weakref.WeakSet()
_by_device: dict[str, Worker] = {}
_lock = threading.Lock()


def worker_for(device: Any) -> Worker:
    """The worker of a device: all work on one device goes through one queue.

    Parameters
    ----------
    device
        A ``torch.device``, or its name.
    """
    place = torch.device(device)
    if str(place) == "cuda":
        place = torch.device("cuda", torch.cuda.current_device())
    with _lock:
        name = str(place)
        if name not in _by_device:
            _by_device[name] = Worker(f"saliency-widget {name}")
        return _by_device[name]


def _without_frames(error: BaseException) -> BaseException:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            one.__traceback__ = None
            waiting += [one.__cause__, one.__context__]
    return error


def _end_all() -> None:
    for worker in list(_workers):
        worker._end()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    for worker in list(_workers):
        worker._after_fork()


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
