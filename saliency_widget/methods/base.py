"""What a method is: a frozen set of parameters that turns a problem into better and better estimates."""

from __future__ import annotations

import dataclasses
import difflib
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from saliency_widget.engine.devices import neutral
from saliency_widget.errors import InputError

# Whoever has a problem has imported most of the engine; a method can be named without.
if TYPE_CHECKING:
    from saliency_widget.engine.problem import Problem

M = TypeVar("M", bound="type[Method]")


@dataclass(frozen=True, eq=False)
class Estimate:
    """The best map so far of every target.

    Attributes
    ----------
    values
        (K, C, H, W), signed, in the method's unit. A map over the cells of a layer is (K, 1, h, w).
    scores
        (K,), the scores of the picture itself.
    done, total
        How far along the method is, in its own units.
    final
        No better estimate will follow.
    quality
        For each target, scale-free figures on how good its map is.
    extras
        Further maps by name, each (K, c, h, w): what belongs to the map but is not it, such as its standard error.
    """

    values: Tensor
    scores: Tensor
    done: int
    total: int
    final: bool
    quality: tuple[dict[str, Any], ...] = field(default=())
    extras: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.quality:
            object.__setattr__(self, "quality", tuple({} for _ in range(len(self.values))))


@dataclass(frozen=True)
class Method(ABC):
    """A way to attribute a score to pixels.

    A subclass is a frozen dataclass whose fields are its parameters, which it validates in ``__post_init__``; it names
    itself and implements :meth:`compute`.

    Attributes
    ----------
    name, label, summary
        What it is asked for by, what it is shown by, and what it does in a sentence.
    unit
        Unit of its values, a template of ``{score}``, the unit of the score, and ``{variable}``, the unit of the
        pixels. A property where it depends on a parameter.
    shares_passes
        Whether the map of a target is the same, and costs next to nothing more, where others are computed with it: all
        its passes are passes for all targets.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    summary: ClassVar[str] = ""
    unit: ClassVar[str] = "{score} per {variable}"
    shares_passes: ClassVar[bool] = False

    def estimates(self, problem: Problem) -> Iterator[Estimate]:
        """Yield estimates, each better than the one before; the last is final.

        A consumer that has enough takes no more. If the weights of the model change on the way, the estimates start
        over on a snapshot of them.
        """
        from saliency_widget.engine.run import WeightsMoved

        with problem.running():
            try:
                yield from self._steps(problem)
            except WeightsMoved:
                yield from self._steps(problem)

    def _steps(self, problem: Problem) -> Iterator[Estimate]:
        steps = self.compute(problem)
        try:
            while True:
                # The consumer's modes are no business of the mathematics, and they may change between two estimates:
                # what was accumulated in inference mode could not be added to outside of it.
                with neutral(problem.device), torch.no_grad():
                    estimate = next(steps, None)
                if estimate is None:
                    return
                yield estimate
        finally:
            if isinstance(steps, Generator):
                steps.close()

    @abstractmethod
    def compute(self, problem: Problem) -> Iterator[Estimate]:
        """The mathematics: a generator over the primitives of the problem."""

    def check(self, model: nn.Module) -> None:  # noqa: B027  (most methods fit any model, as far as can be seen)
        """Raise :class:`~saliency_widget.InputError` where a parameter cannot fit the model, which is not run for it.

        Parameters
        ----------
        model
            The user's, unwrapped.
        """

    def parameters(self) -> dict[str, Any]:
        """Everything that decides the result, by name."""
        return {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}


_METHODS: dict[str, type[Method]] = {}


def register(method: M) -> M:
    """Class decorator: make a method known by its name."""
    if method.name in _METHODS and _METHODS[method.name].__qualname__ != method.__qualname__:
        raise ValueError(f"two methods are called {method.name!r}")
    _METHODS[method.name] = method
    return method


def menu() -> tuple[type[Method], ...]:
    """All methods, in the order in which a menu shows them."""
    from saliency_widget.methods import MENU

    # What a user registered comes last.
    return (*MENU, *(method for method in _METHODS.values() if method not in MENU))


def as_method(spec: Any) -> Method:
    """Turn what a user writes into a method.

    Parameters
    ----------
    spec
        The name of a method, which stands for the method with its default parameters, or a method with its own.

    Raises
    ------
    InputError
        There is no such method; the nearest names are given.
    """
    if isinstance(spec, Method):
        return spec
    if isinstance(spec, type) and issubclass(spec, Method):
        raise InputError("method", spec.__name__, "is a class", f"Give an instance: {spec.__name__}().")
    if not isinstance(spec, str):
        names = ", ".join(method.name for method in menu())
        raise InputError("method", spec, "is not a method", f"Give one of {names}, or a method such as Gradient().")
    return class_of(spec)()


def class_of(name: str) -> type[Method]:
    """The class of a method, by its name, its label or the name of the class; case and punctuation do not count.

    Raises
    ------
    InputError
        There is no such method; the nearest names are given.
    """
    known = {method.name: method for method in menu()}
    wanted = _plain(name)
    for one, method in known.items():
        if wanted in (_plain(one), _plain(method.label), _plain(method.__name__)):
            return method
    near = difflib.get_close_matches(wanted, list(known), n=3, cutoff=0.4)
    remedy = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    raise InputError("method", name, "names no method", f"{remedy}The methods are: {', '.join(known)}.")


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower().replace("+", "plus") if letter.isalnum())
