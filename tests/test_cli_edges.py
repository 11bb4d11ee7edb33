"""The command line at its edges: names, folders, pipes and networks that are not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import saliency_widget as sw
from saliency_widget import cli
from saliency_widget.models import named
from tests.test_cli import TINY, assert_refused, cat  # noqa: F401  (a fixture)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "resnet18.nosuchtag", "--random-weights"], "names no weights of resnet18"),
        (["--model", "resnet18.a1_in2k"], "The nearest are resnet18.a1_in1k"),
        (["--model", "hf-hub:foo/bar", "--random-weights"], "lies on a hub"),
        (["--model", "hf-hub:foo/bar", "--weights", "CAT"], ""),
        (["--target", "9" * 5000], "is out of range"),
        (["--against", "-" + "9" * 5000], "is out of range"),
        (["-o", "CAT/x.png"], "which is a file"),
        (["-o", "CAT/deeper/x.png"], "which is a file"),
        (["-o", "."], "is a folder"),
        (["--method", "grad_cam", "--set", "layer=nope"], "names no layer"),
    ],
)
def test_refused_in_a_sentence(
    cat: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    before = sorted(Path().rglob("*"))
    assert_refused(cli.main(["explain", str(cat), *(a.replace("CAT", str(cat)) for a in arguments)]), capsys, words)
    assert sorted(Path().rglob("*")) == before


def test_no_word_of_fetching_before_the_name_is_known(
    cat: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["explain", str(cat), "--model", "resnt18"]) == 2
    assert capsys.readouterr().out == ""


def test_a_model_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("needs a part that is not installed")

    monkeypatch.setattr("timm.create_model", broken)
    with pytest.raises(sw.InputError, match=r"cannot be made .needs a part"):
        named.untrained(TINY)


def test_a_folder_in_which_no_file_can_be_made_is_found_before_the_work(
    cat: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_file(*_: object, **__: object) -> None:
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", no_file)
    monkeypatch.setattr(cli, "_model", lambda arguments: pytest.fail("work was done"))
    assert_refused(cli.main(["explain", str(cat)]), capsys, "cannot be written to (Read-only file system)")


def test_a_suffix_in_capitals(cat: Path) -> None:  # noqa: F811
    assert cli.main(["explain", str(cat), "-o", "MAP.PNG", "--npz", "MAP.NPZ"]) == 0
    assert sw.Attribution.load("MAP.NPZ").target.index == 282


def run(code: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(Path(sw.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False, env=env
    )


def test_a_reader_that_closes_the_pipe(cat: Path) -> None:  # noqa: F811
    code = f"""
import os, sys
read, write = os.pipe()
os.close(read)
os.dup2(write, 1)
from saliency_widget.cli import main
sys.exit(main(["explain", {str(cat)!r}, "--model", "{TINY}", "--random-weights", "-o", "m.png", "--npz", "m.npz"]))
"""
    done = run(code)
    assert (done.returncode, done.stderr) == (0, "")
    assert Path("m.png").exists()
    assert sw.Attribution.load("m.npz").values.any()


def test_retries_are_not_printed(cat: Path) -> None:  # noqa: F811
    code = f"""
import logging, sys
from saliency_widget import cli
from saliency_widget.models import named
from saliency_widget.errors import InputError
def offline(name):
    import huggingface_hub.utils
    logging.getLogger("huggingface_hub.utils._http").warning("Retrying in 8s")
    raise InputError("--model", name, "could not be downloaded", "Go online.")
named.pretrained = offline
sys.exit(cli.main(["explain", {str(cat)!r}, "--model", "{TINY}"]))
"""
    done = run(code)
    assert done.returncode == 2
    assert "Retrying" not in done.stderr
    assert "may take a minute" in done.stdout
