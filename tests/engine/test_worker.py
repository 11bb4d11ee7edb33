"""One thread a device: order, cancelling, and nothing that a job can do to it."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
import weakref

import pytest
import torch

from saliency_widget.engine.worker import Job, Worker, worker_for
from saliency_widget.errors import Cancelled

PATIENCE = 10.0


@pytest.fixture
def worker() -> Worker:
    return Worker("test")


class Gate:
    """A job that says when it runs and waits until it may end."""

    def __init__(self) -> None:
        self.entered, self.open = threading.Event(), threading.Event()

    def __call__(self, job: Job) -> None:
        self.entered.set()
        assert self.open.wait(PATIENCE)
        job.check()


def test_jobs_run_in_order_on_one_daemon_thread(worker: Worker) -> None:
    assert worker._thread is None
    seen: list[tuple[int, str]] = []
    jobs = [
        worker.submit(lambda job, k=k: seen.append((k, threading.current_thread().name)), owner="a") for k in range(20)
    ]
    assert all(job.wait(PATIENCE) for job in jobs)
    assert seen == [(k, "test") for k in range(20)]
    assert worker._thread is not None
    assert worker._thread.daemon


def test_there_is_one_worker_for_a_device() -> None:
    assert worker_for("cpu") is worker_for(torch.device("cpu"))
    assert worker_for("meta") is not worker_for("cpu")


@pytest.mark.parametrize(
    "error", [ValueError("no"), SystemExit(1), KeyboardInterrupt(), GeneratorExit(), MemoryError()]
)
def test_whatever_a_job_raises_the_thread_goes_on(worker: Worker, error: BaseException) -> None:
    def fail(job: Job) -> None:
        raise error

    job = worker.submit(fail, owner="a")
    assert job.wait(PATIENCE)
    assert job.error is error
    assert job.error.__traceback__ is None
    assert "in fail" in job.traceback
    assert not job.cancelled
    after: list[int] = []
    assert worker.submit(lambda job: after.append(1), owner="a").wait(PATIENCE)
    assert after == [1]


def test_cancelling(worker: Worker) -> None:
    gate = Gate()
    running = worker.submit(gate, owner="a")
    assert gate.entered.wait(PATIENCE)
    ran: list[str] = []
    mine = worker.submit(lambda job: ran.append("mine"), owner="a")
    other = worker.submit(lambda job: ran.append("other"), owner="b")
    single = worker.submit(lambda job: ran.append("single"), owner="c")
    single.cancel()
    worker.cancel_owner("a")
    # One that waits is done at once; one that runs is told.
    assert mine.done.is_set()
    assert mine.cancelled
    assert running.cancelled
    assert not running.done.is_set()
    gate.open.set()
    assert running.wait(PATIENCE)
    assert other.wait(PATIENCE)
    assert single.wait(PATIENCE)
    assert running.error is None
    assert running.traceback == ""
    assert ran == ["other"]


def test_latest_wins_for_its_owner(worker: Worker) -> None:
    gate = Gate()
    first = worker.submit(gate, owner="a", latest=True)
    assert gate.entered.wait(PATIENCE)
    ran: list[int] = []
    other = worker.submit(lambda job: ran.append(-1), owner="b", latest=True)
    jobs = [worker.submit(lambda job, k=k: ran.append(k), owner="a", latest=True) for k in range(5)]
    gate.open.set()
    assert jobs[-1].wait(PATIENCE)
    assert other.wait(PATIENCE)
    assert first.wait(PATIENCE)
    assert ran == [-1, 4]
    assert [job.cancelled for job in jobs] == [True] * 4 + [False]
    assert first.cancelled


def test_a_job_that_raises_cancelled_is_cancelled(worker: Worker) -> None:
    def stop(job: Job) -> None:
        raise Cancelled("enough")

    job = worker.submit(stop, owner="a")
    assert job.wait(PATIENCE)
    assert job.cancelled
    assert job.error is None


def test_wait_gives_up(worker: Worker) -> None:
    gate = Gate()
    job = worker.submit(gate, owner="a")
    assert not job.wait(0.01)
    gate.open.set()
    assert job.wait(PATIENCE)


class Big:
    pass


@pytest.mark.parametrize("how", ["runs", "fails", "is cancelled"])
def test_nothing_of_a_job_is_kept(worker: Worker, how: str) -> None:
    big = Big()
    reference = weakref.ref(big)

    def work(job: Job, big: Big = big) -> None:
        inside = Big()
        inside.big = big  # type: ignore[attr-defined]
        if how == "fails":
            try:
                raise ValueError(1)
            except ValueError as error:
                raise KeyError(2) from error

    gate = Gate()
    worker.submit(gate, owner="gate")
    job = worker.submit(work, owner="a")
    del work, big
    if how == "is cancelled":
        worker.cancel_owner("a")
    gate.open.set()
    assert job.wait(PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while reference() is not None and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert reference() is None
    assert (job.error is not None) == (how == "fails")


def test_submitting_from_a_job_and_from_many_threads(worker: Worker) -> None:
    inner: list[Job] = []
    outer = worker.submit(lambda job: inner.append(worker.submit(lambda job: None, owner="b")), owner="a")
    assert outer.wait(PATIENCE)
    assert inner[0].wait(PATIENCE)
    count: list[int] = []
    jobs: list[Job] = []

    def many() -> None:
        jobs.extend(worker.submit(lambda job: count.append(1), owner="a") for _ in range(50))

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(job.wait(PATIENCE) for job in jobs)
    assert len(count) == 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_starts_with_an_empty_queue_and_the_end_does_not_hang() -> None:
    code = """
import os, sys, threading, time
from saliency_widget.engine.worker import worker_for
worker = worker_for("cpu")
entered, leave = threading.Event(), threading.Event()
def wait(job):
    entered.set()
    leave.wait(30)
running = worker.submit(wait, owner="a")
waiting = worker.submit(lambda job: None, owner="a")
entered.wait(10)
child = os.fork()
if child == 0:
    ok = running.done.is_set() and waiting.done.is_set() and waiting.cancelled
    ok = ok and worker.submit(lambda job: None, owner="b").wait(10)
    os._exit(0 if ok else 1)
assert os.waitpid(child, 0)[1] == 0
assert not running.done.is_set()
def forever(job):
    while not job.cancelled:
        time.sleep(0.01)
leave.set()
worker.submit(forever, owner="c")
print("end", flush=True)
"""
    started = time.monotonic()
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "end\n"
    assert time.monotonic() - started < 40
