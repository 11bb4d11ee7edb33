"""What the front end may say, and what is said to it. Pure: no widget, no thread, no clock.

Traits carry everything that must be drawn; these messages only ask, report and acknowledge, so a saved notebook that
holds none of them still draws. A message that is not understood is None: whatever a front end sends, nothing raises.

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
    """Compute a map; answered by exactly one of done, cancelled or error."""

    req: str
    seq: int
    method: Any
    kind: Any
    index: Any


@dataclass(frozen=True)
class Cancel:
    """The answer to a request is no longer wanted."""

    req: str


@dataclass(frozen=True)
class Ack:
    """A partial map arrived; ``visible`` says whether anybody can see it."""

    req: str
    seq: int
    visible: bool


FromFrontEnd: TypeAlias = Request | Cancel | Ack


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
        return Cancel(req)
    seq = content.get("seq")
    if not isinstance(seq, int) or not is_whole(seq):
        return None
    if kind == "ack":
        return Ack(req, seq, content.get("visible") is not False)
    if kind == "request":
        want = content.get("want")
        want = want if isinstance(want, Mapping) else {}
        target = want.get("target")
        target = target if isinstance(target, Mapping) else {}
        method = want.get("method")
        # A name is compared with all names there are, which takes its time for one of ten million letters.
        method = method[:_LONGEST_NAME] if isinstance(method, str) else method
        return Request(req, seq, method, target.get("kind"), target.get("index"))
    return None


def is_whole(value: object) -> bool:
    """A whole number that JavaScript holds exactly; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def accepted(req: str) -> dict[str, Any]:
    """The request is queued; the kernel is alive."""
    return {"v": VERSION, "kind": "accepted", "req": req}


def progress(req: str, done: int, total: int) -> dict[str, Any]:
    """How far along the method is."""
    return {"v": VERSION, "kind": "progress", "req": req, "done": done, "total": total}


def partial(req: str, seq: int, done: int, total: int, header: Mapping[str, Any]) -> dict[str, Any]:
    """A better estimate; its map travels as the message's one buffer."""
    return {
        "v": VERSION,
        "kind": "partial",
        "req": req,
        "seq": seq,
        "done": done,
        "total": total,
        "header": dict(header),
    }


def done(req: str, key: str) -> dict[str, Any]:
    """Final: the map is already in its slot, under ``key``."""
    return {"v": VERSION, "kind": "done", "req": req, "key": key}


def cancelled(req: str, reason: str) -> dict[str, Any]:
    """Final: nothing is wrong."""
    return {"v": VERSION, "kind": "cancelled", "req": req, "reason": reason}


def error(req: str, message: str, traceback: str) -> dict[str, Any]:
    """Final: a sentence a person can act on, and the traceback to unfold."""
    return {"v": VERSION, "kind": "error", "req": req, "message": message, "traceback": traceback}
