"""Keep what a model computes before a layer for one picture, so that many rows of what follows need it once.

Where the head cannot run at more rows than its trunk, because the model joins what the layer returns with something
from before it, the trunk would have to run at as many rows, all of them equal. Here the parts of the model that are
done when the layer returns are run at one row, and hand out that row as often as it is wanted.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, TypeAlias

from torch import Tensor, nn

from saliency_widget.engine.replica import Replica

Part: TypeAlias = tuple[nn.Module, Any]


class _NotKept(Exception):
    """What a part returned is no tensors of one row."""


@contextmanager
def watching(replica: Replica, name: str, calls: int) -> Iterator[list[Part]]:
    """Fill a list, during a pass of one row, with the outermost parts that are done when a layer returns.

    Parameters
    ----------
    name, calls
        The layer, and which of its calls counts.
    """
    found: list[Part] = []
    frames: list[list[Part]] = [[]]
    counts: Counter[nn.Module] = Counter()
    layer = replica.module.get_submodule(name)
    done = False

    def enter(_module: nn.Module, _given: Any) -> None:
        frames.append([])

    def leave(module: nn.Module, _given: Any, output: Any) -> None:
        nonlocal done
        counts[module] += 1
        inside = frames.pop()
        try:
            # A part is kept as a whole; its own parts where that cannot be.
            frames[-1].append((module, _repeated(output, 1)))
        except _NotKept:
            frames[-1].extend(inside)
        if module is layer and counts[module] == calls and not done:
            done = True
            found.extend(part for frame in frames for part in frame)

    with ExitStack() as stack:
        for _, module in replica.module.named_modules():
            with suppress(RuntimeError, AttributeError):  # a part of a ScriptModule
                # After the hooks that are there, before those that come later: what is exchanged later is not kept.
                before, after = module.register_forward_pre_hook(enter), module.register_forward_hook(leave)
                stack.callback(before.remove)
                stack.callback(after.remove)
        yield found
    # Of a part that is called again, a call cannot be told from another.
    found[:] = [part for part in found if counts[part[0]] == 1]


@contextmanager
def handing_out(parts: list[Part], rows: int) -> Iterator[None]:
    """Let the parts return so many rows of what they returned, without computing."""
    with ExitStack() as stack:
        for module, output in parts:
            own = module.__dict__.get("forward")
            module.__dict__["forward"] = _handing(output, rows)
            stack.callback(_restore, module, own)
        yield


def _handing(output: Any, rows: int) -> Any:
    def forward(*_given: Any, **_named: Any) -> Any:
        return _repeated(output, rows)

    return forward


def _restore(module: nn.Module, own: Any) -> None:
    if own is None:
        module.__dict__.pop("forward", None)
    else:
        module.__dict__["forward"] = own


def _repeated(output: Any, rows: int) -> Any:
    """A copy of tensors of one row, each row so many times; the model may write into it."""
    if isinstance(output, Tensor):
        if output.dim() == 0 or len(output) != 1:
            raise _NotKept
        return output.detach().repeat(rows, *[1] * (output.dim() - 1))
    if output is None:
        return None
    if type(output) in (tuple, list):
        return type(output)(_repeated(one, rows) for one in output)
    if type(output) in (dict, OrderedDict):
        return type(output)((name, _repeated(one, rows)) for name, one in output.items())
    raise _NotKept
