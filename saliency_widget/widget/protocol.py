"""What the front end may say, and what is said to it. Pure: no widget, no thread, no clock.

Traits carry everything that must be drawn; these messages only ask, report and acknowledge, so a saved notebook that
holds none of them still draws. A message that is not understood is None: whatever a front end sends, nothing raises.

A run that Python starts is told of as a request is: by progress, partial and exactly one of done, cancelled, error. It
announces itself in the trait ``_status``, whose ``want`` then has its name, ``req``, beside what it computes; a page
follows it by that name, and may cancel it.

The fields are named ``req`` and ``seq``, never ``id``: ipykernel 7.4 routes comm messages by a string ``content.id``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

VERSION = 1
# Instead of a request's name, in a cancel: whatever somebody waits for. A page that was reloaded knows no names.
ANY = "*"
_LONGEST_NAME = 200
# Numbers beyond this are not exact in JavaScript, so no front end of ours sends one.
_LARGEST = 2**53


@dataclass(frozen=True)
class Request:
    """Compute a map; answered by exactly one of done, cancelled or error.

    One that is ``aside`` is for a place beside the map on display, and waits for whatever else is asked for.
    """

    req: str
    seq: int
    want: Mapping[str, Any]
    aside: bool = False


@dataclass(frozen=True)
class Cancel:
    """The answer to a request is no longer wanted; ``keep`` asks for the best map so far."""

    req: str
    keep: bool = False


@dataclass(frozen=True)
class Tile:
    """Send a part of a map at its full resolution, in pixels of that; answered by exactly one of tile or error."""

    req: str
    key: Any
    top: Any
    left: Any
    height: Any
    width: Any


@dataclass(frozen=True)
class Ack:
    """A partial map arrived on ``page``; ``visible`` says whether anybody can see it there.

    Said again, without a new one, where what could not be seen can be seen now.
    """

    req: str
    seq: int
    visible: bool
    page: str = ""


FromFrontEnd: TypeAlias = Request | Cancel | Ack | Tile


def parse(content: object) -> FromFrontEnd | None:
    """Read one custom message.

    A request whose ``want`` is malformed is still a request: it has a name by which it can be refused.
    """
    if not isinstance(content, Mapping) or content.get("v") != VERSION:
        return None
    req = content.get("req")
    if not isinstance(req, str) or not 0 < len(req) <= _LONGEST_NAME:
        return None
    kind = content.get("kind")
    if kind == "cancel":
        return Cancel(req, content.get("keep") is True)
    seq = content.get("seq")
    if not isinstance(seq, int) or not is_whole(seq):
        return None
    if kind == "ack":
        page = content.get("page")
        if not isinstance(page, str) or len(page) > _LONGEST_NAME:
            page = ""
        return Ack(req, seq, content.get("visible") is not False, page)
    if kind == "request":
        want = content.get("want")
        return Request(req, seq, want if isinstance(want, Mapping) else {}, content.get("aside") is True)
    if kind == "tile":
        sides = (content.get(side) for side in ("top", "left", "height", "width"))
        return Tile(req, content.get("key"), *sides)
    return None


def is_whole(value: object) -> bool:
    """A whole number that JavaScript holds exactly; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def accepted(req: str) -> dict[str, Any]:
    """The request is queued; the kernel is alive."""
    return {"v": VERSION, "kind": "accepted", "req": req}


def progress(req: str, done: int, total: int, seconds: float) -> dict[str, Any]:
    """How far along the method is, after so many seconds of work."""
    return {"v": VERSION, "kind": "progress", "req": req, "done": done, "total": total, "seconds": seconds}


def partial(req: str, seq: int, done: int, total: int, seconds: float, header: Mapping[str, Any]) -> dict[str, Any]:
    """A better estimate; its map travels as the message's one buffer."""
    return {
        "v": VERSION,
        "kind": "partial",
        "req": req,
        "seq": seq,
        "done": done,
        "total": total,
        "seconds": seconds,
        "header": dict(header),
    }


def done(req: str, key: str) -> dict[str, Any]:
    """Final: the map is already in its slot, under ``key``."""
    return {"v": VERSION, "kind": "done", "req": req, "key": key}


def cancelled(req: str, reason: str, key: str = "") -> dict[str, Any]:
    """Final: nothing is wrong. ``key`` is the map that was kept, already in its slot."""
    return {"v": VERSION, "kind": "cancelled", "req": req, "reason": reason, "key": key}


def tile(said: Tile, header: Mapping[str, Any]) -> dict[str, Any]:
    """Final: the message's buffers are the map there, in halves, and the picture there, in RGB."""
    place = {"key": said.key, "top": said.top, "left": said.left, "height": said.height, "width": said.width}
    return {"v": VERSION, "kind": "tile", "req": said.req, **place, "header": dict(header)}


def error(req: str, message: str, traceback: str) -> dict[str, Any]:
    """Final: a sentence a person can act on, and the traceback to unfold."""
    return {"v": VERSION, "kind": "error", "req": req, "message": message, "traceback": traceback}
