"""How a cell shows a widget: live, or as what needs no widget machinery."""

from __future__ import annotations

from saliency_widget.errors import InputError

_WAYS = ("widget", "static")
_way = "widget"


def display_as(way: str) -> None:
    """Choose how every widget is shown from now on where a cell ends with it, or ``display`` is called.

    Parameters
    ----------
    way
        "static": a frame that works without a kernel and in any renderer, with a picture where frames are stripped; for
        a notebook that is about to be published. "widget": the live widget, as usual.

    Raises
    ------
    InputError
        It is neither.
    """
    global _way
    if not isinstance(way, str) or way not in _WAYS:
        raise InputError("way", way, "is no way to show a widget", 'Use "widget" or "static".')
    _way = way


def shown_as() -> str:
    """What :func:`display_as` chose last."""
    return _way
