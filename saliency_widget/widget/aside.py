"""What is found out beside the maps, on the worker's thread."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import traitlets as t

from saliency_widget.widget.chosen import Chosen

if TYPE_CHECKING:
    from saliency_widget.widget.subjects import Subjects


class Aside(Chosen):
    """Layers, geometry, whole pictures, and predictions of later weights."""

    @t.observe("frame")
    def _on_frame(self, _change: Any = None) -> None:
        if self._ready and self.frame == "original" and not any(self._originals) and not self._closed:
            self._session.aside(self._fetch_originals, self._subjects.all[0])

    def _fetch_originals(self) -> None:
        subjects: Subjects | None = self.__dict__.get("_subjects")
        if subjects is not None:
            originals = subjects.originals()
            with self._lock:
                if not self._closed:
                    self._originals = originals

    def _look_further(self) -> None:
        """Find what can be chosen but takes its time, on the worker's thread."""
        subjects: Subjects | None = self.__dict__.get("_subjects")
        if subjects is None:
            return
        for explainer in subjects.all:
            with contextlib.suppress(Exception):  # what cannot be found cannot be chosen, and that is all
                subjects.look_further(explainer)
        with self._lock:
            if not self._closed:
                self._info = subjects.info()

    def _predict_again(self) -> None:
        """Ask for the predictions of the weights there are, and which maps are of others."""
        if not self._closed and not self._asked_again:
            self._asked_again = True
            self._session.aside(self._refresh, self._subjects.all[0])

    def _refresh(self) -> None:
        self._asked_again = False
        subjects: Subjects | None = self.__dict__.get("_subjects")
        if subjects is None:
            return
        changed = False
        for row in subjects.rows:
            content = row[0].content()
            with self._lock:
                if not self._closed:
                    self._reporter.know(row[0], content)
            for explainer in row:
                changed |= explainer.refresh(content)
        if changed:
            with self._lock:
                if not self._closed:
                    with self.pushing():
                        self._info = subjects.info()
