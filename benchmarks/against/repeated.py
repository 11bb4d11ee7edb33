"""Ways to repeat work of one fixed shape: as it is, compiled, or as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from against import limit
from against.models import Subject

Step = Callable[[Tensor], Tensor]


def as_graph(step: Step, example: Tensor, *, warmup: int = 3) -> Step:
    """The step as one CUDA graph for pictures of this shape; others are run as they are.

    Launching a few hundred small kernels takes the CPU longer than they take the GPU; a graph launches them at once.
    """
    if example.device.type != "cuda":
        raise ValueError(f"a CUDA graph needs a CUDA device; the pictures are on {example.device}")
    given = example.detach().clone()
    # As PyTorch asks: libraries set up what they need on another stream, before anything is recorded.
    stream = torch.cuda.Stream(example.device)
    stream.wait_stream(torch.cuda.current_stream(example.device))
    with torch.cuda.stream(stream):
        for _ in range(warmup):
            step(given)
    torch.cuda.current_stream(example.device).wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = step(given)

    def run(rows: Tensor) -> Tensor:
        if rows.shape != given.shape:
            return step(rows)
        given.copy_(rows)
        graph.replay()
        # The next replay writes where this one did.
        return found.clone()

    return run


def forms(subject: Subject, which: int, rows: int) -> Iterator[tuple[str, Callable[[], Step]]]:
    """What the gradient of so many rows can be made into on the subject's device, by name; made when called for.

    Nothing on the CPU, which launches at once and on which compiling takes longer than most work.
    """
    if subject.device.type == "cuda":
        example = subject.inputs.repeat(rows, 1, 1, 1)
        yield "CUDA graph", lambda: as_graph(limit.one_gradient(subject, which), example)
        yield "compiled", lambda: compiled(subject, which)


def compiled(subject: Subject, which: int, *, backend: str = "inductor") -> Step:
    """The gradient with the model's forward pass and, through AOTAutograd, its backward pass compiled."""
    return limit.one_gradient(subject, which, torch.compile(subject.frozen, backend=backend, dynamic=False))
