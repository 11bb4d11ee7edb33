"""What pages say to a widget, and what they are told when they ask."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from saliency_widget.display.encode import encode_half
from saliency_widget.widget import executed, protocol
from saliency_widget.widget.aside import Aside
from saliency_widget.widget.session import words_of
from saliency_widget.widget.tiles import cut_tile

_LOG = logging.getLogger("saliency_widget")


class Answering(Aside):
    """Answers messages; see :mod:`~saliency_widget.widget.protocol`."""

    def _handle_msg(self, msg: Any) -> None:
        executed.heard(self)
        super()._handle_msg(msg)

    def _on_custom(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """Validate, enqueue, return: this may run on any thread, and nothing may raise."""
        try:
            said = protocol.parse(content)
            if isinstance(said, protocol.Request):
                self._on_request(said)
            elif isinstance(said, protocol.Tile):
                self._on_tile(said)
            elif isinstance(said, protocol.Cancel):
                req = None if said.req == protocol.ANY else said.req
                self._session.cancel(req, reason="stopped", keep=said.keep)
            elif isinstance(said, protocol.Ack):
                with self._lock:
                    self._reporter.heard(said)
        except Exception:
            _LOG.debug("a message from the front end was not understood", exc_info=True)

    def _on_request(self, said: protocol.Request) -> None:
        with self._lock:
            if self._closed:
                self.send(protocol.cancelled(said.req, "the widget is closed"))
                return
            try:
                order = replace(self._order_of(said.want, req=said.req), quiet=said.aside)
            except Exception as error:
                self.send(protocol.error(said.req, words_of(error), ""))
                return
            self.send(protocol.accepted(said.req))
            held, turn = order.key in self._attributions, self._session.turn
            if not held:
                self._ask_for_page(order)
        if held:
            self._ask_again(order, turn)

    def _on_tile(self, said: protocol.Tile) -> None:
        with self._lock:
            try:
                attribution = self._attributions.get(said.key) if isinstance(said.key, str) else None
                values, picture = cut_tile(attribution, said)
            except Exception as error:
                self.send(protocol.error(said.req, words_of(error), ""))
                return
        packed = encode_half(values)
        header = {"shape": list(packed.shape), "scale": packed.scale}
        with self._lock:
            self.send(protocol.tile(said, header), buffers=[packed.data, picture])

    def set_state(self, sync_data: Any) -> None:
        """Take what a page wrote; a map that it shows may be of weights that are gone."""
        before = self.shown
        super().set_state(sync_data)
        if self._ready and not self._closed and self.shown != before:
            with self._lock:
                self._reporter.looked_at(self.shown)

    def _send(self, msg: Any, buffers: Any = None) -> None:
        if msg.get("method") == "update":
            # Bytes travel beside the state, which does not name them then.
            executed.sent(self, {*msg["state"], *(path[0] for path in msg.get("buffer_paths", ()))})
        super()._send(msg, buffers)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:
        """Give the synced traits. Whoever asks for all of them is a new page, which knows nothing of requests."""
        with self._lock:
            session = self.__dict__.get("_session")
            current = session.current if key is None and session is not None else None
            if current is not None:
                self._reporter.adopt(current.key)
            return super().get_state(key, drop_defaults)
