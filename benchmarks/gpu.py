"""The table of compare.py on a CUDA device, timed by CUDA events; writes benchmarks/results_gpu.md.

Beside the peers and bare autograd stands what the repeated work of one fixed shape can be made into: bare autograd
recorded as one CUDA graph, and compiled. Where there is no CUDA device it says so and writes nothing: a results file
holds what was measured, or nothing.

    python benchmarks/gpu.py [--quick] [--models demo,resnet,vit] [--works Grad-CAM] [--list] [--print]
    python benchmarks/gpu.py --device cpu --print      the same program without a GPU, to see that it runs
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from against import session
from against.works import Limits
from compare import HEAD, plan

GOAL = session.FOLDER / "results_gpu.md"
QUICK, WHOLE = Limits(15, 2, 5), Limits(100, 10, 15)
MORE = """
CUDA events count from when the device begins until it has done the last thing asked of it, waiting for the CPU
included. *CUDA graph* is bare autograd of a batch of one fixed shape, forward and backward pass recorded once and
launched at once; *compiled* is that with the model through `torch.compile`. Memory is that of PyTorch's allocator.
"""
NO_CUDA = (
    "There is no CUDA device here, so nothing was measured and {goal} was left as it is. Run this where there is one; "
    "--device cpu --print runs the same program on the CPU, whose numbers are those of compare.py."
)


def main(say: Callable[[str], None] = print) -> int:
    """Measure and write; 1 where two maps differ that have to be the same, 2 where there is no such device."""
    parser = session.parser(__doc__)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, or cpu (with --print)")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    if device.type == "cuda" and not torch.cuda.is_available() and not arguments.list:
        say(NO_CUDA.format(goal=GOAL.name))
        return 2
    if device.type != "cuda" and not (arguments.print or arguments.list):
        parser.error(f"--device {device} needs --print: {GOAL.name} is for a GPU's numbers")
    # A plan needs the models, and no device.
    all_of_it = plan(arguments.models, quick=arguments.quick, device=torch.device("cpu") if arguments.list else device)
    if arguments.list:
        session.tell(all_of_it, say)
        return 0
    run = session.Session(
        None if arguments.print else GOAL,
        HEAD + MORE,
        f"python benchmarks/gpu.py{' --quick' if arguments.quick else ''}",
        device,
        QUICK if arguments.quick else WHOLE,
        say=say,
    )
    return 0 if run.run(all_of_it, arguments.works) else 1


if __name__ == "__main__":
    sys.exit(main())
