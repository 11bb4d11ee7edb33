"""Writing files so that a failure leaves the old one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from saliency_widget.errors import InputError


def check_folder(goal: Path, argument: str) -> None:
    """Raise :class:`~saliency_widget.InputError` where a file's folder is none."""
    folder = goal.parent
    if folder.is_dir():
        return
    # The first that exists on the way up decides what is wrong with it.
    above = next((part for part in (folder, *folder.parents) if part.exists()), folder)
    if above.exists() and not above.is_dir():
        raise InputError(argument, str(goal), f"lies in {above}, which is a file", "Choose another folder.")
    raise InputError(argument, str(goal), "lies in a folder that does not exist", f"Make {folder} first.")


def probe(goal: Path, argument: str) -> None:
    """Raise :class:`~saliency_widget.InputError` where no file can be made in a folder: rights alone do not say it."""
    try:
        with tempfile.NamedTemporaryFile(prefix=f".{goal.name}.", suffix=".part", dir=goal.parent):
            pass
    except OSError as error:
        problem = f"lies in a folder that cannot be written to ({error.strerror or error})"
        raise InputError(argument, str(goal), problem, "Choose another folder.") from error


def check_goal(path: str | os.PathLike[str], argument: str = "path") -> Path:
    """The path of a file that can be written, as far as can be seen, its ``~`` replaced.

    Raises
    ------
    InputError
        Its folder does not exist, or it is a folder itself.
    """
    goal = Path(path).expanduser()
    if goal.is_dir():
        raise InputError(argument, str(path), "is a folder", "Give the path of a file.")
    check_folder(goal, argument)
    return goal


@contextmanager
def atomic_write(path: str | os.PathLike[str], argument: str = "path") -> Iterator[IO[bytes]]:
    """A binary file that takes the place of ``path`` only when everything was written.

    It is written beside ``path``, so that the final rename stays on one file system and is atomic.

    Raises
    ------
    InputError
        The folder does not exist, or ``path`` is a folder. Nothing was written then.
    """
    goal = check_goal(path, argument)
    handle, name = tempfile.mkstemp(prefix=f".{goal.name}.", suffix=".part", dir=goal.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner can read; a result is an ordinary file.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, goal.stat().st_mode & 0o777 if goal.exists() else 0o666 & ~mask)
        os.replace(name, goal)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
