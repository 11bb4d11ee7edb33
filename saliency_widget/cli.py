"""The command line: ``saliency-widget explain cat.jpg -o cat.png``."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saliency_widget._files import check_folder, probe
from saliency_widget._version import __version__
from saliency_widget.errors import InputError, SaliencyError

if TYPE_CHECKING:
    from saliency_widget.attribution import Attribution
    from saliency_widget.explainer import Explainer
    from saliency_widget.targets import Target

SCORES = ("logit", "probability", "log-probability", "margin")
"""The kinds of score; a test holds them to those that there are, which are not imported to read the arguments."""

SIGNS = ("absolute", "signed", "positive", "negative")
"""The ways to show a map, likewise."""

_MENU = Path(__file__).parent / "methods" / "menu.json"

_LONGEST_NUMBER = 30

_DESCRIPTION = "See what a vision model's score is sensitive to."

_METHODS = "List the methods with their parameters, or describe one: formula, cost, reference, known failings."

_EXPLAIN = """\
Make a saliency map of a picture: which pixels would change the model's score most if they changed a little.

The result is a PNG with three panels: what the model saw, the map over it, and the map with its scale.
Without --model, a small ImageNet classifier (EfficientNet-Lite0) is used that is installed with the package
extra "demo"; it knows 1000 classes, and nothing is downloaded.
"""

_EXAMPLES = """\
examples:
  saliency-widget explain cat.jpg
      explain the class that the model predicts; writes cat-saliency.png into the current folder
  saliency-widget explain cat.jpg -o map.png --target tabby
      explain the class "tabby", whatever the model predicts
  saliency-widget explain cat.jpg --target 281 --signed --npz map.npz
      class number 281; colours show which way each pixel pushes; the numbers themselves go into map.npz
  saliency-widget explain cat.jpg --sign positive --colormap viridis
      only what raises the score, in other colours
  saliency-widget explain cat.jpg --target tabby --against lynx
      what speaks for "tabby" rather than for "lynx"
  saliency-widget explain cat.jpg --method gradient --signed
      another method, by its name; parameters follow as --set NAME=VALUE
  saliency-widget explain cat.jpg --model resnet50
      another model, by its timm name; its weights are downloaded
  saliency-widget explain cat.jpg --model resnet50 --weights mine.pth
      the same model with weights from a file; nothing is downloaded

In Python, numpy.load("map.npz")["values"] holds the map, channels x height x width, and
saliency_widget.Attribution.load("map.npz") everything that belongs to it.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        The arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        0 on success, 2 where an argument cannot work, 1 where something else went wrong. For these, one sentence stands
        on stderr.
    """
    arguments = _parser().parse_args(argv)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        try:
            arguments.run(arguments)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader has enough, and what is left in the buffer must not fail again at the exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except InputError as error:
            return _fail(str(error), 2)
        except (SaliencyError, OSError) as error:
            return _fail(str(error), 1)
        except KeyboardInterrupt:
            return _fail("stopped; nothing was written", 130)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="saliency-widget", description=_DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"saliency-widget {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    explain = commands.add_parser(
        "explain",
        help="make a saliency map of a picture",
        description=_EXPLAIN,
        epilog=f"methods:\n{_listed()}\n\n{_EXAMPLES}".replace("%", "%%"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    explain.set_defaults(run=_explain)
    explain.add_argument("image", metavar="IMAGE", help="the picture: a PNG, JPEG, or another file that PIL can read")
    explain.add_argument(
        "-o", "--output", metavar="OUT.png", help="where to write the PNG (default: IMAGE-saliency.png, in this folder)"
    )
    explain.add_argument(
        "--target", metavar="CLASS", help="the class to explain: a name or a number (default: the predicted class)"
    )
    look = explain.add_argument_group("how the map is shown")
    sign = look.add_mutually_exclusive_group()
    sign.add_argument(
        "--sign",
        choices=SIGNS,
        default="absolute",
        help="how strongly each pixel changes the score (absolute, the default), in which direction too (signed), or "
        "only where it raises (positive) or lowers it (negative)",
    )
    sign.add_argument("--signed", action="store_const", dest="sign", const="signed", help="short for --sign signed")
    look.add_argument(
        "--reduce",
        metavar="HOW",
        help="what is shown of a pixel's channels: max, sum, mean, l2, or the number of one channel, from 0 (default: "
        "max for absolute, sum for the others)",
    )
    look.add_argument(
        "--colormap",
        metavar="NAME",
        help="inferno, viridis, gray, hot or jet (the last two are not uniform); with --sign signed blue-orange or "
        "blue-white-orange (default: the first)",
    )
    explain.add_argument("--npz", metavar="OUT.npz", help="write the numbers, too")
    explain.add_argument("--against", metavar="CLASS", help="another class: explain the difference of the two scores")
    explain.add_argument(
        "--score",
        choices=SCORES,
        default="logit",
        help="which score of the class: before the softmax (logit, the default), after it (probability), its "
        "logarithm, or the lead over the best other class (margin)",
    )
    method = explain.add_argument_group("method")
    method.add_argument("--method", metavar="NAME", default="gradient", help="how the map is made (default: gradient)")
    method.add_argument(
        "--set", metavar="NAME=VALUE", action="append", default=[], help="a parameter of the method; may be repeated"
    )
    model = explain.add_argument_group("model")
    model.add_argument("--model", metavar="NAME", help="a model of timm, by name, with its pretrained weights")
    weights = model.add_mutually_exclusive_group()
    weights.add_argument("--weights", metavar="FILE", help="take the weights from this file (a state dict)")
    weights.add_argument(
        "--random-weights",
        action="store_true",
        help="leave the weights random, which the PNG says: for trying things out",
    )
    methods = commands.add_parser(
        "methods", help="list the methods, or describe one", description=_METHODS, allow_abbrev=False
    )
    methods.set_defaults(run=_methods)
    methods.add_argument("name", metavar="NAME", nargs="?", help="the method to describe (default: list all)")
    return parser


def _listed() -> str:
    """The methods, from a file that is written from the registry: the registry itself needs torch, which takes long."""
    lines = []
    for one in json.loads(_MENU.read_text("utf-8")):
        settings = ", ".join(f"{name}={default}" for name, default in one["parameters"].items())
        lines.append(f"  {one['name']}\n      {one['summary']}" + (f"\n      {settings}" if settings else ""))
    return "\n".join(lines)


def _methods(arguments: argparse.Namespace) -> None:
    if arguments.name is None:
        print(_listed())
        return
    from saliency_widget.methods.base import as_method
    from saliency_widget.methods.describe import describe_method

    one = describe_method(type(as_method(arguments.name)))
    print(f"{one.label} ({one.name}; in Python {one.cls})\n\n{one.text}")
    for item in one.parameters:
        print(f"\n  {item.name} (default {item.default or 'none'})\n      {item.text}")
    for heading, body in one.sections.items():
        print(f"\n{heading}: {body}")


def _explain(arguments: argparse.Namespace) -> None:
    if arguments.model is None and (arguments.weights is not None or arguments.random_weights):
        option = "--random-weights" if arguments.random_weights else "--weights"
        raise InputError(option, arguments.weights or True, "goes with a model", "Name it: --model NAME.")
    output = Path(arguments.output or f"{Path(arguments.image).stem}-saliency.png").expanduser()
    _check_goal("-o", output, ".png", arguments.image)
    numbers = None if arguments.npz is None else Path(arguments.npz).expanduser()
    if numbers is not None:
        _check_goal("--npz", numbers, ".npz", arguments.image)

    # after the arguments, so that --help and a slip of the pen are answered at once
    from saliency_widget.display.colours import check_colormap
    from saliency_widget.display.reduce import check_reduction

    colormap = check_colormap(arguments.sign, arguments.colormap)
    # A map over cells has fewer channels than the picture; that is known when there is one.
    check_reduction(arguments.reduce, arguments.sign, channels=3)

    from saliency_widget.models.image import load_image

    picture = load_image(arguments.image).picture
    model, weights = _model(arguments)

    from saliency_widget.explainer import Explainer
    from saliency_widget.explainer.early import check_early
    from saliency_widget.export.png import write_png
    from saliency_widget.methods.describe import method_from_text

    method = method_from_text(arguments.method, arguments.set)
    method.check(model)
    wanted = _target(arguments)
    check_early(model, None, [wanted])
    explainer = Explainer(model, picture)
    target = explainer.resolve(wanted)
    *_, last = explainer.steps([target], method)
    attribution = _named(last.attributions[0], weights)
    # All files first: who reads only the first line of what is printed closes the pipe.
    write_png(attribution, output, arguments.sign, reduce=arguments.reduce, colormap=colormap)
    if numbers is not None:
        attribution.save(numbers)
    _print_prediction(explainer, weights)
    print(f"Explained: {attribution.target.text} = {attribution.score:.4g}")
    if attribution.quality.get("zero"):
        print("The map is zero everywhere: this score does not change with any pixel of this picture.")
    print(f"Wrote {output}")
    if numbers is not None:
        print(f"Wrote {numbers}")


def _check_goal(option: str, goal: Path, suffix: str, image: str) -> None:
    if goal.is_dir():
        raise InputError(option, str(goal), "is a folder", "Give the name of a file.")
    if goal.suffix.lower() != suffix:
        raise InputError(option, str(goal), f"does not end in {suffix}", f"Name it {goal.stem}{suffix}.")
    check_folder(goal, option)
    if not os.access(goal.parent, os.W_OK):
        raise InputError(option, str(goal), "lies in a folder that may not be written to", "Choose another folder.")
    probe(goal, option)
    if goal.exists() and Path(image).exists() and goal.samefile(image):
        raise InputError(option, str(goal), "is the picture itself", "Choose another name.")


def _target(arguments: argparse.Namespace) -> Target:
    from saliency_widget.targets import Contrast, target_of_kind

    if arguments.against is None:
        return target_of_kind(arguments.score, _class(arguments.target))
    if arguments.score == "margin":
        raise InputError("--against", arguments.against, "is no difference of margins", "Leave --score out.")
    return Contrast(_class(arguments.target), _class(arguments.against), of=arguments.score)


def _class(text: str | None) -> int | str | None:
    if text is None or not re.fullmatch(r"[+-]?[0-9]+", text.strip()):
        return text
    if len(text) > _LONGEST_NUMBER:  # Python reads no number of more than 4,300 digits
        raise InputError("target", text, "is out of range", "Give the number of a class of the model.")
    return int(text)


def _model(arguments: argparse.Namespace) -> tuple[Any, str]:
    """Return the model, in eval mode, and where its weights come from."""
    if arguments.model is None:
        from saliency_widget.models import demo

        return demo.model(), "the demo model, trained on ImageNet"
    from saliency_widget.models import named

    if arguments.weights is not None:
        return named.from_file(arguments.model, arguments.weights), f"weights from {arguments.weights}"
    if arguments.random_weights:
        return named.untrained(arguments.model), "random weights"
    named.check_name(arguments.model)
    print(
        f"Fetching the weights of {arguments.model}, if they are not here yet. Without a network it may take a minute "
        "until that is clear.",
        flush=True,
    )
    # It reports each of its retries. After its import, which timm's brought about, and which sets the level anew.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    return named.pretrained(arguments.model), "pretrained weights of timm"


def _named(attribution: Attribution, weights: str) -> Attribution:
    target = attribution.target
    if weights == "random weights":
        target = replace(target, text=f"{target.text} (random weights)")
    return replace(attribution, target=target, provenance={**attribution.provenance, "weights": weights})


def _print_prediction(explainer: Explainer, weights: str) -> None:
    print(f"{explainer.model_name} ({weights}) says:")
    for found in explainer.prediction:
        print(f"  {found.probability:7.2%}  {found.label}" + (f" ({found.index})" if explainer.labels else ""))


def _fail(words: str, code: int) -> int:
    print(f"saliency-widget: {' '.join(words.split())}", file=sys.stderr)
    return code


def _show_warning(message: Warning | str, *_: object) -> None:
    print(f"saliency-widget: warning: {' '.join(str(message).split())}", file=sys.stderr)
