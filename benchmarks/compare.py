"""Measure this project beside what a user would pick instead and beside the limit; writes benchmarks/results.md.

One process, the same work by all in turn; every map that is timed is compared with that of the others.

    python benchmarks/compare.py [--quick] [--models demo,resnet,vit] [--works Grad-CAM] [--list] [--print]
    python benchmarks/compare.py --page      after a change of results_tried.md: the page again, of the same numbers
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

import torch
from against import session
from against.models import CPU, SUBJECTS
from against.plan import planned
from against.timing import CLOCKS
from against.works import Limits, Planned

GOAL = session.FOLDER / "results.md"
QUICK, WHOLE = Limits(9, 2, 3), Limits(25, 5, 3)
# The last work that is begun ends before five minutes are over.
SECONDS = 240

HEAD = """# Beside the peers and the limit

The same work, in one process, in turn (A B C A B C ...), on {machine};
{load}. {clock}.

*Ours / theirs* is our number divided by theirs: the median over the rounds, between brackets the quartiles, or the
extremes where there are fewer than four rounds. Below 1 this project is better. *Ours less theirs* is the median of the
difference. *Asked* is what the ratio has to be at most; with a sign the difference, and with "itself" our own number.
Where that is **missed**, what was tried stands below the table. *Difference* is the relative L1 distance of the two
maps, so that nothing wins by doing less; what was compared where a peer makes another map stands below.

The limit is bare eager `torch.autograd.grad` towards the input with frozen parameters, at its best batch size. All
models take the picture itself for their input, so that all tools differentiate with respect to the same variable;
ResNet-50 and ViT-S/16 have random weights. The machine is shared: compare ratios, and only within a row. The engine
decides by measuring in which way it computes a model, before anything is timed. {ways}.

{versions}

Written by `{command}`.
"""


def plan(models: str, *, quick: bool, device: torch.device = CPU) -> Iterator[Planned]:
    """Everything, on these models."""
    return planned([SUBJECTS[name](device) for name in models.split(",")], quick=quick)


def main(say: Callable[[str], None] = print) -> int:
    """Measure and write; 1 where two maps differ that have to be the same."""
    began = time.perf_counter()
    parser = session.parser(__doc__)
    parser.add_argument("--page", action="store_true", help="only write the page again")
    parser.add_argument(
        "--clock",
        choices=CLOCKS,
        default="wall",
        help="work: CPU time of one thread, where others compute too",
    )
    arguments = parser.parse_args()
    if arguments.clock == "work":
        # A thread that waits for another one computes as well.
        torch.set_num_threads(1)
    if arguments.page:
        session.write(session.read(GOAL), GOAL, HEAD)
        return 0
    all_of_it = plan(arguments.models, quick=arguments.quick)
    if arguments.list:
        session.tell(all_of_it, say)
        return 0
    run = session.Session(
        None if arguments.print else GOAL,
        HEAD,
        " ".join(["make bench", *["QUICK=1"] * arguments.quick, *["CLOCK=work"] * (arguments.clock == "work")]),
        CPU,
        QUICK if arguments.quick else WHOLE,
        SECONDS if arguments.quick else None,
        began,
        say,
        arguments.clock,
    )
    return 0 if run.run(all_of_it, arguments.works) else 1


if __name__ == "__main__":
    sys.exit(main())
