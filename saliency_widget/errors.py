"""The exceptions and the warning this package raises.

They stand at the bottom of the package, so that a result can be read and drawn where torch is not installed.
"""

from __future__ import annotations

_LONGEST_VALUE = 200


class SaliencyError(Exception):
    """Base of everything this package raises on purpose."""


class InputError(SaliencyError, ValueError):
    """An argument cannot work; raised before any work was done.

    Parameters
    ----------
    argument
        Name of the argument, as the caller wrote it.
    value
        What was given. Its ``repr`` is shortened; a string is shown as it is, quoted.
    problem
        What is wrong with it, as the rest of a sentence: ``"names no class of this model"``.
    remedy
        What would be right, as a full sentence.
    """

    def __init__(self, argument: str, value: object, problem: str, remedy: str) -> None:
        self.argument = argument
        self.value = value
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{argument}={short(value)} {problem}. {remedy}")


class ModelError(SaliencyError, RuntimeError):
    """The model cannot be explained as it is; the message names the way out."""


class ModelChangedError(SaliencyError, RuntimeError):
    """A :class:`~saliency_widget.ModelGuard` found the model or the random state changed."""


class Cancelled(SaliencyError):
    """The work was cancelled; nothing is wrong."""


class SaliencyWarning(UserWarning):
    """Something works, but not as one might think."""


def short(value: object) -> str:
    """What was given, as ``repr`` has it, shortened; for what cannot be told so, its type."""
    try:
        text = repr(value)
    except Exception:  # a broken __repr__ of the user's must not hide the real error
        text = f"<{type(value).__name__}>"
    if len(text) > _LONGEST_VALUE:
        text = text[: _LONGEST_VALUE - 1] + "…"
    return text
