"""An anywidget whose state two threads may change, and which no message can make raise."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import anywidget

_LOG = logging.getLogger("saliency_widget")


# One for all widgets: linked ones set each other's traits, on the worker's thread and on the user's, and two locks
# taken in both orders would stop both threads for ever.
_LOCK = threading.RLock()
if hasattr(os, "register_at_fork"):
    # A child that was forked while another thread held it could never let a widget go.
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


class _Now(threading.local):
    """How deep this thread is in changes of synced state, and what it does once they are over."""

    depth = 0

    def __init__(self) -> None:
        self.afterwards: list[Callable[[], None]] = []


_now = _Now()


@contextmanager
def _section() -> Iterator[None]:
    """A change of synced state, with all that observers and links make of it."""
    try:
        with _LOCK:
            _now.depth += 1
            try:
                yield
            finally:
                _now.depth -= 1
    finally:
        # Without the lock, if nobody else on this thread has it: they may read all weights of a model.
        while _now.depth == 0 and _now.afterwards:
            _now.afterwards.pop(0)()


class Synced(anywidget.AnyWidget):
    """One re-entrant lock around everything that reads or writes synced state.

    A worker thread pushes while comm messages arrive on another; without the lock pushes get lost or split
    (ipywidgets keeps which traits are held back in plain attributes).
    """

    # Traits that a front end may write; everything else it sends is ignored and set right again.
    _from_front_end: ClassVar[frozenset[str]] = frozenset()
    # Of these, traits that are right or wrong only all together.
    _together: ClassVar[frozenset[str]] = frozenset()

    def setup_instance(self, *args: Any, **kwargs: Any) -> None:
        """Make the lock, before anything else."""
        # Before __init__: traitlets notifies while it sets the instance up.
        self.__dict__["_lock"] = _LOCK
        self.__dict__["_changed"] = threading.Condition(self.__dict__["_lock"])
        super().setup_instance(*args, **kwargs)

    def open(self) -> None:
        """Open the comm, and let its messages arrive while a cell runs.

        ipykernel 7.4 sends a comm's messages to the shell under which it last published, which is the busy one; None
        restores the plain rule.
        """
        super().open()
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = None

    def notify_change(self, change: Any) -> None:
        """Tell the front end and the observers, under the lock."""
        with _section():
            try:
                super().notify_change(change)
            except Exception:
                if not self._is_pushing:
                    raise
                _LOG.warning("an observer of %s raised", change["name"], exc_info=True)

    @contextmanager
    def pushing(self) -> Iterator[None]:
        """As :meth:`hold_sync`, for what nobody sets by hand: an observer that raises is logged and stops nothing.

        Otherwise half of a result would be there, and somebody would wait for its end for ever.
        """
        with _section():
            held = self.__dict__
            held["_pushing"] = held.get("_pushing", 0) + 1
            try:
                with self.hold_sync():
                    yield
            finally:
                held["_pushing"] -= 1

    def _afterwards(self, work: Callable[[], None]) -> None:
        """Do this when the change that this thread is in is over, with all that observers and links made of it."""
        with _section():
            _now.afterwards.append(work)

    @property
    def _is_pushing(self) -> bool:
        return bool(self.__dict__.get("_pushing"))

    @contextmanager
    def hold_sync(self) -> Iterator[None]:
        """Send several traits as one message, under the lock."""
        with _section(), super().hold_sync():
            yield

    @contextmanager
    def hold_trait_notifications(self) -> Iterator[None]:
        """Hold notifications back, under the lock."""
        with _section(), super().hold_trait_notifications():
            yield

    def set_state(self, sync_data: Any) -> None:
        """Take what a front end wrote, trait by trait; what is malformed is put right in the front end instead."""
        with _section():
            good: dict[str, Any] = {}
            wrong: list[str] = []
            items = sync_data.items() if isinstance(sync_data, Mapping) else ()
            for name, value in items:
                if name not in self._from_front_end:
                    if isinstance(name, str) and self.has_trait(name) and name in self.keys:
                        wrong.append(name)
                    continue
                try:
                    # A trial run of the trait's own validation: set_trait would raise in the middle of the others.
                    trait = self.traits()[name]
                    if name in self._together:
                        value = trait.validate(self, value)
                    else:
                        trait._validate(self, value)
                except Exception:
                    wrong.append(name)
                else:
                    good[name] = value
            together = {name: value for name, value in good.items() if name in self._together}
            alone = {name: value for name, value in good.items() if name not in together}
            for part in (alone, together):
                if part:
                    try:
                        super().set_state(part)
                    except Exception:  # all of it was taken back
                        wrong += part
            if wrong:
                self.send_state(wrong)

    def _handle_msg(self, msg: Any) -> None:
        """Take any comm message.

        ipywidgets' own handler prints a traceback into the notebook for a malformed one.
        """
        try:
            data = msg["content"]["data"]
            method = data["method"]
            if method == "update":
                self.set_state(data["state"])
            elif method == "request_state":
                self.send_state()
            elif method == "custom":
                self._handle_custom_msg(data["content"], msg.get("buffers", []))
        except Exception:
            _LOG.debug("a message from the front end was not understood", exc_info=True)

    def _send(self, msg: Any, buffers: Any = None) -> None:
        """Send, or do without: a closed socket or a kernel on its way out is no reason to lose a map."""
        try:
            super()._send(msg, buffers=buffers)
        except Exception:
            _LOG.debug("a message to the front end was not sent", exc_info=True)
